"""How long executions take: a histogram of those that ended and of those that were stopped.

Laws:
- A stopped execution counts as *censored* at its age: it would have taken longer, nobody knows how much. Counted
  as one of that length it would make limits creep up, left out it would make them spiral down.
- Histograms merge by addition, whatever the order.
- The past is forgotten: what is kept is the present window and the one before.
- Every figure is off by at most one bucket, which is 5 %.

Source: Kaplan and Meier, "Nonparametric estimation from incomplete observations" (1958), on logarithmic buckets.
"""

from __future__ import annotations

import math
from itertools import compress
from operator import add
from typing import NamedTuple

SHORTEST = 1e-4
LONGEST = 1e5
"""Seconds. What is shorter or longer is counted in the first or in the last bucket."""
GROWTH = 1.05
_PER_BUCKET = 1 / math.log(GROWTH)
_BUCKETS = math.ceil(math.log(LONGEST / SHORTEST) * _PER_BUCKET) + 1
_WIDTH = 1 - 1 / GROWTH
"""Of a bucket, as a share of its upper edge. What ended in it has ended in its middle, on the average."""
_EDGES = tuple(SHORTEST * GROWTH**number for number in range(_BUCKETS))


class Curve(NamedTuple):
    """The distribution of the execution time S, at the upper edges of the buckets that are not empty.

    Attributes:
        edges: seconds, ascending.
        finished: the share of executions that have ended by an edge, F(b) = P(S <= b).
        worked: the mean seconds that an execution has taken by then, E[min(S, b)].
        size: how many executions it is made of.
        ended: how many of them were not stopped.
    """

    edges: tuple[float, ...]
    finished: tuple[float, ...]
    worked: tuple[float, ...]
    size: int
    ended: int


class Durations:
    """Executions by their length, in logarithmic buckets."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._now = _Window()
        self._before = _Window()

    def add(self, seconds: float, *, stopped: bool = False) -> None:
        """Count an execution that ended, or one that was stopped at that age."""
        window = self._now
        window.count += 1
        (window.stopped if stopped else window.ended)[bucket(seconds)] += 1

    @property
    def count(self) -> int:
        """How many the present window has."""
        return self._now.count

    @property
    def size(self) -> int:
        """How many that and the one before have."""
        return self._before.count + self._now.count

    def rotate(self) -> None:
        """Begin a window; forget the one before the present one."""
        self._before, self._now = self._now, _Window()

    def merge(self, other: Durations) -> None:
        """Take in what another one has counted."""
        self._now += other._now
        self._before += other._before

    def curve(self) -> Curve:
        """Return the distribution, by the product-limit estimator."""
        return (self._before + self._now).curve()


class _Window:
    __slots__ = ("count", "ended", "stopped")

    def __init__(self) -> None:
        self.count = 0
        self.ended = [0] * _BUCKETS
        self.stopped = [0] * _BUCKETS

    def __add__(self, other: _Window) -> _Window:
        both = _Window()
        both.count = self.count + other.count
        both.ended = list(map(add, self.ended, other.ended))
        both.stopped = list(map(add, self.stopped, other.stopped))
        return both

    def curve(self) -> Curve:
        edges: list[float] = []
        finished: list[float] = []
        worked: list[float] = []
        at_risk, left, work, age = self.count, 1.0, 0.0, 0.0
        counts = map(add, self.ended, self.stopped)
        for number in compress(range(_BUCKETS), counts):
            ended, stopped, edge = self.ended[number], self.stopped[number], _EDGES[number]
            after = left * (1 - ended / at_risk)  # on a tie those that ended come first
            at_risk -= ended + stopped
            work += left * (edge - age) - (left - after) / 2 * edge * _WIDTH
            left, age = after, edge
            edges.append(edge)
            finished.append(1 - left)
            worked.append(work)
        return Curve(tuple(edges), tuple(finished), tuple(worked), self.count, sum(self.ended))


def bucket(seconds: float) -> int:
    """Return the number of a duration's bucket, whose upper edge is not below it."""
    if seconds <= SHORTEST:
        return 0
    if seconds >= LONGEST:
        return _BUCKETS - 1
    return math.ceil(math.log(seconds / SHORTEST) * _PER_BUCKET - 1e-9)
