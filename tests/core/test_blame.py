"""Who is blamed: the tables of ties, and what the error says."""

import itertools
import math

import pytest

from tests.core.scripts import stack_of
from timeouts.commands import Cancel, Reply
from timeouts.core import Core
from timeouts.errors import (
    ExecutionTimeoutError,
    FirstItemTimeoutError,
    GatewayTimeoutError,
    IdleTimeoutError,
    PolicyFailed,
    QueueTimeoutError,
    TimeoutsError,
)
from timeouts.job import RUNNING, WAITING, Job, Phase
from timeouts.policy import (
    BUDGET,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack


def waiting() -> Job:
    job = Job("a")
    job.arrived, job.phase = 0, WAITING
    return job


def running() -> Job:
    """Return a job that arrived at 0, started at 2 and has been asked for its next item at 6."""
    job = Job("a")
    job.arrived, job.started, job.idle_since, job.phase = 0, 2, 6, RUNNING
    return job


# Policies that all say "10", for a job that waits and for one that runs.
IN_THE_QUEUE = (
    GatewayTimeout(10),  # nothing is learned yet
    GatewayTimeout(13, reserve=3),
    QueueTimeout(10),
    FirstItemTimeout(10),
)
AT_WORK = (GatewayTimeout(10), ExecutionTimeout(8), FirstItemTimeout(10), IdleTimeout(4))


def pairs(policies: tuple[Policy, ...]) -> list[tuple[Policy, Policy]]:
    return [(a, b) for a, b in itertools.permutations(policies, 2) if type(a) is not type(b)]


@pytest.mark.parametrize(("outer", "inner"), pairs(IN_THE_QUEUE), ids=repr)
def test_on_a_tie_in_the_queue_the_innermost_is_blamed(outer: Policy, inner: Policy) -> None:
    """Every pair, in both orders."""
    assert stack_of(outer, inner).limit(waiting()) == (10, inner)


@pytest.mark.parametrize(("outer", "inner"), pairs(AT_WORK), ids=repr)
def test_on_a_tie_at_work_the_innermost_is_blamed(outer: Policy, inner: Policy) -> None:
    """Every pair, in both orders."""
    assert stack_of(outer, inner).limit(running()) == (10, inner)


@pytest.mark.parametrize("policy", [*IN_THE_QUEUE, ExecutionTimeout(8), IdleTimeout(4)], ids=repr)
def test_the_budget_is_the_outermost_rule(policy: Policy) -> None:
    """On a tie with the caller's budget the policy is blamed; a shorter budget is blamed itself."""
    job = waiting() if policy in IN_THE_QUEUE else running()
    reserve = 3 if policy == GatewayTimeout(13, reserve=3) else 0
    job.deadline = 10 + reserve
    assert Stack(policy).limit(job) == (10, policy)
    job.deadline = 9
    assert Stack(policy).limit(job) == ((9 - reserve, policy) if reserve else (9, BUDGET))


def test_a_stack_without_policies_blames_the_budget() -> None:
    """There is always somebody to name, also when nothing will ever expire."""
    assert Stack().limit(waiting()) == (math.inf, BUDGET)


def test_with_three_on_a_tie_the_innermost_is_blamed() -> None:
    """Not the second, not the first."""
    stack = stack_of(GatewayTimeout(10), FirstItemTimeout(10), QueueTimeout(10))
    assert stack.limit(waiting()) == (10, QueueTimeout(10))


def test_the_earliest_wins_wherever_it_stands() -> None:
    """Order decides ties only."""
    early, late = QueueTimeout(3), GatewayTimeout(10)
    assert (early | late).limit(waiting()) == (late | early).limit(waiting()) == (3, early)


@pytest.mark.parametrize(
    ("policy", "waits", "runs", "has_given_an_item"),
    [
        (QueueTimeout(4), 4, math.inf, math.inf),
        (ExecutionTimeout(4), math.inf, 6, 6),
        (GatewayTimeout(4), 4, 4, 4),
        (GatewayTimeout(4, reserve=1), 3, 4, 4),
        (FirstItemTimeout(4), 4, 4, math.inf),
        (IdleTimeout(4), math.inf, 10, 10),
    ],
    ids=repr,
)
def test_which_phases_a_policy_has_an_opinion_in(
    policy: Policy, waits: float, runs: float, has_given_an_item: float
) -> None:
    """One row per policy: its deadline while waiting, running, and after the first item."""
    job = running()
    assert policy.deadline(waiting()) == waits
    assert policy.deadline(job) == runs
    job.items = 1
    assert policy.deadline(job) == has_given_an_item


def expired(
    stack: Stack, at: float, *, slots: int = 1, deadline: float = math.inf
) -> TimeoutsError:
    """Return the error of a job that arrived at 0, and was told at `at`."""
    core, job = Core(stack, slots=slots), Job("a", deadline=deadline)
    core.arrive(job, 0)
    core.tick(at)
    assert job.error is not None
    return job.error


@pytest.mark.parametrize(
    ("policy", "slots", "error", "message"),
    [
        (
            QueueTimeout(5),
            0,
            QueueTimeoutError,
            "waited 5.2 s in the queue; QueueTimeout allows 5 s",
        ),
        (
            ExecutionTimeout(1),
            1,
            ExecutionTimeoutError,
            "ran for 5.2 s; ExecutionTimeout allows 1 s",
        ),
        (
            GatewayTimeout(0.25),
            0,
            GatewayTimeoutError,
            "was not answered after 5.2 s; GatewayTimeout allows 0.25 s",
        ),
        (
            GatewayTimeout(5, reserve=2.5),
            0,
            GatewayTimeoutError,
            "was not answered after 5.2 s; GatewayTimeout allows 5 s and keeps 2.5 s of it for the work",
        ),
        (
            FirstItemTimeout(2),
            1,
            FirstItemTimeoutError,
            "gave no first item in 5.2 s; FirstItemTimeout allows 2 s",
        ),
    ],
    ids=repr,
)
def test_an_error_says_fact_rule_and_number(
    policy: Policy, slots: int, error: type[TimeoutsError], message: str
) -> None:
    """The sentence, and the same again as fields."""
    told = expired(Stack(policy), 5.2, slots=slots)
    assert type(told) is error is policy.error
    assert str(told) == message
    assert (told.policy, told.elapsed, told.started) == (policy, 5.2, bool(slots))
    reserve = getattr(policy, "reserve", 0)
    assert told.limit == getattr(policy, "timeout", 0) - (0 if reserve == "auto" else reserve)
    assert told.work == ("still running" if slots else "never started")


class Bad(Policy):
    """A policy with a bug, or two: it raises, or gives no number."""

    def __init__(self, phase: Phase, gives: float | Exception) -> None:
        self.phase, self.gives = phase, gives

    def __repr__(self) -> str:
        return "Bad()"

    def deadline(self, job: Job) -> float:
        if job.phase is not self.phase:
            return math.inf
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


BUG = KeyError("bug")


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (BUG, "KeyError: 'bug'"),
        (math.nan, "nan"),
    ],
    ids=["raises", "nan"],
)
@pytest.mark.parametrize("phase", [WAITING, RUNNING])
def test_a_policy_that_fails_costs_only_the_job_it_failed_on(
    gives: float | Exception, words: str, phase: Phase
) -> None:
    """The job ends unstarted, the error names policy and bug, and the slot is free."""
    core, job = (
        Core(Stack(GatewayTimeout(9), Bad(phase, gives), QueueTimeout(5)), slots=1),
        Job("a"),
    )
    (reply,) = core.arrive(job, 3)
    assert isinstance(reply, Reply)
    error = reply.outcome.error
    assert isinstance(error, PolicyFailed)
    assert str(error).startswith("Bad() failed on <Job 'a' waiting>: ")
    assert str(error).endswith(words)
    assert (error.started, error.work, error.elapsed) == (False, "never started", 0)
    assert isinstance(error.policy, Bad)
    assert type(error.__cause__) is type(gives) or isinstance(error.__cause__, ValueError)
    assert (core.free, core.waiting, core.next_timer()) == (1, 0, math.inf)


