"""`check_policy` passes every rule that obeys the laws and names the law that a bad one breaks."""

import math
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from timeouts.errors import TimeoutsError
from timeouts.job import RUNNING, WAITING, Job
from timeouts.policy import (
    BUDGET,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.testing import check_policy


class Rule(Policy):
    """What every rule below has: a number."""

    def __init__(self, timeout: float = 5) -> None:
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.timeout:g})"


# ── the good ─────────────────────────────────────────────────────────────────────────────────────


class VipGateway(Rule):
    """A stranger's good rule: the urgent get half the time, streams as long as they flow."""

    def deadline(self, job: Job) -> float:
        if job.items:
            return math.inf
        return job.arrived + self.timeout / (2 if job.priority == 0 else 1)


class NoOpinion(Rule):
    """As good: infinity everywhere."""

    def deadline(self, job: Job) -> float:
        return math.inf


GOOD: list[Any] = [
    GatewayTimeout,
    QueueTimeout,
    ExecutionTimeout,
    FirstItemTimeout,
    IdleTimeout,
    lambda timeout: GatewayTimeout(timeout + 3, reserve=3),
    GatewayTimeout(5, reserve=2),
    GatewayTimeout(math.inf),
    BUDGET,
    VipGateway,
    NoOpinion,
    VipGateway(3),
]


@pytest.mark.parametrize("policy", GOOD, ids=repr)
def test_lawful_policies_pass(policy: Any) -> None:
    """All that are built in, and a stranger's."""
    check_policy(policy)


# ── the bad, each with the law it breaks ─────────────────────────────────────────────────────────


class ReadsTheClock(Rule):
    def deadline(self, job: Job) -> float:
        return time.monotonic() + self.timeout


class Counts(Rule):
    asked = 0

    def deadline(self, job: Job) -> float:
        self.asked += 1
        return job.arrived + self.timeout + self.asked


class RemembersTheLastOne(Rule):
    """Asked twice in a row it seems pure; asked about another in between it does not."""

    last: Job | None = None

    def deadline(self, job: Job) -> float:
        again, self.last = self.last is job, job
        return job.arrived + (2 if again else 1) if job.items else math.inf


class KnowsItsJobs(Rule):
    """It goes by who the job is, not by what has happened to it."""

    def deadline(self, job: Job) -> float:
        return job.arrived + id(job) % 997


class Rarely(Rule):
    """Different only now and then, so that trying again may not show it."""

    def __init__(self, timeout: float = 5) -> None:
        super().__init__(timeout)
        self.dice = random.Random(3)

    def deadline(self, job: Job) -> float:
        return job.arrived + (self.dice.random() < 0.02)


class Scribbles(Rule):
    def deadline(self, job: Job) -> float:
        job.priority += 1
        return math.inf


class ScribblesInSince(Rule):
    def deadline(self, job: Job) -> float:
        return math.inf

    def since(self, job: Job) -> float:
        job.arrived = min(job.arrived, 0)
        job.items = 9
        return 0


class Nan(Rule):
    """Infinity less infinity, the usual way to nan."""

    def deadline(self, job: Job) -> float:
        return job.started - job.arrived - job.started


class SaysNone(Rule):
    def deadline(self, job: Job) -> float:
        return None  # type: ignore[return-value]


class SaysTrue(Rule):
    def deadline(self, job: Job) -> float:
        return job.phase is WAITING


class SaysNever(Rule):
    def deadline(self, job: Job) -> float:
        return -math.inf


class Raises(Rule):
    def deadline(self, job: Job) -> float:
        return job.arrived + self.timeout / job.items


class SinceRaises(Rule):
    def deadline(self, job: Job) -> float:
        return math.inf

    def since(self, job: Job) -> float:
        raise LookupError


class LongerIsEarlier(Rule):
    def deadline(self, job: Job) -> float:
        return job.arrived + 60 / self.timeout if job.phase is RUNNING else math.inf


class Unhashable(NoOpinion):
    __hash__ = None  # type: ignore[assignment]


class WrongError(NoOpinion):
    error: ClassVar[Any] = ValueError


class MuteError(TimeoutsError):
    """An error that forgets the base class's arguments."""

    def __init__(self) -> None: ...


class TellsNothing(NoOpinion):
    error: ClassVar[type[TimeoutsError]] = MuteError


class EmptyError(TimeoutsError):
    def __str__(self) -> str:
        return ""


