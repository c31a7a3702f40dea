"""What a list of executions and the definitions give: no buckets, no sums that are carried along, no pointers.

Slow on purpose, and written from the definitions: the product-limit estimator of Kaplan and Meier, and the reserve
as the reference pages describe it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from timeouts.estimate.durations import GROWTH, SHORTEST, bucket


class Execution(NamedTuple):
    """How long it took, or at which age it was stopped."""

    seconds: float
    stopped: bool = False


class Figures(NamedTuple):
    """What is known of an age: the share that has ended by it, F(b), and the mean work done by it, E[min(S, b)]."""

    age: float
    finished: float
    worked: float


def edge(seconds: float) -> float:
    """Return the upper edge of the bucket that a duration lies in."""
    return SHORTEST * GROWTH ** bucket(seconds)


def told_by_bucket(executions: Sequence[Execution]) -> list[Execution]:
    """Return them as a histogram has them: ended in the middle of its bucket, or stopped at its end."""
    middle = (1 + 1 / GROWTH) / 2
    return [
        Execution(edge(seconds) * (1.0 if stopped else middle), stopped)
        for seconds, stopped in executions
    ]


def figures(executions: Sequence[Execution], age: float) -> Figures:
    """Go through the executions as they ended: each that did takes its part of those that are still going on."""
    left, worked, since = 1.0, 0.0, 0.0
    at_risk = len(executions)
    for seconds, stopped in sorted(executions):  # on a tie those that ended come first
        if seconds > age:
            break
        worked += left * (seconds - since)
        since = seconds
        if not stopped:
            left *= 1 - 1 / at_risk
        at_risk -= 1
    return Figures(age, 1 - left, worked + left * (age - since))


def beyond(known: list[Figures]) -> list[Figures]:
    """Return what is expected beyond the oldest age: as many of those left end in a second as in its second half."""
    oldest = known[-1]
    left = 1 - oldest.finished
    if left <= 1e-12:
        return []
    before = max((f for f in known if f.age <= oldest.age / 2), default=Figures(0.0, 0.0, 0.0))
    hazard = math.log((1 - before.finished) / left) / (oldest.age - before.age)
    told, worked, since, share = list[Figures](), oldest.worked, oldest.age, left
    for number in range(1, 29):
        age = oldest.age * GROWTH**number
        after = left * math.exp(-hazard * (age - oldest.age))
        worked += (share + after) / 2 * (age - since)
        since, share = age, after
        told.append(Figures(age, 1 - after, worked))
    return told


class Reserve:
    """The reserve of any budget, by its definition.

    Args:
        ages: figures of all ages at which a run may be stopped, ascending.
        size: how many executions they are made of.
        recovery: what a stop costs; infinite where there is no stopping.
        all_but: how near to the best rate is as good as it.
        slack: for a share that is rounded to one side of a threshold or to the other.
    """

    def __init__(
        self,
        ages: Sequence[Figures],
        size: int,
        recovery: float,
        *,
        all_but: float = 0.98,
        slack: float = 0.0,
    ) -> None:
        self._ages = ages
        self._size = size
        self._recovery = recovery
        self._all_but = all_but * (1 + slack)
        self._slowest = 0.95 * (1 + slack)
        self._slack = slack

    def rate(self, told: Figures) -> float:
        """Return the answers per second of a slot whose runs are stopped at an age, less two standard errors."""
        _, finished, worked = told
        evidence = self._size * finished * (1 + self._slack)
        if not evidence > 4:
            return 0.0
        cost = self._ages[-1].worked
        if self._recovery < math.inf:
            cost = worked + self._recovery * (1 - finished)
        return finished / cost * (1 - 2 / math.sqrt(evidence))

    def plain(self, budget: float) -> float:
        """Return the least age that brings all but the best rate and leaves the slow time enough; at most 65 %."""
        fit = [told for told in self._ages if told.age <= budget]
        if not fit:
            return budget / 2
        best = max(map(self.rate, fit))
        cheap = min(told.age for told in fit if self.rate(told) >= self._all_but * best)
        return min(max(cheap, self.slow(fit)), 0.65 * budget)

    def of(self, budget: float) -> float:
        """Return that, or less where a shorter budget would be left more time to wait in."""
        shorter = [told.age for told in self._ages if told.age <= budget]
        left = [age - self.plain(math.nextafter(age, 0)) for age in shorter]
        return budget - max([*left, budget - self.plain(budget)])

    def latest(self, budget: float) -> float:
        """Return the last age that brings all but the best rate, or what leaves the slow time enough if that is later."""
        fit = [told for told in self._ages if told.age <= budget]
        best = max(map(self.rate, fit))
        latest = max(told.age for told in fit if self.rate(told) >= self._all_but * best)
        return max(latest, self.slow(fit))

    def slow(self, fit: Sequence[Figures]) -> float:
        """Return the age by which nineteen of twenty of those that fit have ended."""
        return min(t.age for t in fit if t.finished >= self._slowest * fit[-1].finished)
