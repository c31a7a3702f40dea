"""What is served: a name such as `model:predict`, resolved to a handler and what its code says of it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
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
    if not (module and colon and path) or module.startswith("."):
        raise ValueError(
            f"what to serve must be MODULE:ATTRIBUTE, such as model:predict; got {name!r}"
        )
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{module}.".startswith(f"{missing.name}."):
            raise ValueError(f"{module} cannot be imported: {missing}") from None
        hint = f"; write {module.removesuffix('.py')}:{path}" * module.endswith(".py")
        raise ValueError(f"there is no module {module!r} here or on the path{hint}") from None
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module} has no {path!r}")
        owner, found = found, getattr(found, part)
        if inspect.isclass(owner) and inspect.isfunction(inspect.getattr_static(owner, part)):
            raise ValueError(
                f"{name} is a method: serve that of an instance, model = {owner.__name__}()"
            )
    return found


def _is_asgi(found: Any) -> bool:
    try:
        return list(inspect.signature(found).parameters) == ["scope", "receive", "send"]
    except (TypeError, ValueError):
        return False
