"""What a server refuses to be built from, in the user's words."""

from __future__ import annotations

import inspect
import math
from typing import Any

from timeouts.handler import Handler
from timeouts.policy import Interval
from timeouts.policy.base import Composable
from timeouts.stack import Stack

_STREAM_ONLY = (Interval.FIRST_ITEM, Interval.IDLE)


def checked_limits(limits: object, handler: Handler) -> Stack:
    """Return the stack that was meant: a policy is a stack of one, None an empty one."""
    if limits is None:
        return Stack()
    if not isinstance(limits, Composable):
        raise TypeError(
            "limits must be a policy or policies joined with |, such as "
            f"GatewayTimeout(30) | ExecutionTimeout(10); got {limits!r}"
        )
    stack = limits if isinstance(limits, Stack) else Stack(*limits.policies)
    for policy in stack.policies:
        if policy.interval in _STREAM_ONLY and not handler.is_stream:
            raise ValueError(
                f"{policy!r} bounds a stream's {policy.interval}, "
                f"but {handler.name} is no generator: use GatewayTimeout or ExecutionTimeout"
            )
    return stack


def checked_count(name: str, value: Any, *, least: int) -> float:
    """Return a whole number or `math.inf`, or refuse it."""
    if value == math.inf:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number or math.inf; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value!r}")
    return value


def checked_priority(value: Any) -> float:
    """Return a priority, or refuse what has no order."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"priority must be a number; got {value!r}")
    if math.isnan(value):
        raise ValueError(f"priority must be a number that can be ordered; got {value!r}")
    return value


def refuse_reserved(handler: Handler, reserved: tuple[str, ...]) -> None:
    """Refuse a handler with a parameter that the server's own calls take for themselves."""
    try:
        parameters = inspect.signature(handler.function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return
    for name in reserved:
        if name in parameters:
            raise ValueError(
                f"{handler.name} has a parameter {name!r}, which Server.call keeps for itself: "
                "rename it, or use @guard, which passes everything on"
            )