class TellsAnEmptyStory(NoOpinion):
    error: ClassVar[type[TimeoutsError]] = EmptyError


class Recomposes(Rule):
    """Its `|` forgets the other one."""

    def deadline(self, job: Job) -> float:
        return job.arrived + 3

    @property
    def policies(self) -> tuple[Policy, ...]:
        return (QueueTimeout(1),)


BAD: list[tuple[Any, str]] = [
    (
        ReadsTheClock,
        r"is pure: .* but ReadsTheClock\(\d+\)\.deadline gave .* and then .* for Job\(",
    ),
    (Counts(), r"is pure: .* Counts\(5\)\.deadline gave \S+ and then \S+ for Job\(0, phase="),
    (RemembersTheLastOne(), r"is pure: .* for Job\(0, phase=running, .*items=1"),
    (KnowsItsJobs(), "is pure: the same job gets the same answer"),
    (Rarely(), "is pure: the same job gets the same answer|composes: "),
    (Scribbles(), r"only reads: Scribbles\(5\)\.deadline changed \{'priority': 1\} of Job\(0, ph"),
    (ScribblesInSince(), r"only reads: ScribblesInSince\(5\)\.since changed \{.*'items': 9"),
    (Nan(), r"answers a number: Nan\(5\)\.deadline gave nan for Job\(0, phase=waiting\)"),
    (SaysNone(), r"answers a number: .* gave None for Job\(.*math\.inf for no opinion"),
    (SaysTrue(), "answers a number: .* gave True for"),
    (SaysNever(), "answers a number: .* gave -inf for"),
    (Raises(), r"answers a number: Raises\(5\)\.deadline raised ZeroDivisionError.* for Job\("),
    (SinceRaises(), r"answers a number: SinceRaises\(5\)\.since raised LookupError"),
    (
        LongerIsEarlier,
        r"is monotone: .* LongerIsEarlier\(2\) ends at 30 and .* at 60, for Job\(0, phase=running\)",
    ),
    (  # a reserve that grows with the timeout holds more back from the caller's own budget
        lambda timeout: GatewayTimeout(timeout, reserve=timeout / 2),
        r"is monotone: .* GatewayTimeout\(2, reserve=1\) ends at 0 and GatewayTimeout\(1, ",
    ),
    (Unhashable(), r"composes: Unhashable\(5\) must be hashable"),
    (WrongError(), r"composes: WrongError\(5\) in a stack: WrongError\.error must be a subclass"),
    (Recomposes(), r"composes: .* is put in a stack, but that holds QueueTimeout"),
    (TellsNothing(), r"tells: TellsNothing\(5\) cannot tell its error: TypeError"),
    (TellsAnEmptyStory(), r"tells: .* which is no error that says anything"),
    (lambda timeout: timeout, r"composes: a policy is a subclass of timeouts\.Policy; 1 made 1"),
]


@pytest.mark.parametrize(("policy", "message"), BAD, ids=lambda value: repr(value)[:60])
def test_a_law_breaker_is_caught_and_told_which_law(policy: Any, message: str) -> None:
    """The message begins with the law and ends with the smallest job that shows it."""
    with pytest.raises(AssertionError, match=message):
        check_policy(policy)


def test_the_same_failure_is_told_every_time() -> None:
    """The examples are the same on every run."""

    def complaint() -> str:
        with pytest.raises(AssertionError) as caught:
            check_policy(LongerIsEarlier)
        return str(caught.value)

    assert complaint() == complaint()


def test_what_is_neither_policy_nor_maker_of_one_is_refused() -> None:
    """That is a mistake in the test, not in a policy."""
    with pytest.raises(TypeError, match="takes a policy or what makes one; got 5"):
        check_policy(5)  # type: ignore[arg-type]


def test_one_s_own_jobs_and_durations_can_be_given() -> None:
    """For a rule that looks at what the usual ones do not have."""

    class OfTenants(Rule):
        def deadline(self, job: Job) -> float:
            return job.arrived + (self.timeout if job.key == "paying" else math.nan)

    def arrived(key: str) -> Job:
        job = Job(key)
        job.arrived = 1
        return job

    tenants: Callable[[Any], Any] = lambda keys: st.sampled_from(keys).map(arrived)  # noqa: E731
    check_policy(OfTenants, lives=tenants(["paying"]), timeouts=st.floats(0.1, 5))
    with pytest.raises(AssertionError, match=r"gave nan for Job\('free'"):
        check_policy(OfTenants, lives=tenants(["paying", "free"]))
