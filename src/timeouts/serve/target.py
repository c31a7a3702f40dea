"""What is served: a name such as `model:predict`, resolved to a handler and what its code says of it."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from timeouts.decorate import BoundGuard, Guard
from timeouts.server import Server
from timeouts.stack import Stack


class Target(NamedTuple):
    """A handler, and the limits and options that its code gives it."""

    name: str
    function: Callable[..., Any]
    limits: Stack
    given: Mapping[str, Any]


def target(name: str) -> Target:
    """Import what `MODULE:ATTRIBUTE` names: a function, a guarded function, or a `Server`.

    Modules are looked for in the working directory, too.

    Raises:
        ValueError: there is no such thing, or it is nothing that can be served.
    """
    found = _found(name)
    if isinstance(found, (Guard, BoundGuard)):
        return Target(name, found.__wrapped__, found.server.limits, found.server.given)
    if isinstance(found, Server):
        return Target(name, found.handler.function, found.limits, found.given)
    if not callable(found) or inspect.isclass(found):
        raise ValueError(f"{name} must be a function, a guarded one, or a Server; it is {found!r}")
    if _is_asgi(found):
        raise ValueError(
            f"{name} is an ASGI application: put timeouts.adapters.asgi.Timeouts in front of it, "
            "and run that with uvicorn"
        )
    return Target(name, found, Stack(), {})


def _found(name: str) -> Any:
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise ValueError(f"what to serve must be MODULE:ATTRIBUTE, such as model:predict; got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{module}.".startswith(f"{missing.name}."):
            raise  # something that the module itself imports
        raise ValueError(f"there is no module {module!r} here or on the path") from None
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module} has no {path!r}")
        found = getattr(found, part)
    return found


def _is_asgi(found: Any) -> bool:
    try:
        return list(inspect.signature(found).parameters) == ["scope", "receive", "send"]
    except (TypeError, ValueError):
        return False
