"""Which adapter puts a server under limits, by the library that the server's class comes from.

Law: only the adapter of the host at hand is imported, and so only its guest.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from timeouts.options import checked_stack

if TYPE_CHECKING:
    from timeouts.policy.base import Composable, Host

ADAPTERS = {
    "fastapi": "timeouts.adapters.fastapi",
    "flask": "timeouts.adapters.flask",
    "litserve": "timeouts.adapters.litserve",
    "starlette": "timeouts.adapters.starlette",
}
"""Each has a function `apply(limits, host, **options)`. The bases of a class are asked in their order."""


def apply(limits: Composable, host: Host, options: Mapping[str, Any]) -> Host:
    """Put a host under limits; see `Policy.apply`."""
    for base in type(host).__mro__:
        if adapter := ADAPTERS.get(base.__module__.partition(".")[0]):
            import_module(adapter).apply(checked_stack(limits), host, **options)
            return host
    hint = ": write an instance, not the class" if isinstance(host, type) else ""
    raise TypeError(
        f"apply() knows LitServer, LitAPI, and the applications of FastAPI, Starlette and Flask; got {host!r}{hint}. "
        "Any other application: timeouts.adapters.asgi.Timeouts(app, limits), or .wsgi.Timeouts; "
        "an executor: limits.wrap(executor)"
    )
