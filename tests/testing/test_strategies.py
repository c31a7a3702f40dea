"""The strategies give what they say, all of it, and nothing impossible."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase as HypothesisPhase
from hypothesis import find, given, settings
from hypothesis.strategies import SearchStrategy

from timeouts import testing
from timeouts.job import ABANDONED, DONE, NEW, RUNNING, WAITING, Job, Phase
from timeouts.policy import GatewayTimeout, Policy, QueueTimeout
from timeouts.stack import Stack
from timeouts.testing import Input, Script

QUIET = settings(max_examples=2_000, database=None, phases=[HypothesisPhase.generate])


def possible(strategy: SearchStrategy[Any], wanted: Callable[[Any], bool]) -> None:
    """Fail unless the strategy gives such a thing before long."""
    find(strategy, wanted, settings=QUIET)


@given(testing.durations(), testing.durations(2))
def test_durations_are_small_whole_seconds(usual: int, short: int) -> None:
    """From one up to what was asked for."""
    assert usual in range(1, 9)
    assert short in (1, 2)


@pytest.mark.parametrize(
    "kind",
    ["GatewayTimeout", "QueueTimeout", "ExecutionTimeout", "FirstItemTimeout", "IdleTimeout"],
)
def test_policies_are_of_every_kind(kind: str) -> None:
    """None of the built-in ones is left out."""
    possible(testing.policies(), lambda policy: type(policy).__name__ == kind)


@pytest.mark.parametrize("reserve", [0, 3])
def test_a_gateway_timeout_comes_with_and_without_a_reserve(reserve: int) -> None:
    """The reserve is what tells waiting jobs from running ones."""
    possible(
        testing.policies(), lambda it: isinstance(it, GatewayTimeout) and it.reserve == reserve
    )


@given(testing.stacks())
def test_stacks_hold_one_policy_of_a_kind(stack: Stack) -> None:
    """Useless combinations come without the warning, which is an error in these tests."""
    kinds = [type(policy) for policy in stack.policies]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("size", range(6))
def test_stacks_come_in_all_sizes(size: int) -> None:
    """The identity is one of them, and so are all five kinds at once."""
    possible(testing.stacks(), lambda stack: len(stack.policies) == size)


@given(testing.stacks(testing.durations().map(QueueTimeout)))
def test_stacks_can_be_made_of_one_s_own_policies(stack: Stack) -> None:
    """Nothing else is in them then."""
    assert {type(policy) for policy in stack.policies} <= {QueueTimeout}


@given(testing.jobs())
def test_a_job_s_instants_never_go_back(job: Job) -> None:
    """What has not happened is at infinity, and only a stream has items."""
    assert job.arrived <= job.started <= job.idle_since
    assert (job.arrived == math.inf) == (job.phase is NEW)
    assert job.deadline > (0 if job.phase is NEW else job.arrived)
    assert job.started < math.inf or job.items == 0
    assert job.items or job.idle_since == math.inf
    if job.phase in (RUNNING, ABANDONED):
        assert job.started < math.inf
    if job.phase in (NEW, WAITING):
        assert job.started == math.inf


@given(testing.jobs())
def test_a_job_has_an_error_if_it_was_answered_with_one(job: Job) -> None:
    """An abandoned one always was, a living one never."""
    if job.phase is ABANDONED:
        assert job.error is not None
    if job.phase in (NEW, WAITING, RUNNING):
        assert job.error is None


@pytest.mark.parametrize("phase", Phase)
def test_jobs_come_at_every_point_of_life(phase: Phase) -> None:
    """Asked for one phase or for any."""
    possible(testing.jobs(), lambda job: job.phase is phase)
    possible(testing.jobs(phase, NEW), lambda job: job.phase is phase)


@given(testing.jobs(WAITING, RUNNING))
def test_jobs_can_be_asked_for_by_phase(job: Job) -> None:
    """No other comes then."""
    assert job.phase in (WAITING, RUNNING)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda job: job.items and job.idle_since < math.inf,
        lambda job: job.items and job.idle_since == math.inf,
        lambda job: job.phase is DONE and job.error is None,
        lambda job: job.phase is DONE and job.error is not None and job.started < math.inf,
        lambda job: job.phase is WAITING and job.deadline == job.expires < math.inf,
    ],
    ids=["idle stream", "busy stream", "completed", "late end", "tie"],
)
def test_jobs_have_lived_all_kinds_of_lives(wanted: Callable[[Job], bool]) -> None:
    """The corners that rules get wrong are among them."""
    possible(testing.jobs(), wanted)


@given(testing.scripts())
def test_a_script_goes_forward_and_speaks_of_those_who_came(script: Script) -> None:
    """Instants are whole and do not go back; keys number the arrivals."""
    arrived = 0
    for before, step in itertools.pairwise(script):
        assert step.now >= before.now
    for step in script:
        assert step.now == int(step.now)
        if step.input is Input.ARRIVE:
            assert step.key == arrived
            arrived += 1
        assert step.key < arrived


@pytest.mark.parametrize("wanted", Input)
def test_scripts_hold_every_input(wanted: Input) -> None:
    """Two at one instant, too."""
    possible(testing.scripts(), lambda script: any(step.input is wanted for step in script))
    possible(testing.scripts(), lambda script: len({step.now for step in script}) < len(script))


@given(testing.scripts(longest=5, closing=False))
def test_scripts_can_be_short_and_leave_the_door_open(script: Script) -> None:
    """As a test of steady work wants it."""
    assert len(script) <= 5
    assert not {step.input for step in script} & {Input.DRAIN, Input.CLOSE}


def test_policies_are_policies() -> None:
    """A type checker believes it anyway."""
    possible(testing.policies(), lambda policy: isinstance(policy, Policy))
