"""The best that is possible without knowing how long each request will take.

A request whose work is stopped at an age K is answered with the chance F(K) and costs a worker
E[min(S, K)] + R (1 - F(K)) seconds, where R is the time that a kill takes the worker away. Nobody who
cannot see sizes gets more out of k workers than the best mixture of such ages: a linear programme with
one constraint, whose solution is to spend the workers' time where it brings most, class by class and
age by age, along the concave hull of the points (cost, answers).

Law: it bounds the goodput of every policy under every discipline, for Poisson arrivals in the long
run. It is a fluid limit: near saturation chance alone keeps any policy some percent below it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from timeouts.sim.service import Service
from timeouts.sim.workers import Kill, Stop

_AGES = 200
_EVIDENCE = 0.02
"""Ages at which fewer works have ended are no option: a rate known from a handful is chance."""
_CLASSES = 32
Point = tuple[float, float]


class Limit(NamedTuple):
    """A bound on goodput.

    Attributes:
        goodput: answers in time per second.
        by: what sets it: `"arrivals"` that fit their budgets, or the `"workers"`.
    """

    goodput: float
    by: str


def limit(
    service: Service, rates: Mapping[float, float], capacity: float, slots: int, stop: Stop
) -> Limit:
    """Compute the limit.

    Args:
        service: how long work takes.
        rates: requests per second, by budget.
        capacity: seconds of work, at the usual pace, that the workers do in a second.
        slots: how many workers there are.
        stop: what stopping a run costs.
    """
    rates = _few(rates)
    arrivals = sum(rate * service.within(budget) for budget, rate in rates.items())
    bounds = [_best(service, rates, capacity, stop)]
    if isinstance(stop, Kill) and stop.spares:
        # With spares a kill costs the slot nothing, but processes that start serve nobody.
        more = capacity * (slots + stop.spares) / slots
        bounds = [
            _best(service, rates, capacity, Kill(0.0)),
            _best(service, rates, more, Kill(stop.recovery)),
        ]
    goodput = min(bounds)
    return Limit(goodput, "workers" if goodput < arrivals * 0.999 else "arrivals")


def _few(rates: Mapping[float, float]) -> Mapping[float, float]:
    """Put budgets together that differ by some percent, the longest one for all, if there are many."""
    if len(rates) <= _CLASSES:
        return rates
    together: dict[float, float] = {}
    for budget, rate in rates.items():
        longest = 2 ** (math.ceil(16 * math.log2(budget)) / 16) if budget < math.inf else budget
        together[longest] = together.get(longest, 0.0) + rate
    return together


def _best(service: Service, rates: Mapping[float, float], capacity: float, stop: Stop) -> float:
    """Spend the capacity on the steepest pieces of all classes' hulls."""
    pieces = [
        (answers / cost if cost else math.inf, cost * rate, answers * rate)
        for budget, rate in rates.items()
        for cost, answers in _pieces(_hull(_options(service, budget, stop)))
    ]
    goodput = 0.0
    for _, cost, answers in sorted(pieces, reverse=True):
        share = min(1.0, capacity / cost) if cost else 1.0
        goodput += share * answers
        capacity -= share * cost
    return goodput


def _options(service: Service, budget: float, stop: Stop) -> Iterator[Point]:
    """Yield what one request costs and brings, for each age at which its work may be stopped."""
    if stop == "abandon":
        yield service.spent(math.inf), service.within(budget)
        return
    recovery = stop.recovery if isinstance(stop, Kill) else 0.0
    for age in _ages(service, budget):
        ended = service.within(age)
        if ended >= _EVIDENCE:
            yield service.spent(age) + recovery * (1 - ended), ended


def _ages(service: Service, budget: float) -> Iterable[float]:
    """Return ages on a logarithmic scale, and the budget itself."""
    usual = service.healthy if service.healthy < math.inf else 1.0
    longest = min(budget, 1000 * usual)
    least = min(longest, usual) / 1000
    steps = (least * (longest / least) ** (step / _AGES) for step in range(_AGES + 1))
    return (*steps, min(usual, budget), budget)


def _hull(points: Iterable[Point]) -> list[Point]:
    """Return the upper concave hull from the origin, as long as it rises."""
    hull: list[Point] = [(0.0, 0.0)]
    for cost, answers in sorted(points):
        if not (cost < math.inf and answers > hull[-1][1]):
            continue
        while len(hull) > 1 and _turns_up(hull[-2], hull[-1], (cost, answers)):
            hull.pop()
        hull.append((cost, answers))
    return hull


def _turns_up(first: Point, second: Point, third: Point) -> bool:
    """Return whether the second point lies on or under the line from the first to the third."""
    rise, run = third[1] - first[1], third[0] - first[0]
    return (second[1] - first[1]) * run <= rise * (second[0] - first[0])


def _pieces(hull: list[Point]) -> Iterator[Point]:
    for (cost, answers), (more, further) in pairwise(hull):
        yield more - cost, further - answers
