"""Hypothesis strategies for everything that the core deals in.

Laws:
- Durations and instants are small whole seconds, so ties are common and exact.
- A job has lived a possible life: its events follow `TRANSITIONS`, its instants never go back.
- In a script time never goes back, and nobody is spoken of before it arrives.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from timeouts.errors import DeadlineExceeded, QueueFull, ShuttingDown, TimeoutsError, Withdrawn
from timeouts.job import NEW, START, TRANSITIONS, Event, Job, Phase
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack, UselessPolicyWarning
from timeouts.testing.extra import strategies as st
from timeouts.testing.script import IMPERSONAL, Input, Script, Step

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

_LONGEST = 8
# Made once and of one choice each: drawing from `one_of` in every step costs a multiple.
_KEY = st.integers(0, 99)
_INSTANT = st.integers(0, 5)
_PAUSE = st.sampled_from([math.inf, *range(6)])
_BUDGET = st.sampled_from([math.inf, *range(1, _LONGEST + 1)])
_SMALL = st.integers(0, 3)
_TENANT = st.sampled_from([None, "a", "b"])
_ANSWERS: dict[Event, type[TimeoutsError]] = {
    Event.REFUSE: QueueFull,
    Event.EXPIRE: DeadlineExceeded,
    Event.WITHDRAW: Withdrawn,
    Event.CLOSE: ShuttingDown,
}


def durations(longest: int = _LONGEST) -> SearchStrategy[int]:
    """Give durations: whole seconds from 1 to `longest`."""
    return st.integers(1, longest)


def policies() -> SearchStrategy[Policy]:
    """Give policies of every built-in kind, a `GatewayTimeout` with and without a reserve."""
    with_reserve = durations().flatmap(
        lambda timeout: st.builds(
            GatewayTimeout, st.just(timeout), st.integers(0, timeout - 1) | st.just("auto")
        )
    )
    singles = (QueueTimeout, ExecutionTimeout, FirstItemTimeout, IdleTimeout)
    return st.one_of(with_reserve, *(st.builds(single, durations()) for single in singles))


def stacks(rules: SearchStrategy[Policy] | None = None) -> SearchStrategy[Stack]:
    """Give stacks of policies of different kinds in any order, the empty one and useless ones too.

    Args:
        rules: the policies to choose from; default `policies()`.
    """
    return st.lists(policies() if rules is None else rules, max_size=5, unique_by=type).map(_stack)


def _stack(rules: list[Policy]) -> Stack:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UselessPolicyWarning)
        return Stack(*rules)


def jobs(*phases: Phase) -> SearchStrategy[Job]:
    """Give jobs at any point of life.

    Args:
        *phases: only jobs in one of these; default all.
    """
    lives = [life for life in _lives(NEW) if not phases or _end(life) in phases]
    return st.composite(_job)(st.sampled_from(sorted(lives, key=len)))


def _lives(phase: Phase) -> Iterator[tuple[Event, ...]]:
    """Walk over the transition table: every sequence of events that may happen to a job."""
    yield ()
    for event, transition in TRANSITIONS[phase].items():
        for rest in _lives(transition.to):
            yield (event, *rest)


def _end(life: tuple[Event, ...]) -> Phase:
    phase = NEW
    for event in life:
        phase = TRANSITIONS[phase][event].to
    return phase


def _job(draw: DrawFn, lives: SearchStrategy[tuple[Event, ...]]) -> Job:
    life, arrived = draw(lives), draw(_INSTANT)
    job = Job(
        draw(_KEY),
        deadline=arrived + draw(_BUDGET),
        priority=draw(_SMALL),
        tenant=draw(_TENANT),
    )
    for event in life:
        job.arrived = arrived
        if event is START:
            _start(draw, job)
        if job.move(event) and event in _ANSWERS:
            job.error = _ANSWERS[event]()
    if life:
        job.expires = job.arrived + draw(_BUDGET)
    return job


def _start(draw: DrawFn, job: Job) -> None:
    job.started = job.arrived + draw(_INSTANT)
    job.items = draw(_SMALL)
    if job.items:
        job.idle_since = job.started + draw(_PAUSE)


class _Draft(NamedTuple):
    """A step before it is known when it happens and to whom."""

    input: Input
    gap: int
    whom: int
    budget: float
    priority: int
    fails: bool


def scripts(*, longest: int = 30, closing: bool = True) -> SearchStrategy[Script]:
    """Give scripts: inputs for a core at whole seconds, several often at one.

    Args:
        longest: how many steps at most.
        closing: whether `drain` and `close` may be among them.
    """
    often = [Input.ARRIVE, Input.FINISH] * 3
    rare = [Input.TICK, Input.PROGRESS, Input.RESUME, Input.WITHDRAW]
    last = [Input.DRAIN, Input.CLOSE] if closing else []
    draft = st.builds(
        _Draft,
        st.sampled_from(often + rare + last),
        gap=_SMALL,
        whom=st.integers(0, longest),
        budget=_BUDGET,
        priority=_SMALL,
        fails=st.booleans(),
    )
    return st.lists(draft, max_size=longest).map(_script)


def _script(drafts: list[_Draft]) -> Script:
    now, arrived, steps = 0, 0, list[Step]()
    for draft in drafts:
        now += draft.gap
        if draft.input is Input.ARRIVE:
            steps.append(
                Step(
                    Input.ARRIVE, now, arrived, budget=draft.budget, priority=float(draft.priority)
                )
            )
            arrived += 1
        elif draft.input in IMPERSONAL:
            steps.append(Step(draft.input, now))
        elif arrived:
            fails = draft.fails and draft.input is Input.FINISH
            steps.append(Step(draft.input, now, draft.whom % arrived, fails=fails))
    return tuple(steps)
