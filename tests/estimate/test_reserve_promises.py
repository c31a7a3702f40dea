"""What `reserve="auto"` may be relied on for, against a list of all executions and the definitions.

To expire a short job which would have fitted is what a reserve does: nobody knows how long a job takes before it has
run. So no reserve gives up only what a clairvoyant would give up. What is promised instead:

1. It is exact for executions as a histogram tells them, each off by at most a bucket (5 %): one that ended counts at
   the middle of its bucket, one that was stopped at the end. Of these, with any stops among them, it is what the
   definition gives over the whole list, to the last digit.
2. Where work cannot be stopped it is at most a bucket longer than what the definition gives over the true list.
3. Where it can be stopped, two rates may be told 7.6 % further apart than they are, or nearer, which is more than the 2 % by which
   one is chosen. So it is at most a bucket longer than the latest age that brings a rate within 8 % of the best, or
   than what the slowest twentieth of those that fit do not need.
4. A waiting job with more time left than a bucket more than the longest execution that was seen is not expired by
   it, whatever its budget, the number of slots, and what it has seen since. Where the longest were stopped, nobody knows how long they
   would have taken: then that is four times the oldest age, and a bucket. And never more than 65 % of the budget. While nothing is
   advised yet, it is twice the longest execution, and half of the budget; where executions have become slower, only half.

For 2 and 3 nothing has been stopped: which of two in one bucket came first is not known to a histogram.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from hypothesis import event, given
from hypothesis import strategies as st

from tests.estimate.naive import Execution, Reserve, beyond, edge, figures, told_by_bucket
from timeouts.commands import Cancel, Commands, Reply
from timeouts.core import Core
from timeouts.errors import GatewayTimeoutError
from timeouts.estimate import COLD, Advice, Durations
from timeouts.estimate.advice import ENOUGH, advise
from timeouts.estimate.durations import GROWTH
from timeouts.job import RUNNING, Job
from timeouts.outcome import Outcome
from timeouts.policy import GatewayTimeout
from timeouts.stack import Stack

ROUNDING = 1e-9
BUCKET = GROWTH * (1 + ROUNDING)
RATES_OFF = GROWTH**1.5
"""By how much the ratio of two rates may be off: the work of one is told as up to half a bucket too much, the other's
as half a bucket too little, and the ages lie up to half a bucket from the bucket's end."""
TAIL = GROWTH**28

SECONDS = st.floats(1e-3, 50.0)
RECOVERY = st.sampled_from([0.0, 0.1, 1.0, 10.0, math.inf])


def executions(stops: st.SearchStrategy[bool]) -> st.SearchStrategy[list[Execution]]:
    """Draw enough of them: of a few lengths, or of many."""

    def of_kinds(kinds: list[tuple[float, bool, int]]) -> list[Execution]:
        runs = [Execution(s, stopped) for s, stopped, count in kinds for _ in range(count)]
        return runs + runs[:1] * (ENOUGH - len(runs))

    def scattered(seed: int, spread: float, share: float) -> list[Execution]:
        draw = random.Random(seed)
        runs = [draw.lognormvariate(0, spread) for _ in range(ENOUGH + 20)]
        return [
            Execution(run * draw.random(), True) if draw.random() < share else Execution(run)
            for run in runs
        ]

    kinds = st.lists(st.tuples(SECONDS, stops, st.integers(1, ENOUGH)), min_size=1, max_size=7)
    share = stops.map(lambda stopped: 0.3 if stopped else 0.0)
    many = st.builds(scattered, st.integers(0, 999), st.sampled_from([0.05, 0.5, 1.5]), share)
    return kinds.map(of_kinds) | many


ANY = executions(st.booleans())
ENDED = executions(st.just(False))


def learned(runs: Sequence[Execution], recovery: float) -> Advice:
    durations = Durations()
    for seconds, stopped in runs:
        durations.add(seconds, stopped=stopped)
    return advise(durations.curve(), recovery)


def some_budgets(runs: Sequence[Execution], seed: int) -> list[float]:
    """Return budgets from below the shortest execution to far beyond the longest, and those on an edge."""
    draw = random.Random(seed)
    oldest = edge(max(run.seconds for run in runs))
    shortest = edge(min(run.seconds for run in runs))
    edges = [edge(run.seconds) for run in draw.sample(list(runs), 3)]
    spread = [math.exp(draw.uniform(math.log(shortest / 2), math.log(9 * oldest))) for _ in "123"]
    return [*edges, *(math.nextafter(edge, 0) for edge in edges), *spread, 9 * oldest]


@given(ANY, RECOVERY, st.integers(0, 99))
def test_1_it_is_exact_for_what_a_histogram_tells(
    runs: list[Execution], recovery: float, seed: int
) -> None:
    advice, told = learned(runs, recovery), told_by_bucket(runs)
    if all(run.stopped for run in runs):
        event("nothing has ended")
        assert advice == COLD
        return
    known = [figures(told, age) for age in sorted({edge(run.seconds) for run in runs})]
    ages = [*known, *beyond(known)]
    event("some were stopped" if any(run.stopped for run in runs) else "all have ended")
    least, most = (Reserve(ages, len(runs), recovery, slack=slack) for slack in (-1e-9, 1e-9))
    for budget in some_budgets(runs, seed):
        reserve = advice.reserve(budget)
        assert least.of(budget) - budget * ROUNDING <= reserve
        assert reserve <= most.of(budget) + budget * ROUNDING


