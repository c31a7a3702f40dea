"""`simulate`: a core, a scenario, and what comes of the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timeouts.admission import Admission
from timeouts.core import Core
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.options import (
    checked_admission,
    checked_count,
    checked_discipline,
    checked_stack,
    whole_number,
)
from timeouts.sim.books import Books
from timeouts.sim.chance import stream
from timeouts.sim.limit import limit
from timeouts.sim.machine import Machine
from timeouts.sim.report import Report, report
from timeouts.sim.scenario import Scenario, mean_pace
from timeouts.sim.trace import Trace
from timeouts.sim.workers import Stop, checked_stop


def simulate(
    asked: Scenario | Trace,
    limits: Any = None,
    *,
    discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
    admission: Admission | None = None,
    slots: int = 1,
    capacity: float = 1000,
    stop: Stop = "cancel",
    seed: int = 0,
) -> Report:
    """Serve a scenario in virtual time, by the very core, policies and disciplines that serve for real.

    Args:
        asked: what arrives: a `Scenario`, or a `Trace`.
        limits: a policy, or policies joined with `|`; None for no limits.
        discipline: the order of leaving the queue: the class.
        admission: who is let in: `PredictedWait()`, `CoDel()`; None for whoever finds a place in the queue.
        slots: how many may run at once.
        capacity: how many may wait; `math.inf` for no bound.
        stop: what stopping a run costs: `"cancel"` nothing; `"kill"` or `Kill(recovery, spares)` its
            worker; `"abandon"` the rest of the work.
        seed: chooses the requests. The same seed gives the same report, to the last bit.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: streams, batches, networks, or a machine whose workers slow one another down. See the
    how-to for what that means.
    """
    if not isinstance(asked, (Scenario, Trace)):
        raise TypeError(f"asked must be a Scenario or a Trace; got {asked!r}")
    workers = whole_number("slots", slots, least=1)
    stopping = checked_stop(stop)
    order = checked_discipline(discipline)
    core = Core(
        checked_stack(limits),
        slots=workers,
        capacity=checked_count("capacity", capacity, least=0),
        discipline=order,
        stops=stopping != "abandon",
        admission=checked_admission(admission, order),
    )
    books = Books(asked.duration, asked.margin, workers)
    Machine(
        core,
        requests=asked.requests(seed),
        slowdown=asked.slowdown,
        stop=stopping,
        random=stream(seed, "retries"),
        books=books,
    ).run()
    counted = asked.duration - 2 * asked.margin
    rates = {budget: count / counted for budget, count in books.budgets.items()}
    capable = workers * mean_pace(asked.slowdown, asked.duration)
    return report(books, limit(asked.service, rates, capable, workers, stopping), counted, workers)
