"""Durations as users write them. A *timeout* is a duration in configuration, a *deadline* an instant.

Law: nonsense is refused where it is written. A duration is a positive number of seconds; `None` and
`math.inf` both say "no limit", everything else is an error that names the parameter and the value.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from numbers import Real
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

Seconds = float | int | timedelta | str | None
"""What users may write for a duration."""

AUTO = "auto"
UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|)", re.ASCII)


def seconds(value: object, name: str = "timeout", *, zero: bool = False) -> float:
    """Return a duration in seconds, or refuse it in the user's words.

    Args:
        value: `float` or `int` seconds, a `timedelta`, a string such as `"2.5"`, `"500ms"`, `"5s"`,
            `"2m"` or `"1h"`, or `None` for no limit.
        name: the parameter's name, for the message.
        zero: whether 0 is a sensible value (it is for a reserve, never for a limit).

    Raises:
        TypeError: `value` is of a type that is no duration; `bool` is one of them.
        ValueError: it is one, but negative, zero, nan, or text that says no duration.
    """
    number = _number(value, name)
    if math.isnan(number) or number < 0 or (number == 0 and not zero):
        least = "zero or more seconds" if zero else "more than zero seconds, or None for no limit"
        raise ValueError(f"{name} must be {least}; got {value!r}")
    return number


def finite_seconds(value: object, name: str) -> float:
    """Return a duration that has an end and may be 0, or refuse it as `seconds` does."""
    number = seconds(value, name, zero=True)
    if math.isinf(number):
        raise ValueError(f"{name} must be a finite number of seconds; got {value!r}")
    return number


def _number(value: object, name: str) -> float:
    if value is None:
        return math.inf
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and (match := _WRITTEN.fullmatch(value.strip())):
        return float(match[1]) * UNITS[match[2]]
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - a string is of the right type, it only says nothing
            f'{name} must be a duration such as 2.5, "2.5", "500ms" or "5s"; got {value!r}'
        )
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name} must be seconds (float, int or timedelta), or None for no limit; "
            f"got {value!r} of type {type(value).__name__}"
        )
    number: Any = value
    try:
        return float(number)
    except OverflowError:  # an int beyond 1.8e308 seconds: no limit in all but name
        return math.inf if number > 0 else -math.inf


def written(duration: float) -> str:
    """Write a duration as messages and reprs show it: `5`, `0.25`, or `None` for no limit."""
    return "None" if math.isinf(duration) else f"{duration:.10g}"


def spoken(duration: float) -> str:
    """Round a measured duration for a sentence: `0.0312`, `5.2`, `3600`."""
    return f"{duration:.3g}" if duration < 1000 else f"{duration:.0f}"


def _dumped(duration: Any) -> Any:
    return None if duration == math.inf else duration


def _limit(value: Any) -> float:
    return seconds(value)


def _limit_or_auto(value: Any) -> Any:
    return value if value == AUTO else seconds(value)


def _least(value: Any) -> float:
    return finite_seconds(value, "at_least")


def _most(value: Any) -> float:
    return seconds(value, "at_most")


def _soft(value: Any) -> float:
    return seconds(value, "soft")


def _reserve_or_auto(value: Any) -> Any:
    return value if value == AUTO else finite_seconds(value, "reserve")


_dump = PlainSerializer(_dumped, return_type=float | str | None)
Timeout = Annotated[float, BeforeValidator(_limit), _dump]
AutoTimeout = Annotated[float | Literal["auto"], BeforeValidator(_limit_or_auto), _dump]
Least = Annotated[float, BeforeValidator(_least)]
Most = Annotated[float, BeforeValidator(_most), _dump]
Soft = Annotated[float, BeforeValidator(_soft), _dump]
Reserve = Annotated[float | Literal["auto"], BeforeValidator(_reserve_or_auto)]