def true(runs: Sequence[Execution], recovery: float, all_but: float) -> Reserve:
    """Return what the definition gives over the true list; between two of them nothing ends, and the rate falls."""
    ages = [figures(runs, age) for age in sorted({run.seconds for run in runs})]
    return Reserve(ages, len(runs), recovery, all_but=all_but, slack=1e-9)


@given(ENDED, st.integers(0, 99))
def test_2_where_nothing_is_stopped_it_is_at_most_a_bucket_longer_than_the_exact_one(
    runs: list[Execution], seed: int
) -> None:
    advice, exact = learned(runs, math.inf), true(runs, math.inf, 0.98)
    for budget in some_budgets(runs, seed):
        if budget >= edge(min(run.seconds for run in runs)):
            assert advice.reserve(budget) <= exact.plain(budget) * BUCKET


@given(ENDED, st.sampled_from([0.0, 0.1, 1.0, 10.0]), st.integers(0, 99))
def test_3_where_work_is_stopped_it_is_no_longer_than_what_is_nearly_as_good_as_the_best(
    runs: list[Execution], recovery: float, seed: int
) -> None:
    advice, exact = learned(runs, recovery), true(runs, recovery, 1 / RATES_OFF)
    for budget in some_budgets(runs, seed):
        if budget >= edge(min(run.seconds for run in runs)):
            assert advice.reserve(budget) <= exact.latest(budget) * BUCKET


class House:
    """A core that serves executions one after another, then has its slots taken and jobs waiting."""

    def __init__(self, timeout: float, slots: int) -> None:
        self.core = Core(Stack(GatewayTimeout(timeout, reserve="auto")), slots=slots)
        self.timeout = timeout
        self.now = 0.0
        self.seen: list[Execution] = []
        self.expired: list[tuple[Job, float, Advice, float]] = []
        self.running: list[Job] = []
        self._known: dict[Job, tuple[Advice, float]] = {}

    def take(self, commands: Commands) -> None:
        """Note whose wait has ended, how much of his budget was left, and what was known when he came."""
        for command in commands:
            if isinstance(command, Cancel):
                self.seen += (Execution(job.abandoned - job.started, True) for job in command.jobs)
            if not isinstance(command, Reply) or command.job not in self._known:
                continue
            job, error = command.job, command.outcome.error
            if isinstance(error, GatewayTimeoutError) and not error.started:
                left = self.budget(job) - error.elapsed
                self.expired.append((job, left, *self._known[job]))

    def budget(self, job: Job) -> float:
        return min(self.timeout, job.deadline - job.arrived)

    def wait_until(self, instant: float) -> None:
        """Let time pass, and tick whenever something is due."""
        while (due := self.core.next_timer()) <= instant:
            self.now = due
            self.take(self.core.tick(due))
        self.now = instant

    def run(self, execution: Execution) -> None:
        """Have a job run for so long, on a slot that is free; one that is stopped has lost its caller."""
        job = Job(object())
        self.take(self.core.arrive(job, self.now))
        self.wait_until(self.now + execution.seconds)
        self.end(job, stopped=execution.stopped)

    def end(self, job: Job, *, stopped: bool) -> None:
        """Have the work of a job end, or be given up; one that has expired meanwhile was stopped then."""
        if job.phase is RUNNING and stopped:
            self.take(self.core.withdraw(job.key, self.now))
        if job.phase is RUNNING:
            self.seen.append(Execution(self.now - job.started))
        self.take(self.core.finish(job.key, Outcome("y"), self.now))

    def arrive(self, budget: float) -> None:
        """Have a job come, which finds no free slot."""
        job = Job(object(), deadline=self.now + budget)
        self._known[job] = self.core.learner.advice, self.bound()
        self.take(self.core.arrive(job, self.now))
        assert job.phase is not RUNNING

    def hang(self) -> None:
        """Have all slots taken."""
        while self.core.free:
            self.running.append(job := Job(object()))
            self.take(self.core.arrive(job, self.now))

    def bound(self) -> float:
        """Return what promise 4 says of who comes now."""
        ended = [edge(run.seconds) for run in self.seen if not run.stopped]
        stopped = [edge(run.seconds) * TAIL for run in self.seen if run.stopped]
        return max([*ended, *stopped], default=math.inf)


BUDGETS = st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.01, 400.0)), min_size=1, max_size=12)


@given(
    ANY,
    st.sampled_from([0.5, 30.0, 300.0, math.inf]),
    st.integers(1, 3),
    BUDGETS,
    st.lists(st.booleans(), max_size=3),
)
def test_4_who_has_more_left_than_anything_has_taken_is_not_expired_waiting(
    runs: list[Execution],
    timeout: float,
    slots: int,
    budgets: list[tuple[float, float]],
    ends: list[bool],
) -> None:
    house = House(timeout, slots)
    for run in runs:
        house.run(run)
    house.hang()
    for pause, budget in budgets:
        house.wait_until(house.now + pause)
        house.arrive(budget)
        if ends and house.running:  # what is learned now is for those who come later
            house.end(house.running.pop(0), stopped=ends.pop())
            house.hang()
    house.wait_until(house.now + 1000)
    longest = max(run.seconds for run in house.seen)
    for job, left, advice, bound in house.expired:
        budget = house.budget(job)
        assert left <= 0.65 * budget * (1 + ROUNDING)
        if advice.count:
            event("something was known")
            assert left <= bound * (1 + ROUNDING)
        else:
            assert left <= budget / 2 * (1 + ROUNDING)
            slower = advice.longest == math.inf
            event("they have become slower" if slower else "nothing was known yet")
            assert slower or left <= 2 * longest * (1 + ROUNDING)
