"""`check_discipline` passes every order that obeys the laws and names the law that a bad one breaks."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from timeouts.discipline import (
    FIFO,
    LIFO,
    AdaptiveLIFO,
    EarliestDeadlineFirst,
    FairShare,
    Priority,
)
from timeouts.job import Job
from timeouts.testing import check_discipline


class Listed:
    """A stranger's plain and lawful queue; the bad ones below are this one, each with one fault."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def push(self, job: Job) -> None:
        self.jobs.append(job)

    def pop(self) -> Job:
        return self.jobs.pop(0)

    def remove(self, job: Job) -> None:
        self.jobs.remove(job)

    def __len__(self) -> int:
        return len(self.jobs)


def by_priority(job: Job) -> float:
    return job.priority


class ByPriority(Listed):
    def pop(self) -> Job:
        first = min(self.jobs, key=by_priority)
        self.jobs.remove(first)
        return first


class Telling(Listed):
    """It answers what a core may ask; the bad ones below are this one, each with one fault."""

    def ahead(self, job: Job) -> Any:
        return len(self.jobs)

    def loser(self, newcomer: Job) -> Any:
        return self.jobs[-1] if self.jobs else None


class Hopeful(Telling):
    """Of half of them it expects that they leave before their turn."""

    def ahead(self, job: Job) -> int:
        return len(self.jobs) // 2


def in_order_of_arrival(job: Job) -> int:
    return 0


# ── the good ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("factory", "rank"),
    [
        (FIFO, in_order_of_arrival),
        (LIFO, None),
        (Priority, by_priority),
        (EarliestDeadlineFirst, lambda job: job.expires),
        (AdaptiveLIFO, None),
        (FairShare, None),
        (Telling, in_order_of_arrival),
        (Hopeful, None),
        (Listed, in_order_of_arrival),
        (Listed, None),
        (ByPriority, by_priority),
    ],
)
def test_lawful_disciplines_pass(factory: Any, rank: Callable[[Job], Any] | None) -> None:
    """All that are built in, and a stranger's."""
    check_discipline(factory, rank=rank)


# ── the bad, each with the law it breaks ─────────────────────────────────────────────────────────


class Shared(Listed):
    """The mutable class attribute."""

    everybody: list[Job] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.jobs = self.everybody


class BornFull(Listed):
    def __init__(self) -> None:
        super().__init__()
        self.jobs.append(Job("stowaway"))


class ForgetsRemovals(Listed):
    """It counts the removed off, and serves them all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.removed = 0

    def remove(self, job: Job) -> None:
        self.removed += 1

    def __len__(self) -> int:
        return len(self.jobs) - self.removed


class RemovesNothing(Listed):
    def remove(self, job: Job) -> None:
        pass


class RemovesAnother(Listed):
    def remove(self, job: Job) -> None:
        self.jobs.pop()


class PopsWithoutRemoving(Listed):
    def pop(self) -> Job:
        return self.jobs[0]


class DropsWhenFull(Listed):
    def push(self, job: Job) -> None:
        self.jobs = [*self.jobs, job][:3]


class TakesBackNobody(Listed):
    """What has been there once is not taken in again."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[Job] = set()

    def push(self, job: Job) -> None:
        if job not in self.seen:
            super().push(job)
        self.seen.add(job)


class Miscounts(Listed):
    def __len__(self) -> int:
        return max(len(self.jobs), 1)


class NeverFalsy(Listed):
    def __bool__(self) -> bool:
        return True


class PopsNone(Listed):
    def pop(self) -> Job:
        self.jobs.pop(0)
        return None  # type: ignore[return-value]


class PopsCopies(Listed):
    def pop(self) -> Job:
        return Job(self.jobs.pop(0).key)


class Stamps(Listed):
    def push(self, job: Job) -> None:
        job.priority = -1
        super().push(job)


