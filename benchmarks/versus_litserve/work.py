"""What the servers are given to do, whoever serves it."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

BOOK = "VERSUS_LITSERVE_BOOK"  # the file in which runs that carry a mark are noted
FOREVER = 3600.0


def act(seconds: float = 0.0, mark: str = "", crash: bool = False, data: str = "") -> int:
    """Hold the worker for a while, or end its process; return how much data came."""
    if mark:
        _note(mark)
    if seconds:
        sleep(seconds)
    if crash:
        _note("crash")
        os._exit(1)
    return len(data)


def square(x: float) -> float:
    """Do next to nothing: what is left is what serving it costs."""
    return x * x


async def asquare(x: float) -> float:
    """Do the same on the event loop."""
    return x * x


def _note(mark: str) -> None:
    """Write down that a run has come this far, and when."""
    with Path(os.environ[BOOK]).open("a") as book:
        book.write(f"{mark} {monotonic()}\n")


def noted(book: Path, mark: str) -> list[float]:
    """Return the instants at which runs with this mark came this far."""
    lines = [line.split() for line in book.read_text().splitlines()]
    return [float(instant) for word, instant in lines if word == mark]
