"""Examples of the core's decisions at the door, at the slots, under streams and at the end."""

import math
from typing import ClassVar

import pytest

from timeouts.commands import Cancel, Commands, Reply, Start
from timeouts.core import Core
from timeouts.discipline import FIFO, LIFO, EarliestDeadlineFirst, Priority
from timeouts.errors import (
    DeadlineExceeded,
    GatewayTimeoutError,
    PolicyFailed,
    QueueFull,
    ServerClosed,
    ShuttingDown,
    StartupFailed,
    TimeoutsError,
    TooManyAbandoned,
    Withdrawn,
    WorkerLost,
)
from timeouts.job import ABANDONED, DONE, RUNNING, WAITING, Job
from timeouts.outcome import Outcome
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack


def arrivals(core: Core, keys: str, now: float = 0) -> list[Job]:
    """Let one job arrive for each letter."""
    jobs = [Job(key) for key in keys]
    for job in jobs:
        core.arrive(job, now)
    return jobs


def error_of(commands: Commands) -> TimeoutsError:
    (reply,) = (command for command in commands if isinstance(command, Reply))
    assert isinstance(reply.outcome.error, TimeoutsError)
    return reply.outcome.error


def started(commands: Commands) -> list[object]:
    return [job.key for c in commands if isinstance(c, Start) for job in c.jobs]


# At the door.


def test_defaults_bound_nothing() -> None:
    """A bare core starts everything at once."""
    stack = Stack()
    core = Core(stack)
    assert core.stack is stack
    assert [job.phase for job in arrivals(core, "abc")] == [RUNNING] * 3
    bounds = core.slots, core.capacity, core.max_abandoned, core.free, core.next_timer()
    assert bounds == (math.inf,) * 5
    assert core.open is True
    assert core.arrived == 3
    assert len(core._timers) == 0  # what never expires takes no place among the timers


def test_a_full_queue_refuses_and_says_how_full() -> None:
    """`capacity` jobs may wait, and not one more."""
    core = Core(Stack(), slots=1, capacity=2)
    arrivals(core, "abc")
    refused = Job("d")
    error = error_of(core.arrive(refused, 7))
    assert type(error) is QueueFull
    assert str(error) == "2 jobs wait already; capacity=2 allows no more"
    assert (error.policy, error.limit, error.started, error.work) == (
        None,
        2,
        False,
        "never started",
    )
    assert error.retry_after is None  # nobody has ended yet, and nothing limits those who wait
    assert (refused.phase, refused.arrived, refused.error) == (DONE, 7, error)
    assert core.outcomes == {"queue_full": 1}


def test_a_retry_is_worth_it_when_the_queue_has_been_worked_off() -> None:
    """Two wait and one would come: at 4 s a job, with two slots, that is 6 s."""
    core = Core(Stack(), slots=2, capacity=2)
    arrivals(core, "ab")
    core.finish("a", Outcome(), 4)
    core.finish("b", Outcome(), 4)
    arrivals(core, "cdef", 4)
    assert error_of(core.arrive(Job("g"), 5)).retry_after == 6  # type: ignore[attr-defined]


def test_a_retry_is_invited_no_later_than_those_who_wait_can_last() -> None:
    """A queue that nobody works off is empty when its last has expired."""
    core = Core(Stack(QueueTimeout(3)), slots=1, capacity=1)
    arrivals(core, "a")
    core.finish("a", Outcome(), 100)
    arrivals(core, "bc", 100)
    assert error_of(core.arrive(Job("d"), 101)).retry_after == 3  # type: ignore[attr-defined]
    assert error_of(core.tick(103)).retry_after == 3  # type: ignore[attr-defined]


def test_before_anybody_has_ended_the_first_who_expires_makes_room() -> None:
    """An estimate without a measurement: the next timer."""
    core = Core(Stack(ExecutionTimeout(9)), slots=1, capacity=0)
    arrivals(core, "a")
    assert error_of(core.arrive(Job("b"), 2)).retry_after == 7  # type: ignore[attr-defined]


