"""What is compared: peers' rules and ours, each a named configuration.

A new configuration is a line in `ROWS`, and in `MIXED_ROWS` if it matters where budgets differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from goodput.cases import Case
from goodput.peers import AtDequeue, CoDel, Sweep
from timeouts import (
    FIFO,
    LIFO,
    Discipline,
    ExecutionTimeout,
    GatewayTimeout,
    Policy,
    PredictedWait,
    Stack,
)
from timeouts.serve.disciplines import DISCIPLINES


@dataclass(frozen=True)
class Row:
    """A configuration.

    Attributes:
        name: what it is called.
        limits: makes its policies; anew for each run, since a peer's may have a memory.
        discipline: the order of its queue.
        admission: whom it lets in.
        notices: whether it notices that a caller has left.
        ours: whether it is made of what this library has.
    """

    name: str
    limits: Callable[[Case], Policy | Stack]
    discipline: Callable[[], Discipline] = FIFO
    admission: PredictedWait | None = None
    notices: bool = True
    ours: bool = True


def _half(case: Case) -> GatewayTimeout:
    return GatewayTimeout(case.budget, reserve=min(case.budgets) / 2)


def _learned(case: Case) -> GatewayTimeout:
    return GatewayTimeout(case.budget, reserve="auto")


def _both_learned(case: Case) -> Stack:
    return _learned(case) | ExecutionTimeout("auto")


def _quantile(share: float) -> Callable[[Case], GatewayTimeout]:
    return lambda case: GatewayTimeout(case.budget, reserve=case.quantile(share))


def _stopped(case: Case) -> Stack:
    """Stop works at three times the healthy q90 as well: what takes longer is stuck, or unlucky."""
    usual = case.quantile(0.9)
    limit = min(3 * usual, 0.9 * case.budget)
    return _quantile(0.99)(case) | ExecutionTimeout(limit)


def _in_each_order(name: str, limits: Callable[[Case], Policy | Stack]) -> tuple[Row, ...]:
    """Return a row for each discipline, except those for which all requests are alike here."""
    return tuple(
        Row(f"reserve {name}, {order}", limits, made)
        for order, made in DISCIPLINES.items()
        if order not in {"priority", "fair-share"}
    )


PLAIN = "a timer at D"

ROWS = (
    Row(
        "expiry at dequeue (LitServe, TF Serving)",
        lambda case: AtDequeue(case.budget),
        notices=False,
        ours=False,
    ),
    Row(
        "swept every D/4",
        lambda case: Sweep(case.budget, case.budget / 4),
        notices=False,
        ours=False,
    ),
    Row(PLAIN, lambda case: GatewayTimeout(case.budget, reserve=0), ours=False),
    Row(
        "a timer at D, LIFO", lambda case: GatewayTimeout(case.budget, reserve=0), LIFO, ours=False
    ),
    Row(
        "CoDel, D/20 and D",
        lambda case: CoDel(case.budget, case.budget / 20, case.budget),
        ours=False,
    ),
    *_in_each_order("learned", _learned),
    Row("reserve learned, predicted wait", _learned, admission=PredictedWait()),
    Row("reserve and execution learned", _both_learned),
    Row("reserve q90", _quantile(0.9)),
    Row("reserve q99", _quantile(0.99)),
    Row("reserve q99, execution 3 q90", _stopped),
    *_in_each_order("D/2", _half),
)

MIXED_ROWS = (
    Row(PLAIN, lambda case: GatewayTimeout(case.budget, reserve=0), ours=False),
    Row(
        "a timer at D, LIFO", lambda case: GatewayTimeout(case.budget, reserve=0), LIFO, ours=False
    ),
    Row(
        "earliest deadline first alone",
        lambda case: GatewayTimeout(case.budget, reserve=0),
        DISCIPLINES["earliest-deadline-first"],
        ours=False,
    ),
    *_in_each_order("learned", _learned),
    *_in_each_order("q90", _quantile(0.9)),
)
