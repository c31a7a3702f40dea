"""What follows from the distribution of execution times: the least time left that is worth a start.

A worker that starts executions and stops each at an age b brings, per second of its time,

    rate(b) = F(b) / (E[min(S, b)] + R (1 - F(b)))

answers, R being what it costs to have it back after a stop; where work cannot be stopped it is F(b) / E[S]. For
policies that do not know how long a request takes, no order brings more than the best of these (it is Luby, Sinclair
and Zuckerman's optimal restart cutoff with a cost of restarting). A start with less time left than the least b whose
rate is all but the best is time that others use better.

Laws:
- A longer budget leaves no less time to wait in, and its reserve is at most `MOST` of it.
- Before there is evidence the reserve is twice the longest execution so far, at most half of the budget: half is right
  within a tenth nearly everywhere, and who has work that takes milliseconds need not give it up for that.
- It is exact for executions of which each is told with an error of a bucket, 5 %; where work cannot be stopped it is at most a
  bucket longer than what is exact for the true ones.
- It is no longer than the longest execution that is known, and a bucket; where that was stopped, four times its age.
- Advice is a frozen value: who has it is not affected by what is learned later.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import sub

from timeouts.estimate.durations import GROWTH, Curve

ENOUGH = 200
"""Executions; with fewer there is no advice."""
ALL_BUT = 0.98
"""A rate that is so near the best one is as good as it."""
SLOWEST = 0.95
"""The share of those that finish within a budget whom the reserve leaves time enough, or the slow would never be served."""
HEALTHY = 0.99
"""The share of them whom the execution limit leaves time enough: what is stopped should be stuck, not just slow."""
MOST = 0.65
COLD_SHARE = 0.5
COLD_TIMES = 2.0
_TAIL = 28
"""Buckets: as far again as four times the oldest age."""
_SURE = 4
"""Fewer that finished by an edge leave nothing but doubt of it."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What is advised at present.

    Attributes:
        budgets: seconds, ascending: for a budget from one of them up to the next,
        reserves: this reserve is advised,
        waits: or what leaves at least so much time to wait in: as much as a shorter budget leaves.
        count: how many executions it is based on.
        execution: seconds after which an execution is best stopped; infinite where no stop is worth its cost.
        recovery: seconds that a stop was found to cost; 0 before the first, infinite where work cannot be stopped.
        raised: whether `execution` is longer than what followed from them, for it had stopped too many.
        longest: seconds of the longest execution so far, for as long as there is no other advice.
    """

    budgets: tuple[float, ...] = ()
    reserves: tuple[float, ...] = ()
    waits: tuple[float, ...] = ()
    count: int = 0
    execution: float = math.inf
    recovery: float = 0.0
    raised: bool = False
    longest: float = 0.0

    def reserve(self, budget: float) -> float:
        """Return how many seconds of a budget must be left for a start to be worth it."""
        place = bisect_right(self.budgets, budget) - 1
        if place < 0:
            cold = COLD_SHARE * budget
            return cold if self.budgets else min(cold, COLD_TIMES * self.longest)
        return min(self.reserves[place], MOST * budget, budget - self.waits[place])


COLD = Advice()
"""Nothing is known yet."""


def advise(curve: Curve, recovery: float) -> Advice:
    """Return what follows from a distribution.

    Args:
        curve: the distribution of execution times.
        recovery: seconds until a worker is back after a stop; infinite where work cannot be stopped.
    """
    if curve.size < ENOUGH or not curve.ended:
        return COLD
    known, curve = curve, with_tail(curve)
    edges, finished = curve.edges, curve.finished
    rates = _rates(curve, recovery)
    reserves, cheap, slow = list[float](), 0, 0
    for best, share in zip(accumulate(rates, max), finished, strict=True):
        while rates[cheap] < ALL_BUT * best:
            cheap += 1
        while finished[slow] < SLOWEST * share:
            slow += 1
        reserves.append(edges[max(cheap, slow)])
    waits = tuple(accumulate(map(sub, edges, _just_below(edges, reserves)), max))
    execution = math.inf
    if recovery < math.inf and known.finished[-1] < 1:
        enough = bisect_left(finished, HEALTHY * finished[-1])
        execution = max(_execution(curve, rates, recovery), edges[enough])
    return Advice(edges, tuple(reserves), waits, curve.size, execution)


def _just_below(edges: Sequence[float], reserves: Sequence[float]) -> Iterator[float]:
    """Return the reserve of a budget just below each edge; nothing is known below the first."""
    most = (MOST * edge for edge in edges[1:])
    return chain([COLD_SHARE * edges[0]], map(min, reserves, most))


def _execution(curve: Curve, rates: Sequence[float], recovery: float) -> float:
    """Return the latest age at which to stop brings all but the best rate; between two edges nothing ends."""
    least = SLOWEST * max(rates)
    latest = max(place for place, rate in enumerate(rates) if rate >= least)
    edge, left = curve.edges[latest], 1 - curve.finished[latest]
    if latest == len(rates) - 1:
        return edge
    cost = curve.worked[latest] + recovery * left
    return min(curve.edges[latest + 1], edge + (rates[latest] / least - 1) * cost / left)


def with_tail(curve: Curve) -> Curve:
    """Return the curve with what lies beyond the oldest age that was seen: it goes on as it did before.

    Where the queue is full every run has but its reserve, and is stopped then. Were nothing expected beyond, nobody
    would ever find out that a longer reserve is worth more.
    """
    horizon, left, worked = curve.edges[-1], 1 - curve.finished[-1], curve.worked[-1]
    if left <= 0:
        return curve
    middle = bisect_right(curve.edges, horizon / 2) - 1
    before = 1 - curve.finished[middle] if middle >= 0 else 1.0
    hazard = math.log(before / left) / (horizon - (curve.edges[middle] if middle >= 0 else 0.0))
    tail = []
    for number in range(1, _TAIL + 1):
        step = horizon * (GROWTH - 1) * GROWTH ** (number - 1)
        after = left * math.exp(-hazard * step)
        worked += (left + after) / 2 * step
        left = after
        tail.append((horizon * GROWTH**number, 1 - left, worked))
    edges, finished, work = zip(*tail, strict=True)
    return curve._replace(
        edges=curve.edges + edges, finished=curve.finished + finished, worked=curve.worked + work
    )


def _rates(curve: Curve, recovery: float) -> list[float]:
    """Return the rate at each edge, less the doubt that few executions leave: twice the standard error."""
    rates, size = [], curve.size
    for finished, worked in zip(curve.finished, curve.worked, strict=True):
        evidence = size * finished
        cost = curve.worked[-1] if recovery == math.inf else worked + recovery * (1 - finished)
        rates.append(finished / cost * (1 - 2 / math.sqrt(evidence)) if evidence > _SURE else 0.0)
    return rates