def test_a_rule_that_needs_more_than_a_bare_job_bounds_no_estimate() -> None:
    """It may ask for what only a server's jobs have; that is no reason to promise a free place now."""

    class ByArguments(Policy):
        def deadline(self, job: Job) -> float:
            return job.arrived + job.args[0]  # type: ignore[attr-defined, no-any-return]

    class Asked(Job):
        args = (50,)

    core = Core(Stack(ByArguments()), slots=1, capacity=0)
    core.arrive(Asked("a"), 0)
    core.finish("a", Outcome(), 8)
    core.arrive(Asked("b"), 8)
    assert error_of(core.arrive(Asked("c"), 8)).retry_after == 8  # type: ignore[attr-defined]


def test_who_comes_while_a_server_drains_is_told_when_it_will_be_gone() -> None:
    """Its successor is there by then; a drain without a limit can promise nothing."""
    core = Core(Stack(), slots=1)
    core.drain(0)
    assert error_of(core.arrive(Job("a"), 1)).retry_after is None  # type: ignore[attr-defined]
    core.drain(2, 10)
    assert error_of(core.arrive(Job("b"), 5)).retry_after == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize("allowed", [0, 10])
def test_who_comes_after_the_end_may_go_to_the_successor_at_once(allowed: float) -> None:
    """It is there by now; a negative number would tell a gRPC client never to retry."""
    core = Core(Stack(), slots=1)
    core.drain(0, allowed)
    assert error_of(core.arrive(Job("a"), 60)).retry_after == 0  # type: ignore[attr-defined]


def test_other_rules_are_for_those_who_come_later() -> None:
    """A job that waits keeps the limits that it was promised, also when it starts."""
    core = Core(Stack(ExecutionTimeout(5)), slots=1)
    old, waiting = arrivals(core, "ab")
    core.relimit(Stack(ExecutionTimeout(2)), 2, 1)
    (new,) = arrivals(core, "c", 1)
    core.finish("a", Outcome(), 3)
    assert (old.phase, waiting.expires) == (DONE, 8)
    core.finish("b", Outcome(), 4)
    assert new.expires == 6
    arrivals(core, "de", 5)
    assert error_of(core.arrive(Job("f"), 5)).limit == 2


def test_a_job_may_bring_rules_of_its_own() -> None:
    """One queue for several routes: each job is under its own stack, and its own patience is told."""
    core = Core(Stack(QueueTimeout(50)), slots=1)
    arrivals(core, "a")
    (usual,) = arrivals(core, "b", 1)
    special = Job("c")
    special.stack = Stack(QueueTimeout(3))
    core.arrive(special, 1)
    assert (usual.expires, special.expires) == (51, 4)
    assert error_of(core.tick(4)).policy == QueueTimeout(3)


def test_capacity_zero_lets_run_and_lets_nobody_wait() -> None:
    """A slot that is free needs no place in the queue."""
    core = Core(Stack(), slots=1, capacity=0)
    assert started(core.arrive(Job("a"), 0)) == ["a"]
    assert isinstance(error_of(core.arrive(Job("b"), 0)), QueueFull)


def test_too_many_abandoned_refuses_new_work_and_starts_no_waiting_work() -> None:
    """At the cap nothing is started beside the abandoned; the first end lets it go on."""
    core = Core(Stack(ExecutionTimeout(2)), slots=2, max_abandoned=1)
    arrivals(core, "a", 0)
    _, waiting = arrivals(core, "bc", 1)
    core.tick(2)
    assert (core.abandoned, core.running, waiting.phase) == (1, 1, WAITING)
    error = error_of(core.arrive(Job("d"), 2))
    assert type(error) is TooManyAbandoned
    assert str(error) == ("1 abandoned jobs still run; max_abandoned=1 starts no more beside them")
    assert (error.limit, error.started) == (1, False)
    assert started(core.finish("b", Outcome(), 2)) == []
    assert started(core.finish("a", Outcome(), 2)) == ["c"]


