"""Which limits a method is under: those of the server, its own, or none.

Law: all methods share one set of slots and one queue, whatever their limits, because they share one
machine. A method under no limits takes no slot and waits for none.
"""

from __future__ import annotations

from collections.abc import Mapping

from timeouts.handler import Handler
from timeouts.options import checked_limits
from timeouts.policy import Policy
from timeouts.stack import Stack
from timeouts.workers.base import refuse_soft_limits

Limits = Policy | Stack | None


def checked_methods(methods: object, handler: Handler) -> dict[str, Stack | None]:
    """Return the limits of single methods by their full names; None for a method that has none."""
    if methods is None:
        return {}
    if not isinstance(methods, Mapping):
        raise TypeError(
            'methods must be a dict such as {"/pkg.Service/Method": QueueTimeout(5)}; '
            f"got {methods!r}"
        )
    return {_checked_name(name): _checked(name, methods[name], handler) for name in methods}


def _checked_name(name: object) -> str:
    if not (isinstance(name, str) and name.startswith("/") and name.count("/") == 2):
        raise ValueError(
            f'methods must be named in full, such as "/pkg.Service/Method"; got {name!r}'
        )
    return name


def _checked(name: str, limits: object, handler: Handler) -> Stack | None:
    if limits is None:
        return None
    try:
        stack = checked_limits(limits, handler)
    except TypeError as wrong:
        raise TypeError(f"methods[{name!r}]: {wrong}") from None
    refuse_soft_limits(stack, "gRPC")
    return stack
