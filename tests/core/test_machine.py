"""The core and a naive model of it side by side: whatever happens, they say and count the same."""

import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.oracle import Entry, Naive, Said
from tests.core.scripts import SHIFTS, Game, games, outcome_of
from timeouts.commands import Cancel, Commands, Late, Reply, Start
from timeouts.core import Core
from timeouts.errors import QueueFull, StartupFailed, TimeoutsError
from timeouts.job import Job

shifts = st.sampled_from(SHIFTS)
picks = st.integers(0, 30)


class Beside(RuleBasedStateMachine):
    """Feed both the same inputs and compare after each."""

    core: Core
    model: Naive
    latest: float

    @initialize(game=games())
    def begin(self, game: Game) -> None:
        setting = game.setting
        self.core, self.model = setting.core(), Naive(setting)
        self.jobs: list[Job] = []
        self.latest = 10
        self.unreached = [
            type(policy).__name__
            for policy, _ in setting.stack.explain().unreached
            if not getattr(policy, "reserve", 0)  # which a budget may bring into play
        ]

    def instant(self, shift: float) -> float:
        now = self.latest + shift
        self.latest = max(self.latest, now)
        return now

    @rule(
        shift=shifts,
        budget=st.none() | st.integers(0, 9),
        priority=st.integers(0, 2),
        tenant=st.integers(0, 2),
    )
    def arrive(self, shift: int, budget: int | None, priority: int, tenant: int) -> None:
        now, key = self.instant(shift), len(self.jobs)
        deadline = math.inf if budget is None else now + budget
        self.jobs.append(Job(key, deadline=deadline, priority=priority, tenant=tenant))
        commands = self.core.arrive(self.jobs[key], now)
        full = (
            c.job.key
            for c in commands
            if isinstance(c, Reply) and isinstance(c.outcome.error, QueueFull)
        )
        displaced = next((int(str(key)) for key in full), None)
        self.compare(
            commands, self.model.arrive(Entry(key, now, deadline, priority, tenant), displaced)
        )

    @precondition(lambda self: self.model.at("worker", "left behind"))
    @rule(shift=shifts, pick=picks, failed=st.booleans(), vacate=st.booleans())
    def finish(self, shift: int, pick: int, failed: bool, vacate: bool) -> None:
        now, holders = self.instant(shift), self.model.at("worker", "left behind")
        key = holders[pick % len(holders)].key
        said = self.model.finish(key, now, failed=failed, vacate=vacate)
        outcome = outcome_of(key, failed=failed)
        self.compare(self.core.finish(key, outcome, now, vacate=vacate), said)

    @precondition(lambda self: self.jobs)
    @rule(shift=shifts, pick=picks, verb=st.sampled_from(["progress", "resume", "withdraw"]))
    def touch(self, shift: int, pick: int, verb: str) -> None:
        now, key = self.instant(shift), pick % len(self.jobs)
        self.compare(getattr(self.core, verb)(key, now), getattr(self.model, verb)(key, now))

    @precondition(lambda self: self.model.next_timer() < math.inf)
    @rule()
    def tick_at_the_timer(self) -> None:
        now = self.instant(max(0, self.model.next_timer() - self.latest))
        self.compare(self.core.tick(now), self.model.tick(now))

    @rule(
        shift=shifts, verb=st.sampled_from(["tick", "dismiss", "enlist"] * 4 + ["drain", "close"])
    )
    def change(self, shift: int, verb: str) -> None:
        now = self.instant(shift)
        self.compare(getattr(self.core, verb)(now), getattr(self.model, verb)(now))

    @precondition(lambda self: self.model.at("queue"))
    @rule(shift=shifts)
    def withhold(self, shift: int) -> None:
        now, why = self.instant(shift), StartupFailed("no worker")
        self.compare(self.core.withhold(why, now), self.model.withhold(why.name, now))

    def compare(self, commands: Commands, said: Said) -> None:
        starts = [j.key for c in commands if isinstance(c, Start) for j in c.jobs]
        cancels = [j.key for c in commands if isinstance(c, Cancel) for j in c.jobs]
        lates = [c.job.key for c in commands if isinstance(c, Late)]
        told = [_told(c) for c in commands if isinstance(c, Reply)]
        assert starts == said.starts
        assert sorted(cancels, key=str) == sorted(said.cancels, key=str)
        assert lates == said.lates
        assert not any(name in reply for name in self.unreached for reply in said.replies)
        assert sorted(told, key=str) == sorted(said.replies, key=str)

    @invariant()
    def count_alike(self) -> None:
        core, model = self.core, self.model
        assert core.waiting == len(model.at("queue"))
        assert core.running == len(model.at("worker"))
        assert core.abandoned == len(model.at("left behind"))
        assert core.slots == model.workers
        assert core.free == model.workers - len(model.at("worker", "left behind")) >= 0
        assert core.idle == (not model.at("queue", "worker"))

    @invariant()
    def wake_alike(self) -> None:
        assert self.core.next_timer() == self.model.next_timer() > self.model.now

    @invariant()
    def balance(self) -> None:
        core, model = self.core, self.model
        assert core.arrived == len(self.jobs)
        assert core.arrived == core.outcomes.total() + core.waiting + core.running
        assert sorted(core.outcomes.elements()) == sorted(model.told)


def _told(reply: Reply) -> tuple[Any, ...]:
    error = reply.outcome.error
    if not isinstance(error, TimeoutsError):
        assert (reply.outcome.value if error is None else error.args[0]) == reply.job.key
        return (reply.job.key, "completed" if error is None else "failed")
    if error.policy is None:
        return (reply.job.key, error.name, None, None, error.started)
    return (reply.job.key, error.name, type(error.policy).__name__, error.limit, error.started)


TestBeside = Beside.TestCase
TestBeside.settings = settings(
    stateful_step_count=30, max_examples=settings().max_examples * 3 // 2
)  # 300 in CI