def test_a_free_slot_is_not_enough_beside_too_many_abandoned() -> None:
    """The cap holds also while slots are free, and with unlimited slots."""
    core = Core(Stack(ExecutionTimeout(2)), max_abandoned=1)
    arrivals(core, "a")
    core.tick(2)
    assert isinstance(error_of(core.arrive(Job("b"), 2)), TooManyAbandoned)


def test_a_job_whose_budget_is_spent_is_never_started() -> None:
    """Not even when a slot is free: a deadline equal to now has passed."""
    core, job = Core(Stack(), slots=1), Job("a", deadline=5)
    error = error_of(core.arrive(job, 5))
    assert isinstance(error, GatewayTimeoutError)
    assert (error.started, error.elapsed, error.limit) == (False, 0, 0)
    assert (job.phase, core.free, core.waiting) == (DONE, 1, 0)


@pytest.mark.parametrize(("budget", "timer"), [(3, 3), (7, 5), (math.inf, 5)])
def test_a_budget_shortens_and_never_lengthens(budget: float, timer: float) -> None:
    """The gateway's 5 s stay the upper bound."""
    core = Core(Stack(GatewayTimeout(5)))
    core.arrive(Job("a", deadline=budget), 0)
    assert core.next_timer() == timer


# Reserve.


def test_a_reserve_expires_the_wait_earlier_than_the_run() -> None:
    """A waiting job ends at `timeout - reserve`; one that has started may use the reserve up."""
    core = Core(Stack(GatewayTimeout(10, reserve=4)), slots=1)
    first, second = arrivals(core, "ab")
    assert core.next_timer() == 6
    error = error_of(core.tick(6))
    assert (second.phase, first.phase, error.limit, error.started) == (DONE, RUNNING, 6, False)
    assert core.next_timer() == 10


def test_a_reserve_is_held_back_from_a_shorter_budget_too() -> None:
    """A start with less than the reserve left would be wasted, whoever set the deadline."""
    core = Core(Stack(GatewayTimeout(10, reserve=4)), slots=1)
    core.arrive(Job("a"), 0)
    core.arrive(Job("b", deadline=7), 0)
    assert core.next_timer() == 3


def test_a_reserve_refuses_a_start_at_the_door_that_would_come_too_late() -> None:
    """A budget of no more than the reserve starts nothing, although a slot is free."""
    core = Core(Stack(GatewayTimeout(10, reserve=4)), slots=1)
    assert started(core.arrive(Job("a", deadline=5), 0)) == ["a"]
    core.finish("a", Outcome(), 0)
    assert not error_of(core.arrive(Job("b", deadline=4), 0)).started


# At the slots.


class HalfTime(Policy):
    """A rule of the user's own: a run must end before 10 on the clock, a wait never."""

    error: ClassVar[type[TimeoutsError]] = DeadlineExceeded

    def deadline(self, job: Job) -> float:
        return 10 if job.phase is RUNNING else math.inf

    def since(self, job: Job) -> float:
        return job.started


def test_a_start_is_refused_when_the_rule_of_the_run_has_passed() -> None:
    """At the door: it has never left the queue, and its slot is still free."""
    core, job = Core(Stack(HalfTime()), slots=1), Job("a")
    commands = core.arrive(job, 10)
    error = error_of(commands)
    assert len(commands) == 1
    assert (job.phase, job.started, core.free, core.waiting) == (DONE, math.inf, 1, 0)
    assert (error.started, error.work, error.elapsed) == (False, "never started", 0)
    assert str(error) == "took 0 s; HalfTime allows 0 s"
    assert core.next_timer() == math.inf