class Stumbles(Listed):
    """deque.remove compares with ==, and a removal from the middle of nothing raises."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = deque(maxlen=2)  # type: ignore[assignment]

    def pop(self) -> Job:
        return self.jobs.popleft()  # type: ignore[attr-defined, no-any-return]


class TiesReversed(Listed):
    """The smallest rank first, but of equal ones the last that came."""

    def pop(self) -> Job:
        first = min(reversed(self.jobs), key=by_priority)
        self.jobs.remove(first)
        return first


class LargestFirst(Listed):
    def pop(self) -> Job:
        last = max(self.jobs, key=by_priority)
        self.jobs.remove(last)
        return last


class Pessimist(Telling):
    def ahead(self, job: Job) -> int:
        return len(self.jobs) + 1


class NegativeNumber(Telling):
    def ahead(self, job: Job) -> int:
        return -1


class KnowsNot(Telling):
    def ahead(self, job: Job) -> None:
        return None


class CannotSay(Telling):
    def ahead(self, job: Job) -> int:
        raise NotImplementedError


class NewcomerLoses(Telling):
    def loser(self, newcomer: Job) -> Job:
        return newcomer


class LoserIsAKey(Telling):
    def loser(self, newcomer: Job) -> object:
        return self.jobs[-1].key if self.jobs else None


class RemovesTheLoser(Telling):
    """Which is what the core does."""

    def loser(self, newcomer: Job) -> Job | None:
        return self.jobs.pop() if self.jobs else None


class Prepares(Telling):
    """Who is asked for is served next."""

    def loser(self, newcomer: Job) -> Job | None:
        self.jobs.reverse()
        return None


class Reserves(Telling):
    def ahead(self, job: Job) -> int:
        job.priority = -1
        return len(self.jobs)


BAD: list[tuple[Any, str]] = [
    (Shared, r"begins empty: (a second Shared holds 1|after made len\(Shared\) should be 0)"),
    (BornFull, r"begins empty: after made len\(BornFull\) should be 0, and its truth False; they"),
    (ForgetsRemovals, r"leaves once: ForgetsRemovals\.pop gave Job\(.*\), which is not waiting"),
    (RemovesNothing, r"counts right: after remove\(Job\(.*\) len\(RemovesNothing\) should be 0"),
    (RemovesAnother, r"leaves once: RemovesAnother\.pop gave Job\(.*, which is not waiting"),
    (PopsWithoutRemoving, r"counts right: after pop\(\) len\(PopsWithoutRemoving\) should be 0"),
    (DropsWhenFull, r"counts right: after push\(Job\(.*\) should be 4"),
    (TakesBackNobody, r"counts right: after push\(Job\(.*\) should be 1.* they are 0"),
    (Miscounts, r"begins empty: after made len\(Miscounts\) should be 0.* they are 1 and True"),
    (NeverFalsy, r"begins empty: .* its truth False; they are 0 and True"),
    (PopsNone, r"leaves once: PopsNone\.pop gave None, which is not waiting"),
    (PopsCopies, r"leaves once: PopsCopies\.pop gave Job\(\d+, phase=new\), which is not waiting"),
    (Stamps, r"only reads: Stamps\.push changed \{'priority': -1\} of Job\("),
    (Stumbles, "counts right: .* should be 3"),
    (
        TiesReversed,
        r"keeps order: TiesReversed\.pop should give .* of rank (\S+); it gave .* of rank \1; waiting",
    ),
    (Pessimist, r"foresees: Pessimist\.ahead should be at most 0 of the one .*; it is 1; waiting"),
    (
        NegativeNumber,
        r"foresees: NegativeNumber\.ahead should be at most 0 of .*; it is -1; waiting",
    ),
    (KnowsNot, r"foresees: KnowsNot\.ahead should be at most 0 of .*; it is None; waiting"),
    (CannotSay, r"foresees: CannotSay\.ahead\(Job\(.*\) raised NotImplementedError\(\); waiting"),
    (NewcomerLoses, r"gives way: NewcomerLoses\.loser\(Job\(.* gave Job\(.*, which does not wait"),
    (LoserIsAKey, r"gives way: LoserIsAKey\.loser\(Job\(.* gave \d+, which does not wait; waiting"),
    (RemovesTheLoser, r"only asks: after loser\(.* len\(RemovesTheLoser\) should be 1"),
    (
        Prepares,
        r"only asks: Prepares\.pop gave Job\(.* after ahead and loser had been asked, and Job",
    ),
    (Reserves, r"only reads: Reserves\.ahead changed \{'priority': -1\} of Job\("),
    (LargestFirst, r"keeps order: .* of rank \S+; it gave Job\(.*, of rank \S+; waiting, as they"),
]


@pytest.mark.parametrize(("factory", "message"), BAD)
def test_a_law_breaker_is_caught_and_told_which_law(factory: Any, message: str) -> None:
    """The message begins with the law and shows who waited."""
    rank = by_priority if message.startswith("keeps order") else None
    with pytest.raises(AssertionError, match=message):
        check_discipline(factory, rank=rank)


def test_a_queue_that_raises_is_caught() -> None:
    """Whatever it raises, the complaint tells the call and who waited."""

    class Fragile(Listed):
        def remove(self, job: Job) -> None:
            if self.jobs[0] is not job:
                raise NotImplementedError
            super().remove(job)

    with pytest.raises(
        AssertionError, match=r"leaves once: Fragile\.remove\(Job\(.* raised NotImpl"
    ):
        check_discipline(Fragile)


def test_an_order_that_is_not_told_is_not_checked() -> None:
    """Last in, first out is lawful, and wrong for somebody who says first in, first out."""
    check_discipline(LIFO)
    with pytest.raises(AssertionError, match="keeps order: LIFO"):
        check_discipline(LIFO, rank=in_order_of_arrival)


def test_who_says_what_the_order_is_must_know_who_is_ahead() -> None:
    """Not only at most how many."""
    with pytest.raises(
        AssertionError,
        match=r"foresees: Hopeful\.ahead should be 1 of the one who came last; it is 0",
    ):
        check_discipline(Hopeful, rank=in_order_of_arrival)


def test_one_s_own_jobs_can_be_given() -> None:
    """For a discipline that looks at what the usual ones do not have."""
    with pytest.raises(AssertionError, match="keeps order"):
        check_discipline(
            FIFO,
            rank=lambda job: -hash(job.key),
            lives=st.integers(0, 9).map(Job),
            examples=50,
        )
