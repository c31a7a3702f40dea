"""How a duration is written in each header that carries budgets.

Laws:
- Text is checked before it is scaled: ASCII digits, bounded in number, no sign, no exponent. So no
  value overflows, and of two durations the longer never reads as the shorter.
- Writing rounds down and reading to the nearest float, so what is written never reads as more.
- A zero is never written: some readers, Envoy among them, take it for "no limit".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

SHORTEST = 0.001
"""Seconds: one step of the coarsest notation, and the least that is written in any."""

LONGEST = 99_999_999.0
"""Seconds, more than three years: what 8 digits hold, and the most that is written in any."""


class Notation(NamedTuple):
    """One way of writing a duration.

    Attributes:
        form: what a value looks like.
        right: the same for people.
        scale: makes seconds of what `form` has matched.
        write: writes seconds, from `SHORTEST` to `LONGEST`.
    """

    form: re.Pattern[str]
    right: str
    scale: Callable[[re.Match[str]], float]
    write: Callable[[float], str]

    def read(self, text: str) -> float | None:
        """Return the seconds that a text says, or None if it says none."""
        match = self.form.fullmatch(text.strip(" \t"))
        return None if match is None else self.scale(match)


def steps(duration: float, per_second: int) -> int:
    """Count the whole steps of a finite duration, exactly: a float would round up now and then."""
    numerator, denominator = duration.as_integer_ratio()
    return numerator * per_second // denominator


_NANOSECONDS = {
    "n": 1,
    "u": 10**3,
    "m": 10**6,
    "S": 10**9,
    "M": 60 * 10**9,
    "H": 3600 * 10**9,
}


def _read_grpc(match: re.Match[str]) -> float:
    return int(match[1]) * _NANOSECONDS[match[2]] / 10**9


def _write_grpc(duration: float) -> str:
    """Write it in the finest unit that fits."""
    total = steps(duration, 10**9)
    counts = ((total // size, unit) for unit, size in _NANOSECONDS.items())
    return next(f"{count}{unit}" for count, unit in counts if count < 10**8)


def _read_seconds(match: re.Match[str]) -> float:
    return float(match[0])


def _write_seconds(duration: float) -> str:
    whole, rest = divmod(steps(duration, 10**6), 10**6)
    return f"{whole}.{rest:06}"


def _read_milliseconds(match: re.Match[str]) -> float:
    return int(match[0]) / 1000


def _write_milliseconds(duration: float) -> str:
    return str(steps(duration, 1000))


NOTATIONS = {
    "grpc-timeout": Notation(
        form=re.compile(r"([0-9]{1,8})([HMSmun])"),
        right='1 to 8 digits and a unit (H, M, S, m, u or n), such as "250m"',
        scale=_read_grpc,
        write=_write_grpc,
    ),
    "x-request-timeout-seconds": Notation(
        form=re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,20})?"),
        right='decimal seconds without sign or exponent, such as "2.5"',
        scale=_read_seconds,
        write=_write_seconds,
    ),
    "x-envoy-expected-rq-timeout-ms": Notation(
        form=re.compile(r"[0-9]{1,15}"),
        right='1 to 15 digits, whole milliseconds, such as "250"',
        scale=_read_milliseconds,
        write=_write_milliseconds,
    ),
}


def known(names: tuple[object, ...]) -> tuple[str, ...]:
    """Return header names in lower case, each once and in the order of the table.

    Raises:
        ValueError: a name is none of these headers.
    """
    asked = [str(name).lower() for name in names]
    for name, lower in zip(names, asked, strict=True):
        if lower not in NOTATIONS:
            raise ValueError(
                f"a header for budgets must be one of {', '.join(NOTATIONS)}; got {name!r}"
            )
    return tuple(name for name in NOTATIONS if name in asked)
