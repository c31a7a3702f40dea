"""How busy the machine is with other things."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import process_time

from versus_litserve.processes import PROC, TICKS


def busy_seconds() -> float:
    """Return the processor time that all processes of the machine have had, and its host has taken."""
    total = (PROC / "stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _, _, interrupts, soft, stolen = map(int, total)
    return (user + nice + system + interrupts + soft + stolen) / TICKS


def own_seconds(pids: set[int]) -> float:
    """Return what this process and these have had of it, and their children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(PROC, str(pid), "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return process_time() + ticks / TICKS


class Others:
    """What others have of the machine's processors, as a share, from now on.

    Args:
        pids: whose time is not others'.
    """

    def __init__(self, pids: set[int]) -> None:
        self._busy, self._own = busy_seconds(), own_seconds(pids)

    def share(self, pids: set[int], seconds: float) -> float:
        """Return the share; `seconds` have passed."""
        own = own_seconds(pids) - self._own
        return max(0.0, busy_seconds() - self._busy - own) / (seconds * (os.cpu_count() or 1))