def test_a_start_from_the_queue_is_refused_too_and_the_slot_goes_on() -> None:
    """All that wait are told, in order, and a later rule may start again."""
    core = Core(Stack(HalfTime(), ExecutionTimeout(50)), slots=1)
    arrivals(core, "abc")
    core.tick(10)
    commands = core.finish("a", Outcome(), 11)
    told = [c.job.key for c in commands if isinstance(c, Reply)]
    assert told == ["b", "c"]
    assert started(commands) == []
    assert (core.free, core.waiting, core.next_timer()) == (1, 0, math.inf)


def test_finish_starts_the_next_in_the_same_breath() -> None:
    """The answer comes first, then the start."""
    core = Core(Stack(), slots=1)
    first, second = arrivals(core, "ab")
    outcome = Outcome(1)
    assert core.finish("a", outcome, 3) == [Reply(first, outcome), Start((second,))]
    assert (second.started, first.expires) == (3, math.inf)


def test_a_failed_handler_is_counted_and_passed_on_as_it_is() -> None:
    """Its own exception is the outcome."""
    core, outcome = Core(Stack()), Outcome(error=KeyError("x"))
    (job,) = arrivals(core, "a")
    assert core.finish("a", outcome, 1) == [Reply(job, outcome)]
    assert core.outcomes == {"failed": 1}


@pytest.mark.parametrize(
    ("discipline", "order"),
    [(LIFO, "edcb"), (Priority, "bdec"), (EarliestDeadlineFirst, "cebd")],
)
def test_each_discipline_serves_in_its_order(
    discipline: type[LIFO | Priority | EarliestDeadlineFirst], order: str
) -> None:
    """Equal ranks leave as they came."""
    core = Core(Stack(), slots=1, discipline=discipline)
    core.arrive(Job("a"), 0)
    for key, priority, deadline in (("b", 1, 90), ("c", 3, 70), ("d", 1, 90), ("e", 2, 80)):
        core.arrive(Job(key, priority=priority, deadline=deadline), 0)
    served = ""
    for key in "a" + order[:-1]:
        served += "".join(map(str, started(core.finish(key, Outcome(), 1))))
    assert served == order


def test_earliest_deadline_first_goes_by_the_limits_as_well_as_by_the_budget() -> None:
    """Who has no budget expires by the limit, which may come before the budget of another."""
    core = Core(Stack(QueueTimeout(5)), slots=1, discipline=EarliestDeadlineFirst)
    core.arrive(Job("a"), 0)
    core.arrive(Job("b"), 0)  # expires at 5
    core.arrive(Job("c", deadline=90), 1)  # expires at 6
    core.arrive(Job("d", deadline=3), 1)
    served = [started(core.finish(key, Outcome(), 2)) for key in "adb"]
    assert served == [["d"], ["b"], ["c"]]


def test_a_slot_is_never_given_past_those_who_wait() -> None:
    """No barging: an arrival at the instant of a finish goes behind the queue."""
    core = Core(Stack(), slots=1)
    arrivals(core, "ab")
    assert started(core.finish("a", Outcome(), 1)) == ["b"]
    assert started(core.arrive(Job("c"), 1)) == []


def test_several_expire_in_the_order_of_their_deadlines() -> None:
    """One late tick tells them all."""
    core = Core(Stack(), slots=0)
    for key, deadline in (("a", 3), ("b", 1), ("c", 2)):
        core.arrive(Job(key, deadline=deadline), 0)
    assert [c.job.key for c in core.tick(9) if isinstance(c, Reply)] == ["b", "c", "a"]


def test_an_earlier_now_counts_as_the_latest_one() -> None:
    """Time does not run backwards: a start is stamped with the latest instant that was seen."""
    core = Core(Stack(ExecutionTimeout(5)))
    core.tick(10)
    (job,) = arrivals(core, "a", now=8)
    assert (job.arrived, job.started, core.next_timer()) == (8, 10, 15)


# Streams.


