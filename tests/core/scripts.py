"""What the law tests draw: settings of a core, scripts of inputs, and a player that feeds them.

All instants and durations are small whole seconds, so that ties are common and exact.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import NamedTuple, TypeVar

from hypothesis import note
from hypothesis import strategies as st

from timeouts.commands import Cancel, Command, Commands, Learned, Start
from timeouts.core import Core
from timeouts.discipline import (
    FIFO,
    LIFO,
    AdaptiveLIFO,
    Discipline,
    EarliestDeadlineFirst,
    FairShare,
    Priority,
)
from timeouts.errors import StartupFailed
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack, UselessPolicyWarning

AnyDiscipline = type[Discipline]
Fact = tuple[object, ...]
T = TypeVar("T")

SINGLE: tuple[Callable[[float], Policy], ...] = (
    QueueTimeout,
    ExecutionTimeout,
    FirstItemTimeout,
    IdleTimeout,
)
RANKED: tuple[AnyDiscipline, ...] = (FIFO, LIFO, Priority, EarliestDeadlineFirst)
DISCIPLINES: tuple[AnyDiscipline, ...] = (*RANKED, AdaptiveLIFO, FairShare)
CAPACITIES = (math.inf, math.inf, 2, 1, 0, 4)
SLOTS = (1, 2, 1, 3, math.inf, 0)
MAX_ABANDONED = (math.inf, math.inf, 1, 2, 3)
BUDGETS = (None, None, None, None, 9, 7, 5, 4, 3, 2, 1, 0)
SHIFTS = (0, 0, 0, 1, 1, 1, 0, 2, 3, 6, -1, -2)  # a negative one comes slightly out of order
VERBS = (
    *["tick"] * 6,
    *["arrive"] * 28,
    *["finish"] * 18,
    *["progress", "resume"] * 8,
    *["withdraw"] * 6,
    *["enlist"] * 6,
    *["dismiss"] * 4,
    *["withhold"] * 2,
    *["drain", "close"],
)


class Setting(NamedTuple):
    """Everything a core is made of."""

    stack: Stack
    slots: float = math.inf
    capacity: float = math.inf
    max_abandoned: float = math.inf
    discipline: AnyDiscipline = FIFO

    def core(self) -> Core:
        return Core(
            self.stack,
            slots=self.slots,
            capacity=self.capacity,
            max_abandoned=self.max_abandoned,
            discipline=self.discipline,
        )


class Step(NamedTuple):
    """One input; `key` numbers the arrivals from 0."""

    verb: str
    now: float
    key: int = 0
    budget: int | None = None
    priority: int = 0
    failed: bool = False
    vacate: bool = False  # the slot of the work that finishes is gone with its worker
    tenant: int = 0


@contextmanager
def useless_or_not() -> Iterator[None]:
    """Let stacks be made without a word about policies of no use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UselessPolicyWarning)
        yield


def stack_of(*policies: Policy) -> Stack:
    with useless_or_not():
        return Stack(*policies)


class Game(NamedTuple):
    """A core, what happens to it, and some bytes more for what else a test wants to vary."""

    setting: Setting
    script: list[Step]
    extra: bytes


def games(
    *disciplines: AnyDiscipline, capacities: Sequence[float] = CAPACITIES
) -> st.SearchStrategy[Game]:
    """Draw cores that are small, so that queues fill and slots run out, and scripts for them."""

    def game(drawn: bytes) -> Game:
        setting = Setting(
            stack_of(*_policies(drawn)),
            slots=_pick(SLOTS, drawn[7]),
            capacity=_pick(capacities, drawn[8]),
            max_abandoned=_pick(MAX_ABANDONED, drawn[9]),
            discipline=_pick(disciplines or DISCIPLINES, drawn[10]),
        )
        script = _script(drawn[20:])
        note(script)  # a failure shows it in words
        return Game(setting, script, drawn[11:20])

    return st.sampled_from([5, 20, 40]).flatmap(lambda size: _bytes(20 + 5 * size)).map(game)


def policies() -> st.SearchStrategy[list[Policy]]:
    """Draw at most one policy of each kind, in any order."""
    return _bytes(7).map(_policies)


# Drawing a game number by number would take most of the time of a test, so each is made of one
# string of bytes. Zeros are an empty stack and ticks that do nothing: it shrinks towards those.


