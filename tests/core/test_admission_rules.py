"""What every rule of admission owes, whatever it goes by. A rule joins by a line in `RULES`.

Laws:
- Of any row of jobs that it judges it refuses no more than its share, and two: an estimate that is wrong is found out.
- Whom it refuses has never started, and is counted among the hopeless.
- In the dark it changes nothing: the commands, the timers and the books are those of a core that has none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.core.scripts import Game, Player, facts, games
from timeouts.admission import Admission, CoDel, PredictedWait
from timeouts.commands import Commands, Reply, Start
from timeouts.core import Core
from timeouts.discipline import FIFO, Discipline, EarliestDeadlineFirst, Priority
from timeouts.errors import WaitTooLong
from timeouts.job import DONE, Job
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.stack import Stack


class Case(NamedTuple):
    """A rule, and whom it judges: who arrives, or whose turn has come."""

    rule: Admission
    at_turn: bool = False

    def __repr__(self) -> str:
        return repr(self.rule)

    @property
    def dark(self) -> Admission:
        return dataclasses.replace(self.rule, dark=True)

    def judged(self, arrived: Job | None, commands: Commands) -> Iterator[bool]:
        """Yield, of each who may have been judged in one step, whether he was refused."""
        if not self.at_turn:
            if arrived is not None:
                yield arrived in refused(commands)
            return
        for command in commands:
            if isinstance(command, Start):
                yield from (False for job in command.jobs if job is not arrived)
            elif isinstance(command, Reply) and isinstance(command.outcome.error, WaitTooLong):
                yield True


RULES = [
    Case(PredictedWait()),
    Case(PredictedWait(share=0.5)),
    Case(PredictedWait(share=0.1)),
    Case(CoDel(), at_turn=True),
    Case(CoDel(share=0.5, target=0.1, interval=1.0), at_turn=True),
]
DISCIPLINES: list[Callable[[], Discipline]] = [FIFO, Priority, EarliestDeadlineFirst]
"""Those that can say who is ahead."""
STACKS = [
    Stack(QueueTimeout(4)),
    GatewayTimeout(9, reserve=3) | ExecutionTimeout(4),
    GatewayTimeout(12, reserve="auto") | QueueTimeout(6),
]

any_rule = pytest.mark.parametrize("case", RULES, ids=repr)


class Crowd(NamedTuple):
    """More arrive than a few slots can serve.

    Attributes:
        steps: of each, what happens (an arrival, the end of the oldest work, or nothing), seconds since the one before,
            and the budget of who arrives.
    """

    stack: Stack
    slots: int
    discipline: Callable[[], Discipline]
    steps: list[tuple[str, int, int]]

    def core(self, admission: Any) -> Core:
        return Core(self.stack, slots=self.slots, discipline=self.discipline, admission=admission)


STEPS = tuple(
    product(["arrive"] * 6 + ["finish", "pass"], [0, 0, 0, 1, 1, 2], [1000, 1000, 20, 7, 5, 3, 1])
)  # each drawn as one, which takes a third of the time
CROWDS = st.builds(
    Crowd,
    st.sampled_from(STACKS),
    st.integers(1, 3),
    st.sampled_from(DISCIPLINES),
    st.lists(st.sampled_from(STEPS), min_size=50, max_size=100),
)


def play(core: Core, crowd: Crowd) -> Iterator[tuple[Job | None, Commands]]:
    """Yield what each step commands, and who arrived with it."""
    now, held = 0, list[Job]()
    for number, (what, pause, budget) in enumerate(crowd.steps):
        now += pause
        arrived: Job | None = None
        if what == "arrive":
            arrived = Job(number, deadline=now + budget)
            commands = core.arrive(arrived, now)
        elif what == "finish" and held:
            commands = core.finish(held.pop(0).key, Outcome("y"), now)
        else:
            commands = core.tick(now)
        for command in commands:
            if isinstance(command, Start):
                held += command.jobs
        yield arrived, commands


def refused(commands: Commands) -> list[Job]:
    """Return who is turned away."""
    return [
        command.job
        for command in commands
        if isinstance(command, Reply) and isinstance(command.outcome.error, WaitTooLong)
    ]


@any_rule
@given(CROWDS)
def test_of_any_row_that_is_judged_no_more_than_the_share_is_refused(
    case: Case, crowd: Crowd
) -> None:
    share, worst = case.rule.share, 0.0
    for arrived, commands in play(crowd.core(case.rule), crowd):
        for is_refused in case.judged(arrived, commands):
            # Of all rows that end here: by how much more was refused than the share.
            worst = max(0.0, worst) + is_refused - share
            assert worst <= 2


@any_rule
@given(CROWDS)
def test_who_is_refused_has_never_started_and_is_told_when_to_come_back(
    case: Case, crowd: Crowd
) -> None:
    core, turned_away = crowd.core(case.rule), list[Job]()
    for _, commands in play(core, crowd):
        turned_away += refused(commands)
        assert core.outcomes["wait_too_long"] == len(turned_away) <= core.hopeless
    for job in turned_away:
        assert (job.phase, job.started) == (DONE, math.inf)
        assert job.error is not None
        assert (job.error.started, job.error.work) == (False, "never started")
        assert (getattr(job.error, "retry_after", None) or 0.0) >= 0
    event("some were refused" if turned_away else "nobody was refused")


@any_rule
@given(CROWDS)
def test_in_the_dark_a_crowd_fares_as_without_it(case: Case, crowd: Crowd) -> None:
    plain, dark = crowd.core(None), crowd.core(case.dark)
    for (_, told), (_, told_in_the_dark) in zip(play(plain, crowd), play(dark, crowd), strict=True):
        assert facts(told) == facts(told_in_the_dark)
        assert plain.next_timer() == dark.next_timer()
        assert books(plain) == books(dark)
    assert not plain.hopeless
    event("some were hopeless" if dark.hopeless else "nobody was hopeless")


def books(core: Core) -> tuple[Any, ...]:
    return core.waiting, core.running, core.abandoned, core.free, core.arrived, core.outcomes


@any_rule
@given(games(FIFO, Priority, EarliestDeadlineFirst))
def test_in_the_dark_nothing_is_different_whatever_happens(case: Case, game: Game) -> None:
    """Workers come and go, streams go on, callers leave, and the server is closed."""
    plain, dark = Player(game.setting), Player(game.setting)
    setting = game.setting
    dark.core = Core(
        setting.stack,
        slots=setting.slots,
        capacity=setting.capacity,
        max_abandoned=setting.max_abandoned,
        discipline=setting.discipline,
        admission=case.dark,
    )
    for step in game.script:
        assert facts(plain.feed(step)) == facts(dark.feed(step))
        assert plain.core.next_timer() == dark.core.next_timer()
        assert books(plain.core) == books(dark.core)


@any_rule
def test_the_laws_above_are_about_something(case: Case) -> None:
    """A slot that needs 4 s, and two arrivals a second: in the light some are refused, in the dark they are counted."""
    steps = [("finish" if n % 9 == 8 else "arrive", n % 9 // 2 % 2, 1000) for n in range(800)]
    crowd = Crowd(Stack(QueueTimeout(50)), 1, FIFO, steps)
    light, dark = crowd.core(case.rule), crowd.core(case.dark)
    turned_away = [job for _, commands in play(light, crowd) for job in refused(commands)]
    assert turned_away
    assert light.hopeless > 20
    assert not any(refused(commands) for _, commands in play(dark, crowd))
    assert dark.hopeless > 20