def test_a_first_item_ends_the_wait_for_it() -> None:
    """The timer for the first item is gone with the item."""
    core = Core(Stack(FirstItemTimeout(5)))
    (job,) = arrivals(core, "a")
    assert core.next_timer() == 5
    assert core.progress("a", 4) == []
    assert (job.items, core.next_timer()) == (1, math.inf)


def test_the_gap_is_counted_only_while_somebody_waits() -> None:
    """`resume` begins the gap and `progress` ends it; before the first item there is none."""
    core = Core(Stack(IdleTimeout(5)))
    (job,) = arrivals(core, "a")
    core.resume("a", 1)
    assert core.next_timer() == math.inf
    core.progress("a", 2)
    assert core.next_timer() == math.inf
    core.resume("a", 7)
    assert core.next_timer() == 12
    core.progress("a", 11)
    assert (core.next_timer(), job.items) == (math.inf, 2)


def test_an_item_at_the_very_deadline_is_too_late() -> None:
    """Time first: the stream has expired before the item counts."""
    core = Core(Stack(FirstItemTimeout(5)))
    (job,) = arrivals(core, "a")
    reply, cancel = core.progress("a", 5)
    assert isinstance(reply, Reply)
    assert cancel == Cancel((job,))
    assert (job.phase, job.items) == (ABANDONED, 0)
    assert core.resume("a", 6) == core.progress("a", 6) == []


def test_waiting_jobs_have_no_items() -> None:
    """Neither `progress` nor `resume` touches what has not started."""
    core = Core(Stack(), slots=1)
    _, waiting = arrivals(core, "ab")
    assert core.progress("b", 1) == core.resume("b", 1) == []
    assert (waiting.items, waiting.idle_since) == (0, math.inf)


class ShorterWithEachItem(Policy):
    """A rule of the user's own, which an item may bring down upon its stream."""

    def deadline(self, job: Job) -> float:
        return 10 - 4 * job.items


def test_an_item_may_end_its_stream() -> None:
    """A rule that an item makes due is obeyed at once."""
    core = Core(Stack(ShorterWithEachItem()))
    (job,) = arrivals(core, "a")
    assert core.progress("a", 1) == []
    assert core.next_timer() == 6
    reply, cancel = core.progress("a", 3)
    assert isinstance(reply, Reply)
    assert cancel == Cancel((job,))
    assert core.next_timer() == math.inf


class NoTimeForMore(Policy):
    """A rule of the user's own, under which asking for a second item is the end."""

    def deadline(self, job: Job) -> float:
        return 0 if job.idle_since < math.inf else 10


def test_asking_for_an_item_may_end_its_stream() -> None:
    """A rule that a resume makes due is obeyed at once."""
    core = Core(Stack(NoTimeForMore()))
    (job,) = arrivals(core, "a")
    assert core.progress("a", 1) == []
    reply, cancel = core.resume("a", 3)
    assert isinstance(reply, Reply)
    assert (cancel, core.next_timer()) == (Cancel((job,)), math.inf)


# The caller leaves.


def test_withdrawing_a_waiting_job_frees_its_place() -> None:
    """Its caller is answered in the books; nothing is cancelled, for nothing ran."""
    core = Core(Stack(GatewayTimeout(9)), slots=1)
    arrivals(core, "ab")
    error = error_of(core.withdraw("b", 2.5))
    assert isinstance(error, Withdrawn)
    assert str(error) == "the caller left after 2.5 s"
    assert (error.started, error.work, error.elapsed) == (False, "never started", 2.5)
    assert (core.waiting, core.outcomes) == (0, {"withdrawn": 1})


def test_withdrawing_a_running_job_cancels_it_and_holds_the_slot() -> None:
    """Reply is not release, for a caller that left as for one that was told."""
    core = Core(Stack(GatewayTimeout(9)), slots=1)
    job, _ = arrivals(core, "ab")
    reply, cancel = core.withdraw("a", 2)
    assert isinstance(reply, Reply)
    assert (cancel, job.phase, core.free) == (Cancel((job,)), ABANDONED, 0)
    assert job.error is not None
    assert (job.error.started, job.error.work) == (True, "still running")
    assert core.withdraw("a", 3) == []
    assert core.next_timer() == 9


