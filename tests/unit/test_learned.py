"""What was learned, in words: the number is the one that jobs are under, and the reason is the one there is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import ExecutionTimeout, GatewayTimeout, Job, Policy, QueueTimeout, Server, Stack
from timeouts.deadline import spoken
from timeouts.estimate import COLD, Advice, Learner
from timeouts.estimate.advice import ENOUGH
from timeouts.job import RUNNING, WAITING
from timeouts.testing import ManualClock

AUTO = GatewayTimeout(30, reserve="auto")
STUCK = Advice((1.0,), (1.5,), (0.5,), count=2400, execution=4.0, recovery=1.2)


def lesson(policy: Policy, advice: Advice, executions: int | None = None) -> str:
    ((about, told),) = Stack(policy).explain(advice, executions).learned
    assert about is policy
    return told


@given(
    st.lists(st.tuples(st.floats(0.01, 40.0), st.booleans()), max_size=5),
    st.integers(0, 2 * ENOUGH),
    st.floats(0.5, 100.0),
    st.floats(0.0, 5.0),
    st.floats(5.0, 50.0),
)
def test_the_numbers_are_those_of_a_job_that_comes_now(
    kinds: list[tuple[float, bool]], count: int, timeout: float, at_least: float, at_most: float
) -> None:
    learner = Learner()
    for number in range(count if kinds else 0):
        seconds, stopped = kinds[number % len(kinds)]
        learner.add(seconds, 0.0, stopped=stopped)
    advice = learner.advice
    job = Job("comes now")
    job.advice, job.arrived, job.phase = advice, 0.0, WAITING
    gateway = GatewayTimeout(timeout, reserve="auto")
    assert f"expires after {spoken(gateway.deadline(job))} of " in lesson(gateway, advice)
    job.started, job.phase = 0.0, RUNNING
    execution = ExecutionTimeout("auto", at_least=at_least, at_most=at_most)
    assert lesson(execution, advice).startswith(
        f"work may take {spoken(execution.deadline(job))} s"
    )


@pytest.mark.parametrize(
    ("advice", "executions", "told"),
    [
        (
            STUCK, None,
            "a job that waits expires after 28.5 of 30 s: 1.5 s are kept for the work, learned from 2,400 executions",
        ),
        (
            replace(COLD, longest=20.0), 57,
            ("a job that waits expires after 15 of 30 s: half is kept for the work, "
            "until there have been 200 executions (57 so far)"),
        ),
        (
            replace(COLD, longest=2.0), None,
            ("a job that waits expires after 26 of 30 s: 4 s are kept for the work, twice the longest execution, "
            "until there have been 200 executions"),
        ),
        (
            COLD, 0,
            ("a job that waits expires after 30 of 30 s: nothing is kept for the work before the "
             "first execution, then twice the longest and at most half, "
            "until there have been 200 executions (0 so far)"),
        ),
        (
            replace(COLD, longest=20.0), 1400,
            ("a job that waits expires after 15 of 30 s: half is kept for the work, "
            "until some end by themselves (1,400 executions so far, nearly all stopped or failed)"),
        ),
        (
            Advice((1.0,), (25.0,), (0.0,), count=400), None,
            ("a job that waits expires after 10.5 of 30 s: "
            "the work may need more than 19.5 s, and no more than 65 % is kept, learned from 400 executions"),
        ),
        (
            Advice((30.0,), (10.0,), (0.0,), count=400), None,
            "a job that waits expires after 20 of 30 s: 10 s are kept for the work, learned from 400 executions",
        ),
        (
            Advice((70.0,), (60.0,), (0.0,), count=400), None,
            ("a job that waits expires after 15 of 30 s: "
            "half is kept, since no execution has been that short, learned from 400 executions"),
        ),
    ],
)  # fmt: skip
def test_a_reserve_is_told_with_its_reason(
    advice: Advice, executions: int | None, told: str
) -> None:
    assert lesson(AUTO, advice, executions) == told


def test_a_reserve_without_a_timeout_is_told_for_some_budget() -> None:
    assert lesson(GatewayTimeout(None, reserve="auto"), STUCK) == (
        "a job that waits expires after 28.5 of a budget of 30 s: 1.5 s are kept for the work, "
        "learned from 2,400 executions"
    )


@pytest.mark.parametrize(
    ("policy", "advice", "told"),
    [
        (
            ExecutionTimeout("auto"), STUCK,
            "work may take 4 s: to wait longer costs more than a stop, which takes 1.2 s, learned from 2,400 executions",
        ),
        (
            ExecutionTimeout("auto"), replace(STUCK, recovery=0.0),
            ("work may take 4 s: to wait longer costs more than a stop, which takes no time, "
            "learned from 2,400 executions"),
        ),
        (
            ExecutionTimeout("auto", at_least=5), replace(STUCK, raised=True),
            ("work may take 5 s by at_least instead of 4 s: "
            "raised, since nearly all in a row were stopped or took far longer than before, "
            "learned from 2,400 executions"),
        ),
        (
            ExecutionTimeout("auto", at_most=3), STUCK,
            ("work may take 3 s by at_most instead of 4 s: "
            "to wait longer costs more than a stop, which takes 1.2 s, learned from 2,400 executions"),
        ),
        (
            ExecutionTimeout("auto"), replace(STUCK, execution=math.inf),
            "work may take any time: the longest has ended by itself, learned from 2,400 executions",
        ),
        (
            ExecutionTimeout("auto", at_most=60), COLD,
            "work may take 60 s by at_most: until there have been 200 executions (57 so far)",
        ),
        (
            ExecutionTimeout("auto"), replace(COLD, execution=4.0),
            "work may take 4 s: as before executions changed, until there have been 200 executions (57 so far)",
        ),
        (
            ExecutionTimeout("auto"), replace(COLD, recovery=math.inf),
            "work may take any time: it cannot be stopped, so there is nothing to learn",
        ),
        (
            ExecutionTimeout("auto", at_most=60), replace(STUCK, recovery=math.inf, execution=math.inf),
            "work may take 60 s by at_most: it cannot be stopped, so there is nothing to learn",
        ),
    ],
)  # fmt: skip
def test_a_limit_is_told_with_its_reason(policy: Policy, advice: Advice, told: str) -> None:
    assert lesson(policy, advice, 57) == told


def test_only_policies_that_learn_have_something_to_tell() -> None:
    fixed = GatewayTimeout(30, reserve=0) | QueueTimeout(5) | ExecutionTimeout(10)
    assert fixed.explain(STUCK).learned == ()
    both = AUTO | QueueTimeout(5) | ExecutionTimeout("auto")
    assert [policy for policy, _ in both.explain(STUCK).learned] == [AUTO, ExecutionTimeout("auto")]


def test_it_is_printed_after_the_table_and_only_where_advice_is_given() -> None:
    limits = AUTO | ExecutionTimeout("auto")
    lines = str(limits.explain()).splitlines()
    more = str(limits.explain(STUCK)).splitlines()
    assert [line for line in more if line not in lines] == [
        f"learned: {policy!r}: {told}" for policy, told in limits.explain(STUCK).learned
    ]
    assert more[2].startswith(f"learned: {AUTO!r}: a job that waits")


def test_a_server_has_learned_what_it_can_explain() -> None:
    """Work that a thread does cannot be stopped, and that is known before it has begun."""
    clock = ManualClock()
    limits = AUTO | ExecutionTimeout("auto", at_most=60)
    with Server(lambda: clock.advance(2), limits, slots=1, clock=clock) as server:
        told = dict(server.explain().learned)
        assert told[limits.policies[1]].endswith("so there is nothing to learn")
        for _ in range(ENOUGH):
            server.call()
        told = dict(server.explain().learned)
        keeps = spoken(server.advice.reserve(30))
        assert told[AUTO].endswith(
            f"{keeps} s are kept for the work, learned from {ENOUGH} executions"
        )
