"""Django: the errors of guarded views as problem documents.

Limits on all requests go around the application, in `wsgi.py` or `asgi.py`: see `timeouts.adapters.wsgi`.
"""

from __future__ import annotations

from typing import ClassVar

from timeouts.errors import TimeoutsError
from timeouts.http.problem import tell
from timeouts.statuses import STATUSES, Statuses

try:
    from django.http import HttpRequest, HttpResponse
    from django.utils.deprecation import MiddlewareMixin
except ImportError as missing:
    raise ImportError(
        'timeouts.adapters.django needs Django, which is not installed: pip install "timeouts[django]"'
    ) from missing


class Problems(MiddlewareMixin):  # type: ignore[misc]  # Django ships no types
    """Answer a `TimeoutsError` of a view: `MIDDLEWARE = [..., "timeouts.adapters.django.Problems"]`.

    Attributes:
        statuses: the table of codes; a subclass may have another.
    """

    statuses: ClassVar[Statuses] = STATUSES

    def process_exception(self, _: HttpRequest, error: Exception) -> HttpResponse | None:
        """Tell an error of ours; leave any other to Django."""
        if not isinstance(error, TimeoutsError):
            return None
        status, headers, body = tell(error, self.statuses)
        return HttpResponse(body, status=status, headers=dict(headers))
