"""What is to be tuned: a trace, what its callers want, and what the server can do.

Law: what is found depends on the task alone, to the last byte: not on clocks, cores or the order of work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from timeouts.policy import QueueTimeout
from timeouts.serve.admissions import NOBODY
from timeouts.sim.clients import Client
from timeouts.sim.trace import Trace
from timeouts.sim.workers import Kill, Stop
from timeouts.stack import Stack
from timeouts.tune.blocks import block_size
from timeouts.tune.rule import Rule


@dataclass(frozen=True)
class Task:
    """What is to be tuned.

    Args:
        trace: what arrives. A request that has a budget has told the server of it; others have the deadline,
            and leave then.
        deadline: seconds after which answers are worthless.
        slots: how many may run at once: the numbers to choose from.
        against: limits to compare with; default: a queue timeout that is equal to the deadline.
        discipline: the order that goes with them; default: first in, first out.
        admission: and who is let in.
        stop: what stopping a run costs.
        capacity: how many may wait.
        loads: how many times as fast the requests come.
        seed: for what is drawn: the length of runs that were stopped, and the interval.

    Attributes:
        asked: the trace, with a budget for each request.
        block: how many windows of a report make a stretch.

    Raises:
        ValueError: the trace is too short for a half of it to tell anything.
    """

    trace: Trace
    deadline: float
    slots: tuple[int, ...]
    against: Stack | None = None
    discipline: str = "fifo"
    admission: str = NOBODY
    stop: Stop = "abandon"
    capacity: float = 1000
    loads: tuple[float, ...] = (1.0,)
    seed: int = 0
    asked: Trace = field(init=False, repr=False)
    block: int = field(init=False)

    def __post_init__(self) -> None:
        """Give each caller a budget, and refuse what no half can judge."""
        object.__setattr__(self, "asked", with_budgets(self.trace, self.deadline))
        object.__setattr__(self, "block", block_size(self.asked, self.loads))

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The trace at each load."""
        return tuple(self.asked.faster(load) for load in self.loads)

    def baseline(self, slots: int) -> Rule:
        """Return the rule to compare with."""
        limits = Stack(QueueTimeout(self.deadline)) if self.against is None else self.against
        return Rule(limits, self.discipline, self.admission, slots)

    @property
    def stopping(self) -> str:
        """Say what becomes of a run that is stopped."""
        if isinstance(self.stop, Kill):
            return f"runs are killed, and their workers back after {self.stop.recovery:g} s"
        return {"cancel": "runs are cancelled", "abandon": "runs cannot be stopped"}[self.stop]


def with_budgets(trace: Trace, deadline: float) -> Trace:
    """Give a budget to who has none; who has one has told the server of it."""
    kinds: dict[Client, Client] = {}

    def kind(client: Client) -> Client:
        if client not in kinds:
            known = client.budget < math.inf
            kinds[client] = (
                replace(client, at_deadline="tells") if known else replace(client, budget=deadline)
            )
        return kinds[client]

    recorded = tuple(one._replace(client=kind(one.client)) for one in trace.recorded)
    return replace(trace, recorded=recorded)
