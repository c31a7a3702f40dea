"""Scripts: sequences of inputs for a core, written as data, and what came of playing one.

Laws:
- A script means the same to every core: an input that does not apply when its turn comes (the work
  of a job that does not run cannot finish) is a mere tick.
- `play` obeys timers as a shell does, unless told not to; by the core's own law that changes no
  outcome.
- A second reply to one job, or a timer that does not move on, fails at once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from timeouts.commands import Command, Commands, Reply, Start
from timeouts.core import Core
from timeouts.errors import TimeoutsError
from timeouts.job import ABANDONED, RUNNING, Job
from timeouts.outcome import Outcome


class Input(StrEnum):
    """The inputs of a core, by the names of its methods."""

    ARRIVE = "arrive"
    FINISH = "finish"
    PROGRESS = "progress"
    RESUME = "resume"
    WITHDRAW = "withdraw"
    TICK = "tick"
    DRAIN = "drain"
    CLOSE = "close"


IMPERSONAL = frozenset({Input.TICK, Input.DRAIN, Input.CLOSE})
"""The inputs that concern no job in particular."""


@dataclass(frozen=True, slots=True)
class Step:
    """One input at one instant.

    Args:
        input: which.
        now: when.
        key: whose; -1 where the input concerns nobody in particular.
        budget: seconds that an arriving caller grants.
        priority: of an arriving job.
        fails: whether work that finishes does so by an exception.
    """

    input: Input
    now: float
    key: int = -1
    budget: float = math.inf
    priority: float = 0.0
    fails: bool = False

    def __repr__(self) -> str:
        """Show the step as a call, without what is as usual."""
        told = [] if self.key < 0 else [str(self.key)]
        told.append(f"now={self.now:g}")
        told += [f"budget={self.budget:g}"] if self.budget < math.inf else []
        told += [f"priority={self.priority:g}"] if self.priority else []
        told += ["fails=True"] if self.fails else []
        return f"{self.input}({', '.join(told)})"


Script = Sequence[Step]


@dataclass(slots=True)
class Played:
    """What came of a script.

    Attributes:
        jobs: every job that arrived, by key.
        commands: every command, with the instant at which it was given.
        outcomes: the name of each answered job's outcome: "completed", "failed", or its error's.
        told: when each answered job was answered.
    """

    jobs: dict[Hashable, Job] = field(default_factory=dict[Hashable, Job])
    commands: list[tuple[float, Command]] = field(default_factory=list[tuple[float, Command]])
    outcomes: dict[Hashable, str] = field(default_factory=dict[Hashable, str])
    told: dict[Hashable, float] = field(default_factory=dict[Hashable, float])

    @property
    def starts(self) -> list[Hashable]:
        """The keys of the jobs that were started, in order."""
        starts = [command for _, command in self.commands if isinstance(command, Start)]
        return [job.key for start in starts for job in start.jobs]

    def note(self, commands: Commands, now: float) -> None:
        """Write down what the core commanded at an instant."""
        for command in commands:
            self.commands.append((now, command))
            if isinstance(command, Reply):
                self._answer(command.job.key, command.outcome, now)

    def _answer(self, key: Hashable, outcome: Outcome, now: float) -> None:
        name = _name(outcome)
        if key in self.outcomes:
            raise AssertionError(
                f"one reply per job: job {key!r} was answered {self.outcomes[key]!r} "
                f"at {self.told[key]:g}, and again {name!r} at {now:g}"
            )
        self.outcomes[key] = name
        self.told[key] = now


def play(core: Core, script: Script, *, timers: bool = True) -> Played:
    """Feed a script to a core and write down what it commands.

    Args:
        core: a fresh core.
        script: its steps, in order of time.
        timers: whether the core is also ticked whenever its own timer is due, as a shell does it.
    """
    played = Played()
    for step in script:
        if timers:
            _ring_timers(core, step.now, played)
        played.note(_apply(core, step, played.jobs), step.now)
    return played


def _ring_timers(core: Core, now: float, played: Played) -> None:
    while (instant := core.next_timer()) <= now:
        played.note(core.tick(instant), instant)
        if core.next_timer() <= instant:
            raise AssertionError(
                f"the timer is honest: after a tick at {instant:g} the next timer must lie later; "
                f"it lies at {core.next_timer():g}"
            )


def _apply(core: Core, step: Step, jobs: dict[Hashable, Job]) -> Commands:
    key, now = step.key, step.now
    if step.input is Input.ARRIVE:
        jobs[key] = job = Job(key, deadline=now + step.budget, priority=step.priority)
        return core.arrive(job, now)
    if step.input is Input.FINISH:
        phase = jobs[key].phase if key in jobs else None
        at_work = phase is RUNNING or phase is ABANDONED
        return core.finish(key, _ending(step), now) if at_work else core.tick(now)
    concerned = () if step.input in IMPERSONAL else (key,)
    commands: Commands = getattr(core, step.input)(*concerned, now)
    return commands


def _ending(step: Step) -> Outcome:
    return Outcome(error=ValueError(step.key)) if step.fails else Outcome(step.key)


def _name(outcome: Outcome) -> str:
    if outcome.error is None:
        return "completed"
    return outcome.error.name if isinstance(outcome.error, TimeoutsError) else "failed"