def test_a_withdrawal_at_the_deadline_comes_too_late() -> None:
    """The job has expired already; that is what the books say."""
    core = Core(Stack(GatewayTimeout(9)))
    arrivals(core, "a")
    assert isinstance(error_of(core.withdraw("a", 9)), GatewayTimeoutError)


# The end.


def test_a_drain_refuses_the_new_and_lets_the_old_go_on() -> None:
    """What waits is still started."""
    core = Core(Stack(), slots=1)
    arrivals(core, "ab")
    assert core.drain(1) == []
    error = error_of(core.arrive(Job("c"), 1))
    assert isinstance(error, ShuttingDown)
    assert str(error) == "the server is shutting down and takes no new work"
    assert core.open is False
    assert not core.idle
    assert started(core.finish("a", Outcome(), 2)) == ["b"]
    core.finish("b", Outcome(), 3)
    assert core.idle


def test_shutting_down_comes_before_every_other_refusal() -> None:
    """A closed server does not speak of its queue."""
    core = Core(Stack(), slots=1, capacity=0)
    arrivals(core, "a")
    core.drain(0)
    assert isinstance(error_of(core.arrive(Job("b"), 0)), ShuttingDown)


def test_a_close_answers_everybody_and_frees_no_slot() -> None:
    """Waiting jobs are refused, running ones lost and cancelled, abandoned ones left alone."""
    core = Core(Stack(ExecutionTimeout(5)), slots=2)
    arrivals(core, "a", 0)
    running, waiting = arrivals(core, "bc", 1)
    core.tick(5)
    lost, cancel, refused = core.close(5)
    assert isinstance(lost, Reply)
    assert isinstance(refused, Reply)
    assert (lost.job, cancel, refused.job) == (running, Cancel((running,)), waiting)
    assert type(running.error) is ServerClosed
    assert running.error.retry_after == 0
    assert str(running.error) == "the server was closed while the job ran"
    assert (running.error.started, running.error.elapsed) == (True, 4)
    assert running.error.work == "still running"
    assert isinstance(waiting.error, ShuttingDown)
    assert str(waiting.error) == "the server was closed while the job waited"
    assert (waiting.error.started, waiting.error.elapsed) == (False, 4)
    assert (core.free, core.abandoned, core.waiting, core.next_timer()) == (0, 2, 0, math.inf)
    assert core.close(6) == []


def test_the_error_is_kept_up_to_date_about_the_work() -> None:
    """What was "still running" when the caller was told is "stopped" or "killed" at its end."""
    core = Core(Stack(ExecutionTimeout(5)))
    stopped, killed = arrivals(core, "ab")
    core.tick(5)
    assert stopped.error is not None
    assert killed.error is not None
    assert stopped.error.work == killed.error.work == "still running"
    core.finish("a", Outcome(), 6)
    core.finish("b", Outcome(), 6, work="killed")
    assert (stopped.error.work, killed.error.work) == ("stopped", "killed")


def test_work_that_ends_on_time_leaves_no_error() -> None:
    """The job of a completed call carries none."""
    core = Core(Stack(QueueTimeout(5)))
    (job,) = arrivals(core, "a")
    core.finish("a", Outcome(), 6)
    assert job.error is None


def test_a_rule_that_fails_while_it_is_blamed_still_answers_its_job() -> None:
    """Even `since` may raise: the caller gets `PolicyFailed` with the cause, not silence."""

    class Late(Policy):
        def deadline(self, job: Job) -> float:
            return 5.0

        def since(self, job: Job) -> float:
            raise LookupError("no such instant")

    core = Core(Stack(Late()))
    core.arrive(Job("a"), 0)
    reply, _ = core.tick(5)
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome.error, PolicyFailed)
    assert isinstance(reply.outcome.error.__cause__, LookupError)
    assert core.abandoned == 1