class BadAtTheSecondItem(Policy):
    def deadline(self, job: Job) -> float:
        return 1 / (2 - job.items) + 90


def test_a_policy_that_fails_on_a_running_job_has_it_cancelled() -> None:
    """It had started, and says so."""
    core, job = Core(Stack(BadAtTheSecondItem()), slots=1), Job("a")
    core.arrive(job, 0)
    assert core.progress("a", 1) == []
    _, cancel = core.progress("a", 4)
    assert (cancel, core.abandoned) == (Cancel((job,)), 1)
    assert isinstance(job.error, PolicyFailed)
    assert (job.error.started, job.error.work, job.error.elapsed) == (True, "still running", 4)
    assert isinstance(job.error.__cause__, ZeroDivisionError)


def test_an_idle_stream_is_told_by_its_gap() -> None:
    """Elapsed counts from when the item was asked for, not from the start."""
    core, job = Core(Stack(IdleTimeout(2))), Job("a")
    core.arrive(job, 0)
    core.progress("a", 10)
    core.resume("a", 20)
    assert core.next_timer() == 22
    core.tick(23)
    assert isinstance(job.error, IdleTimeoutError)
    assert str(job.error) == "gave no further item in 3 s; IdleTimeout allows 2 s"


def test_a_budget_is_told_as_the_callers() -> None:
    """It has its own words, and the gateway's error."""
    told = expired(Stack(GatewayTimeout(5)), 3, deadline=2)
    assert isinstance(told, GatewayTimeoutError)
    assert (told.policy, told.limit, told.elapsed) == (BUDGET, 2, 3)
    assert str(told) == "was not answered after 3 s; the caller's budget allows 2 s"


def test_a_limit_is_free_of_rounding_noise() -> None:
    """The deadline is a sum of floats; the number in the error is the one that was written."""
    core, job = Core(Stack(QueueTimeout(0.1)), slots=0), Job("a")
    core.arrive(job, 5_000_000.3)
    core.tick(5_000_001)
    assert job.error is not None
    assert job.error.limit == 0.1


def test_a_broken_policy_has_always_passed() -> None:
    """The rule that is blamed in its place says the same instant as the stack."""
    job = waiting()
    instant, broken = Stack(Bad(WAITING, BUG)).limit(job)
    assert instant == broken.deadline(job) == -math.inf


def test_a_reserve_held_back_from_a_budget_says_whose_number_it_was() -> None:
    """The message names the caller's budget, not a limit that nobody wrote."""
    core = Core(Stack(GatewayTimeout(30, reserve=6)), slots=1)
    core.arrive(Job("running"), 0)
    core.arrive(Job("short", deadline=10), 0)
    (reply,) = core.tick(4)
    assert isinstance(reply, Reply)
    assert str(reply.outcome.error) == (
        "was not answered after 4 s; "
        "the caller's budget allows 10 s and GatewayTimeout keeps 6 s of it for the work"
    )
