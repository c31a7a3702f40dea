"""What a server refuses to be built from, in the user's words."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Iterable
from numbers import Integral, Real
from typing import Any, cast

from timeouts.admission import Admission
from timeouts.clock import Clock
from timeouts.discipline import Discipline
from timeouts.handler import Handler
from timeouts.observe import Observer
from timeouts.policy import Interval
from timeouts.policy.base import Composable
from timeouts.stack import Stack

_STREAM_ONLY = (Interval.FIRST_ITEM, Interval.IDLE)


def checked_stack(limits: object) -> Stack:
    """Return the stack that was meant: a policy is a stack of one, None an empty one."""
    if limits is None:
        return Stack()
    if not isinstance(limits, Composable):
        hint = ": write an instance, not the class" if isinstance(limits, type) else ""
        raise TypeError(
            "limits must be a policy or policies joined with |, such as "
            f"GatewayTimeout(30) | ExecutionTimeout(10); got {limits!r}{hint}"
        )
    return limits if isinstance(limits, Stack) else Stack(*limits.policies)


def checked_limits(limits: object, handler: Handler) -> Stack:
    """Return the stack that was meant, if the handler can be under it."""
    stack = checked_stack(limits)
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
    return whole_number(name, value, least=least, or_else=" or math.inf")


def whole_number(name: str, value: Any, *, least: int, or_else: str = "") -> int:
    """Return a whole number, or refuse it; `or_else` says what else would have been right."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number{or_else}; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value!r}")
    return int(value)


def checked_discipline(discipline: Any) -> Callable[[], Discipline]:
    """Return what makes the queue, or refuse what does not."""
    if not callable(discipline):
        hint = ": write the class, not an instance" if hasattr(discipline, "push") else ""
        raise TypeError(
            f"discipline must be a class such as FIFO or EarliestDeadlineFirst; "
            f"got {discipline!r}{hint}"
        )
    queue = discipline()
    for method in ("push", "pop", "remove", "__len__"):
        if not hasattr(queue, method):
            raise TypeError(
                f"discipline must make queues with {method}; {discipline!r} makes {queue!r}"
            )
    return cast("Callable[[], Discipline]", discipline)


def checked_admission(admission: Any, discipline: Callable[[], Discipline]) -> Admission | None:
    """Return the rule for who is let in, or refuse what is none, or does not go with the order of the queue."""
    if admission is None:
        return None
    if not isinstance(admission, Admission):
        raise TypeError(f"admission must be PredictedWait(), CoDel() or None; got {admission!r}")
    if admission.door().foresees and not hasattr(discipline(), "ahead"):
        raise ValueError(
            f"{type(admission).__name__} needs a discipline that can say who is ahead, such as FIFO or "
            f"EarliestDeadlineFirst; got {getattr(discipline, '__name__', repr(discipline))}"
        )
    return admission


def checked_clock(clock: Any) -> Clock:
    """Return the clock, or refuse what is none."""
    if not (hasattr(clock, "now") and hasattr(clock, "wait")):
        raise TypeError(f"clock must have now() and wait(); got {clock!r}")
    return cast("Clock", clock)


def checked_observers(observers: Any) -> tuple[Observer, ...]:
    """Return the observers, or refuse what are none."""
    if not isinstance(observers, Iterable):
        raise TypeError(f"observers must be a sequence of Observer instances; got {observers!r}")
    seen = tuple(observers)
    for observer in seen:
        if not isinstance(observer, Observer):
            raise TypeError(f"observers must be instances of Observer; got {observer!r}")
    return seen


def checked_priority(value: Any) -> float:
    """Return a priority, or refuse what has no order."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"priority must be a number; got {value!r}")
    priority = float(value)
    if math.isnan(priority):
        raise ValueError(f"priority must be a number that can be ordered; got {value!r}")
    return priority


def checked_tenant(value: Any) -> Hashable:
    """Return on whose behalf a call is made, or refuse what cannot be told apart."""
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"tenant must be hashable, such as a name; got {value!r}") from None
    return cast("Hashable", value)


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