def test_a_key_that_nobody_has_loses_no_reply() -> None:
    """The mistake is refused before time passes, so what is due is still told by the next input."""
    core = Core(Stack(QueueTimeout(5)), slots=1)
    core.arrive(Job("a"), 0)
    core.arrive(Job("b"), 0)
    with pytest.raises(KeyError, match="nobody"):
        core.finish("nobody", Outcome(1), 9)
    assert [type(command) for command in core.tick(9)] == [Reply]


def test_a_key_that_is_taken_is_refused() -> None:
    """A second live job of one key would make the first one unreachable."""
    core = Core(Stack())
    core.arrive(Job("a"), 0)
    with pytest.raises(ValueError, match="'a'"):
        core.arrive(Job("a"), 1)
    core.finish("a", Outcome(1), 2)
    core.arrive(Job("a"), 3)
    assert (core.running, core.arrived) == (1, 2)


def test_an_error_that_a_rule_makes_up_and_that_is_none_still_answers_its_job() -> None:
    """It would have no name to be counted under."""

    class Mute(QueueTimeout):
        def expired(self, job: Job, now: float) -> TimeoutsError:
            return None  # type: ignore[return-value]

    core = Core(Stack(Mute(5)), slots=1)
    arrivals(core, "ab")
    error = error_of(core.tick(5))
    assert isinstance(error, PolicyFailed)
    assert str(error.__cause__) == "expired gave no TimeoutsError, but None"
    assert (core.waiting, core.running, core.outcomes) == (0, 1, {"policy_failed": 1})


class Forgetful(FIFO):
    """A stranger's queue that cannot say who is next."""

    def pop(self) -> Job:
        raise LookupError("who was it?")


def test_a_discipline_that_fails_still_answers_all_who_wait() -> None:
    """Each with an error of his own and his own time; the core goes on with a plain queue."""
    core = Core(Stack(), slots=1, discipline=Forgetful)
    _, first, second = *arrivals(core, "ab"), *arrivals(core, "c", 2)
    core.finish("a", Outcome(1), 5)
    for job, elapsed in ((first, 5), (second, 3)):
        error = job.error
        assert isinstance(error, PolicyFailed)
        assert str(error) == "Forgetful failed: LookupError: who was it?"
        assert isinstance(error.__cause__, LookupError)
        assert (error.elapsed, error.started) == (elapsed, False)
    assert first.error is not second.error
    assert (core.waiting, core.free) == (0, 1)
    arrivals(core, "de", 6)
    assert started(core.finish("d", Outcome(1), 7)) == ["e"]


# Workers that come and go.


def test_a_core_without_slots_keeps_its_callers_waiting_for_a_worker() -> None:
    """The first to be enlisted serves the first in line, in the same breath, and only him."""
    core = Core(Stack(), slots=0)
    arrivals(core, "ab")
    assert (core.waiting, core.free) == (2, 0)
    assert started(core.enlist(3)) == ["a"]
    assert (core.waiting, core.running, core.slots, core.free) == (1, 1, 1, 0)
    assert started(core.enlist(3)) == ["b"]


def test_a_worker_who_comes_at_the_deadline_comes_too_late() -> None:
    """A tie: the wait has ended, so the slot is free for the next."""
    core = Core(Stack(QueueTimeout(5)), slots=0)
    arrivals(core, "a")
    assert error_of(core.enlist(5)).name == "queue_timeout"
    assert core.free == 1


def test_a_slot_that_goes_with_its_worker_starts_nobody() -> None:
    """The answer is given as ever, and the next in line waits for another worker."""
    core = Core(Stack(), slots=1)
    arrivals(core, "ab")
    (reply,) = core.finish("a", Outcome(1), 2, vacate=True)
    assert isinstance(reply, Reply)
    assert (core.slots, core.free, core.waiting) == (0, 0, 1)
    assert started(core.enlist(4)) == ["b"]


