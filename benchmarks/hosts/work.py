"""What every host is given to do, and how one sees from outside whether it is still being done.

Work that takes time beats: each beat is the instant, as a line in a file, so that work which a host calls
ended and work which has ended can be told apart.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from time import monotonic, sleep

BEATS = "HOSTS_BEATS"  # the folder of the beats
BEAT = 0.01
LONGEST = 60.0  # no work that nobody stops goes on for longer


def predict(do: str, mark: str = "") -> str:
    """Do something: `quick`, `hold` for ten seconds, or `hang`."""
    for _ in range(_beats(do)):
        _beat(mark)
        sleep(BEAT)
    return "done"


async def apredict(do: str, mark: str = "") -> str:
    """Do the same on an event loop."""
    for _ in range(_beats(do)):
        _beat(mark)
        await asyncio.sleep(BEAT)
    return "done"


def _beats(do: str) -> int:
    return {"quick": 0, "hold": round(10 / BEAT), "hang": round(LONGEST / BEAT)}[do]


def _beat(mark: str) -> None:
    with Path(os.environ[BEATS], mark).open("a") as file:
        file.write(f"{monotonic()}\n")


def last_beat(beats: Path, mark: str) -> float:
    """Return the instant of the last beat; minus infinity before the first."""
    try:
        lines = (beats / mark).read_text().rpartition("\n")[0].splitlines()
    except FileNotFoundError:
        lines = []
    return float(lines[-1]) if lines else float("-inf")
