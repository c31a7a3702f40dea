"""Arguments that make sense, or a refusal that names the parameter and the value."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def number(name: str, value: Any, *, above: float = -math.inf, most: float = math.inf) -> float:
    """Return a number greater than `above` and at most `most`, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not above < float(value) <= most:  # so is nan
        bounds = [f"greater than {above:g}"] if above > -math.inf else []
        bounds += [f"at most {most:g}"] if most < math.inf else []
        raise ValueError(f"{name} must be {' and '.join(bounds) or 'a number'}; got {value!r}")
    return float(value)


def finite(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a finite number greater than 0, or 0 where that is sensible, or refuse it."""
    checked = number(name, value)
    if not (0 < checked < math.inf or (zero and checked == 0)):
        raise ValueError(f"{name} must be {'0 or more' if zero else 'more than 0'}; got {value!r}")
    return checked


def instance(name: str, value: Any, having: str, such: str) -> None:
    """Refuse what lacks a method, and a class where one of its instances was meant."""
    if isinstance(value, type) or not hasattr(value, having):
        raise TypeError(f"{name} must be {such}; got {value!r}")