def test_a_killed_worker_takes_the_slot_of_abandoned_work_along() -> None:
    """Until then the slot is held, and the caller's error is brought up to date."""
    core = Core(Stack(ExecutionTimeout(5)), slots=2)
    job, _ = arrivals(core, "ab")
    core.finish("b", Outcome(), 1)
    core.tick(5)
    assert (core.slots, core.abandoned, core.free) == (2, 1, 1)
    core.finish("a", Outcome(error=WorkerLost()), 6, "killed", vacate=True)
    assert (core.slots, core.abandoned, core.free) == (1, 0, 1)
    assert job.error is not None
    assert job.error.work == "killed"


def test_only_a_free_slot_can_be_dismissed() -> None:
    """One that is held goes with the end of its work."""
    core = Core(Stack(ExecutionTimeout(5)), slots=3)
    arrivals(core, "a", 0)
    arrivals(core, "b", 1)
    core.tick(5)
    assert (core.running, core.abandoned, core.free) == (1, 1, 1)
    assert core.dismiss(5) == core.dismiss(5) == []
    assert (core.slots, core.free) == (2, 0)


def test_a_dismissal_lets_time_pass() -> None:
    """As every input does."""
    core = Core(Stack(QueueTimeout(5)), slots=0)
    arrivals(core, "a")
    assert error_of(core.dismiss(5)).name == "queue_timeout"


def test_without_a_worker_all_who_wait_are_told_why() -> None:
    """Each in an error of his own, with his own time; nothing was started, so a retry is safe."""
    core, why = Core(Stack(), slots=0, capacity=2), StartupFailed("no model.pt", limit=7)
    why.retry_after = 0.5
    first, second = *arrivals(core, "a", 0), *arrivals(core, "b", 2)
    assert [type(command) for command in core.withhold(why, 3)] == [Reply, Reply]
    assert (core.waiting, core.next_timer(), core.outcomes) == (0, math.inf, {"startup_failed": 2})
    for job, elapsed in ((first, 3), (second, 1)):
        error = job.error
        assert isinstance(error, StartupFailed)
        assert error is not why
        assert (str(error), error.limit, error.retry_after) == ("no model.pt", 7, 0.5)
        assert (error.elapsed, error.started, error.work) == (elapsed, False, "never started")
    assert why.elapsed == 0


def test_without_a_worker_all_who_come_are_refused_until_one_is_there() -> None:
    """Before any other reason but a shutdown, and even if a slot is left over."""
    core, why = Core(Stack(), slots=1, capacity=0), StartupFailed("no model.pt")
    core.withhold(why, 0)
    errors = [error_of(core.arrive(Job(key), 1)) for key in "ab"]
    assert [str(error) for error in errors] == ["no model.pt"] * 2
    assert len({id(why), *map(id, errors)}) == 3
    core.enlist(2)
    assert core.withheld is None
    assert started(core.arrive(Job("c"), 2)) == ["c"]
    core.withhold(why, 3)
    core.drain(3)
    assert isinstance(error_of(core.arrive(Job("d"), 3)), ShuttingDown)


def test_withholding_at_a_deadline_comes_too_late() -> None:
    """The caller is told what his own rule says."""
    core = Core(Stack(QueueTimeout(5)), slots=0)
    arrivals(core, "a")
    assert error_of(core.withhold(StartupFailed(), 5)).name == "queue_timeout"


def test_a_worker_who_comes_after_the_close_serves_nobody() -> None:
    """There is nobody left, and nobody new is taken."""
    core = Core(Stack(), slots=0)
    arrivals(core, "a")
    core.close(1)
    assert core.enlist(2) == []
    assert isinstance(error_of(core.arrive(Job("b"), 2)), ShuttingDown)
