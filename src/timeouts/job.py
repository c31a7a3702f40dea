"""One request inside the core, and the table of everything that may happen to it.

Law: a job changes its phase only along `TRANSITIONS`; an event that a phase does not know is an
error of the caller, never silently absorbed. Each job is answered once, on the transition whose row
says so.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from timeouts.estimate.advice import COLD, Advice

if TYPE_CHECKING:
    from timeouts.errors import TimeoutsError
    from timeouts.policy.base import Policy
    from timeouts.stack import Stack


class Phase(StrEnum):
    """Where a job is in its life."""

    NEW = "new"
    WAITING = "waiting"
    RUNNING = "running"
    ABANDONED = "abandoned"
    DONE = "done"


class Event(StrEnum):
    """What may happen to a job."""

    ADMIT = "admit"
    REFUSE = "refuse"
    START = "start"
    FINISH = "finish"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    CLOSE = "close"


# Module names, because reading a member off an enum class costs ten times as much (CPython 3.11),
# and the core does it a dozen times a job.
NEW, WAITING, RUNNING, ABANDONED, DONE = Phase
ADMIT, REFUSE, START, FINISH, EXPIRE, WITHDRAW, CLOSE = Event


class Transition(NamedTuple):
    """The phase that an event leads to, and whether the caller is answered on the way."""

    to: Phase
    replies: bool


TRANSITIONS: dict[Phase, dict[Event, Transition]] = {
    NEW: {
        ADMIT: Transition(WAITING, replies=False),
        REFUSE: Transition(DONE, replies=True),
    },
    WAITING: {
        START: Transition(RUNNING, replies=False),
        REFUSE: Transition(DONE, replies=True),
        EXPIRE: Transition(DONE, replies=True),
        WITHDRAW: Transition(DONE, replies=True),
        CLOSE: Transition(DONE, replies=True),
    },
    RUNNING: {
        FINISH: Transition(DONE, replies=True),
        EXPIRE: Transition(ABANDONED, replies=True),
        WITHDRAW: Transition(ABANDONED, replies=True),
        CLOSE: Transition(ABANDONED, replies=True),
    },
    ABANDONED: {
        FINISH: Transition(DONE, replies=False),
    },
    DONE: {},
}


class Job:
    """What policies and disciplines may look at; only the core writes it.

    Instants are seconds on the clock of whoever feeds the core; `math.inf` stands for "not yet"
    and "none", so that arithmetic on it needs no branch.

    Args:
        key: names the job in the core's inputs; unique among the jobs that are not done.
        deadline: the caller's own last instant, made from its budget on arrival.
        priority: for disciplines that rank; lower leaves the queue first.
        tenant: on whose behalf it is, for disciplines that share out.

    Attributes:
        arrived: when the job arrived.
        started: when a worker took it.
        items: how many items of a stream it has produced.
        idle_since: since when somebody waits for its next item, after the first.
        stack: the rules that it is under, from its arrival to its end; its own, or the core's.
        expires: the tightest deadline of its present phase.
        blamed: the policy that set `expires`.
        error: what it was answered with, if that was an error of ours.
        advice: what was learned of its handler when its present phase began.
        abandoned: when it was abandoned.
    """

    __slots__ = (
        "abandoned",
        "advice",
        "arrived",
        "blamed",
        "deadline",
        "error",
        "expires",
        "idle_since",
        "items",
        "key",
        "phase",
        "priority",
        "stack",
        "started",
        "tenant",
    )

    def __init__(
        self,
        key: Hashable,
        *,
        deadline: float = math.inf,
        priority: float = 0.0,
        tenant: Hashable = None,
    ) -> None:
        self.key = key
        self.deadline = deadline
        self.priority = priority
        self.tenant = tenant
        self.arrived = math.inf
        self.started = math.inf
        self.items = 0
        self.idle_since = math.inf
        self.stack: Stack | None = None
        self.expires = math.inf
        self.blamed: Policy | None = None
        self.error: TimeoutsError | None = None
        self.advice: Advice = COLD
        self.abandoned = math.inf
        self.phase = NEW

    def move(self, event: Event) -> bool:
        """Follow the table; return whether the caller is answered. An unknown event is a KeyError."""
        self.phase, replies = TRANSITIONS[self.phase][event]
        return replies

    def __repr__(self) -> str:
        """Show key and phase."""
        return f"<{type(self).__name__} {self.key!r} {self.phase}>"
