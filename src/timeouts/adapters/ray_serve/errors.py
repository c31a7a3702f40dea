"""What Ray makes of an error on its way, undone."""

from __future__ import annotations

from timeouts.adapters.ray_serve.guest import RayTaskError
from timeouts.errors import TimeoutsError


def own(error: BaseException) -> TimeoutsError | None:
    """Return the error of ours that Ray has wrapped, once for each deployment it came through.

    Ray's wrapper is an instance of our class only the first time, and even then it has the defaults of
    the class in place of some of the error's own fields, `retry_after` among them.
    """
    while isinstance(error, RayTaskError):
        error = error.cause
    return error if isinstance(error, TimeoutsError) else None
