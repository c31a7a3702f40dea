"""Scenarios as they are written on a command line.

Law: what makes no sense is a ValueError that says what would, with the words it is about.
"""

from __future__ import annotations

from typing import Any

from timeouts.deadline import seconds
from timeouts.sim.service import Constant, Exponential, Lognormal, Service
from timeouts.sim.stuck import Stuck

SHAPES: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "constant": (Constant, ("TIME",)),
    "exp": (Exponential, ("MEAN",)),
    "lognormal": (Lognormal, ("MEAN", "CV")),
}


def numbers(text: str) -> list[float]:
    """Read numbers with commas between them."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"write numbers such as 2 or 0.8,1.1,2; got {text!r}") from None


def durations(text: str) -> list[float]:
    """Read durations with commas between them."""
    return [seconds(word, "each") for word in text.split(",")]


def service(text: str) -> Service:
    """Read a distribution such as `lognormal:0.1:2.9`."""
    name, *given = text.split(":")
    if name not in SHAPES or len(given) != len(SHAPES[name][1]):
        forms = ", ".join(":".join([shape, *takes]) for shape, (_, takes) in SHAPES.items())
        raise ValueError(f"write one of {forms}; got {text!r}")
    made: Service = SHAPES[name][0](seconds(given[0], "its time"), *map(_number, given[1:]))
    return made


def stuck(base: Service, text: str) -> Service:
    """Read `2%:100`, two in a hundred take a hundred times as long, or `0.1%`, which hang for ever."""
    share, _, factor = text.partition(":")
    number = _number(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    return Stuck(base, number, _number(factor)) if factor else Stuck(base, number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