def _bytes(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def _pick(options: Sequence[T], drawn: int) -> T:
    return options[drawn % len(options)]


def _policies(drawn: bytes) -> list[Policy]:
    found: list[Policy] = [kind(n % 9) for kind, n in zip(SINGLE, drawn, strict=False) if n % 9]
    if timeout := drawn[4] % 10:
        reserve = "auto" if drawn[5] >= 160 else max(0, drawn[5] % 16 - 7) % timeout
        found.append(GatewayTimeout(timeout, reserve))
    ranks = [(drawn[6] * prime) % 11 for prime in (2, 3, 5, 7, 13)]
    return [policy for _, policy in sorted(zip(ranks, found, strict=False), key=itemgetter(0))]


def _script(drawn: bytes) -> list[Step]:
    steps: list[Step] = []
    latest, arrived = 10, 0
    for verb_, shift, pick, budget, rest in zip(*[iter(drawn)] * 5, strict=True):
        verb, now = _pick(VERBS, verb_), latest + _pick(SHIFTS, shift)
        latest = max(latest, now)
        key = arrived if verb == "arrive" else pick % max(arrived, 1)
        arrived += verb == "arrive"
        vacate = rest // 16 % 4 == 1
        tenant = rest // 64 % 3
        steps.append(
            Step(verb, now, key, _pick(BUDGETS, budget), rest % 3, rest % 2 == 1, vacate, tenant)
        )
    return steps


class Player:
    """A core, fed by steps, with a diary of what it commanded."""

    def __init__(self, setting: Setting, *, strict: bool = False) -> None:
        self.setting = setting
        self.core = setting.core()
        self.jobs: dict[int, Job] = {}
        self.slots = setting.slots  # as workers come and go
        self.why: StartupFailed | None = None  # no worker is there
        self.holders: list[int] = []  # started and not yet finished: who really holds a slot
        self.diary: list[Fact] = []
        self.latest = -math.inf
        self._strict = strict

    def feed(self, step: Step) -> Commands:
        """Give one input; a `finish` of a job without a slot goes to the oldest with one."""
        self.latest = max(self.latest, step.now)
        commands = self._input(step)
        for command in commands:
            if isinstance(command, Start):
                self.holders += [int(str(job.key)) for job in command.jobs]
        self.diary += facts(commands)
        return commands

    def play(self, steps: list[Step]) -> "Player":
        for step in steps:
            self.feed(step)
        return self

    def _input(self, step: Step) -> Commands:
        core, key, now = self.core, step.key, step.now
        if step.verb == "arrive":
            deadline = math.inf if step.budget is None else now + step.budget
            job = Job(key, deadline=deadline, priority=step.priority, tenant=step.tenant)
            self.jobs[key] = job
            return core.arrive(job, now)
        if step.verb == "finish":
            return self._finish(step)
        if step.verb == "withhold":
            self.why = StartupFailed(f"no worker at {now}", limit=now)
            return core.withhold(self.why, now)
        self._count_workers(step.verb)
        keys = (key,) if step.verb in ("progress", "resume", "withdraw") else ()
        commands: Commands = getattr(core, step.verb)(*keys, now)
        return commands

    def _count_workers(self, verb: str) -> None:
        if verb == "enlist":
            self.slots += 1
            self.why = None
        elif verb == "dismiss" and len(self.holders) < self.slots:
            self.slots -= 1

    def _finish(self, step: Step) -> Commands:
        key = step.key
        if key not in self.holders:
            if self._strict or not self.holders:
                return self.core.tick(step.now)
            key = self.holders[0]
        self.holders.remove(key)
        self.slots -= step.vacate
        outcome = outcome_of(key, failed=step.failed)
        return self.core.finish(key, outcome, step.now, vacate=step.vacate)

    def end(self) -> "Player":
        """Close, then let all work come to its end."""
        now = int(max(self.latest, 0))
        self.feed(Step("close", now))
        while self.holders:
            self.feed(Step("finish", now, self.holders[0]))
        return self

    def live(self) -> Iterator[Job]:
        """Return the jobs that nobody has answered."""
        answered = {fact[1] for fact in self.diary if fact[0] == "reply"}
        return (job for key, job in self.jobs.items() if key not in answered)


def outcome_of(key: int, *, failed: bool) -> Outcome:
    return Outcome(error=RuntimeError(key)) if failed else Outcome(value=key)


def facts(commands: Commands) -> list[Fact]:
    """Say commands as plain tuples, without how late they were told."""
    return [_fact(command) for command in commands]


def _fact(command: Command) -> Fact:
    assert not isinstance(command, Learned)  # scripts are too short to learn anything
    if isinstance(command, (Start, Cancel)):
        return (type(command).__name__.lower(), *(job.key for job in command.jobs))
    told = type(command).__name__.lower(), command.job.key
    outcome = command.outcome
    if outcome.error is None or isinstance(outcome.error, RuntimeError):
        return (*told, outcome.value, repr(outcome.error))
    error = command.job.error
    assert error is outcome.error
    return (*told, error.name, repr(error.policy), error.limit, error.started)


def replies(diary: list[Fact]) -> dict[object, Fact]:
    """Return what each job was told, by key."""
    return {fact[1]: fact[2:] for fact in diary if fact[0] == "reply"}
