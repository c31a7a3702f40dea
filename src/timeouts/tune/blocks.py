"""Stretches of a trace: every other one to choose by, the rest to judge by.

Requests near each other share their fate, so no interval may treat them as independent. Stretches that are
long against the time for which a queue remembers may be: whole stretches are drawn again, with both rules on
the same ones.

Source: Efron, "Bootstrap methods: another look at the jackknife" (1979), on blocks as in Carlstein, "The use of
subseries values for estimating the variance of a general statistic from a stationary sequence" (1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from timeouts.sim.books import WINDOWS
from timeouts.sim.chance import stream
from timeouts.sim.trace import Trace

SIZES = (1, 2, 3)
"""So many windows of a report make a stretch: 60, 30 or 20 stretches."""
MEMORY = 3
"""A stretch is at least so many budgets long, and as far from the next one of its half: a queue with deadlines has
forgotten by then."""
FEWEST = 25
"""Requests in a stretch, on average."""
DRAWS = 2000
_LOW, _HIGH = 0.025, 0.975
Counts = Sequence[int]


def block_size(trace: Trace, loads: Sequence[float]) -> int:
    """Return how many windows make a stretch, or refuse a trace that is too short for any.

    Raises:
        ValueError: it is; the message says what is needed.
    """
    budget = fmean(request.client.budget for request in trace.recorded)
    count, duration = len(trace.recorded), trace.duration
    needed = MEMORY * budget * max(loads)
    for size in SIZES:
        if duration * size / WINDOWS >= needed and count * size / WINDOWS >= FEWEST:
            return size
    blocks = WINDOWS // SIZES[-1]
    raise ValueError(
        f"the trace is too short to tell anything: it has {count:,} requests in {duration:.3g} s; "
        f"{blocks * FEWEST:,} in {blocks * needed:.3g} s are the least for these budgets and loads"
    )


def together(windows: Counts, size: int) -> list[int]:
    """Add up the windows of each stretch."""
    return [sum(windows[first : first + size]) for first in range(0, len(windows), size)]


def training(blocks: Sequence[int]) -> Sequence[int]:
    """Return the stretches to choose by."""
    return blocks[0::2]


def held_out(blocks: Sequence[int]) -> Sequence[int]:
    """Return the stretches to judge by."""
    return blocks[1::2]


def standard_error(differences: Counts) -> float:
    """Return how far the sum of differences would be off, in another trace like this one."""
    return math.sqrt(len(differences)) * stdev(differences)


class Interval(NamedTuple):
    """A 95 % interval of what a rule gains over another."""

    low: float
    high: float


def interval(differences: Counts, seed: int) -> Interval:
    """Return the interval of the sum of the differences, by drawing stretches again.

    It is widened as the standard deviation of so few is: by the root of n / (n - 1), on both sides.
    """
    random, count = stream(seed, "bootstrap"), len(differences)
    sums = sorted(
        sum(differences[int(random.random() * count)] for _ in range(count)) for _ in range(DRAWS)
    )
    total, wider = sum(differences), math.sqrt(count / (count - 1))
    low, high = (sums[int(share * DRAWS)] for share in (_LOW, _HIGH))
    return Interval(total + (low - total) * wider, total + (high - total) * wider)
