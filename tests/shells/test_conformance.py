"""What every kind of worker owes its callers: one suite, played on each kind's bench.

Time is injected: "at 5" is the very instant, which the observers' `now` and the error's `elapsed`
must give to the last digit.
"""

from __future__ import annotations

import functools
import logging
import math
from typing import Any

import pytest

from tests.shells.bench import Bench, Boom, give
from tests.shells.recorder import error_of
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    GatewayTimeoutError,
    Job,
    Observer,
    Outcome,
    Priority,
    QueueFull,
    QueueTimeout,
    QueueTimeoutError,
    ServerClosed,
    ShuttingDown,
    Withdrawn,
    WorkerLost,
    checkpoint,
    remaining,
)
from timeouts.estimate import Advice

Benches = type[Bench]


# A value or an error comes back as itself.


@pytest.mark.parametrize("value", ["a value", None, Boom("returned, not raised")])
def test_the_value_comes_back(bench: Benches, value: Any) -> None:
    """What the handler returns is what the caller gets, also when it looks like something else."""

    async def scenario(bench: Bench) -> None:
        got = await (await bench.call(functools.partial(give, value))).outcome()
        assert bench.is_same(got, value)
        assert bench.outcomes() == {"completed": 1}

    bench.play(scenario, None)


@pytest.mark.parametrize(
    "error",
    [Boom("as it is"), KeyError("k"), TimeoutError("the handler's own"), GeneratorExit()],
    ids=repr,
)
def test_the_handlers_error_reaches_the_caller_as_itself(
    bench: Benches, error: BaseException
) -> None:
    """The same object, with a traceback that ends where the handler raised it."""

    async def scenario(bench: Bench) -> None:
        got = await (await bench.call(error)).outcome()
        assert bench.is_same(got, error)
        assert bench.raised_by(got) == "predict"
        assert bench.outcomes() == {"failed": 1}

    bench.play(scenario, GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10))


def test_a_failure_frees_the_slot(bench: Benches) -> None:
    """The one slot serves the next call after an error."""

    async def scenario(bench: Bench) -> None:
        await (await bench.call(Boom())).error(Boom)
        assert await (await bench.call("next")).value() == "next"

    bench.play(scenario, None)


# Expiry: who is told, when, and what becomes of the slot.


def test_a_queue_expires_on_time_behind_a_hung_job(bench: Benches) -> None:
    """The worker hangs and never looks; the waiting caller is told at 5 and its place is free."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold("done")
        first = await bench.running(hung)
        waiting = await bench.call("never")
        await bench.at(4)
        assert bench.books() == (1, 1, 0)
        await bench.at(5)
        error = await waiting.error(QueueTimeoutError)
        assert (error.elapsed, error.limit, error.started, error.work) == (
            5, 5, False, "never started",
        )  # fmt: skip
        assert str(error) == "waited 5 s in the queue; QueueTimeout allows 5 s"
        assert bench.recorder.of("answered")[0].now == 5
        assert bench.books() == (0, 1, 0)
        next_in_line = await bench.call("in the place that became free")
        hung.release()
        assert await first.value() == "done"
        assert await next_in_line.value() == "in the place that became free"

    bench.play(scenario, QueueTimeout(5), capacity=1)


def test_every_waiting_caller_has_its_own_deadline(bench: Benches) -> None:
    """Three callers arrive at 0, 1 and 2 and are told at 5, 6 and 7."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold()
        first = await bench.running(hung)
        callers = []
        for instant in range(3):
            await bench.at(instant)
            callers.append(await bench.call("never"))
        for caller, instant in zip(callers, (5, 6, 7), strict=True):
            await bench.at(instant)
            assert (await caller.error(QueueTimeoutError)).elapsed == 5
        hung.release()
        await first.value()
        assert [fact.now for fact in bench.recorder.of("answered")] == [5, 6, 7, 7]

    bench.play(scenario, QueueTimeout(5))


def test_execution_expires_on_time(bench: Benches) -> None:
    """The time in the queue does not count: 3 s of waiting, then 10 s of running."""

    async def scenario(bench: Bench) -> None:
        first_work, second_work = bench.hold("first"), bench.hold("too late")
        first = await bench.running(first_work)
        second = await bench.call(second_work)
        await bench.at(3)
        first_work.release()
        assert await first.value() == "first"
        await bench.begun(second_work)
        await bench.at(12)
        assert bench.books() == (0, 1, 0)
        await bench.at(13)
        error = await second.error(ExecutionTimeoutError)
        assert (error.elapsed, error.limit, error.started) == (10, 10, True)
        assert bench.recorder.of("answered")[1].now == 13
        second_work.release()
        await bench.heard("late", 1)

    bench.play(scenario, ExecutionTimeout(10))


def test_the_gateway_bounds_waiting_and_running_together(bench: Benches) -> None:
    """Of two callers at 0, one waits and one runs; both are told at 7."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        runs = await bench.running(work)
        waits = await bench.call("never")
        await bench.at(7)
        assert (await runs.error(GatewayTimeoutError)).started is True
        assert (await waits.error(GatewayTimeoutError)).started is False
        assert [fact.now for fact in bench.recorder.of("answered")] == [7, 7]
        work.release()
        await bench.heard("late", 1)

    bench.play(scenario, GatewayTimeout(7))


@pytest.mark.parametrize(
    ("budget", "told"), [(3, 3), (7, 7), (30, 7), (None, 7), (math.inf, 7)], ids=str
)
def test_a_budget_shortens_and_never_lengthens(
    bench: Benches, budget: float | None, told: int
) -> None:
    """A limit of 7 with budgets on either side of it; the blame says whose number it was."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        caller = await bench.running(work, budget=budget)
        await bench.at(told)
        error = await caller.error(GatewayTimeoutError)
        assert (error.elapsed, error.limit) == (told, told)
        assert ("the caller's budget" in str(error)) is (told < 7)
        work.release()
        await bench.heard("late", 1)

    bench.play(scenario, GatewayTimeout(7))


def test_the_innermost_rule_is_blamed_on_a_tie(bench: Benches) -> None:
    """Started at 3, the budget of 8, the gateway's 8 and the execution's 5 all end at 8."""

    async def scenario(bench: Bench) -> None:
        first_work, work = bench.hold(), bench.hold()
        first = await bench.running(first_work)
        caller = await bench.call(work, budget=8)
        await bench.at(3)
        first_work.release()
        await first.value()
        await bench.begun(work)
        await bench.at(8)
        await caller.error(ExecutionTimeoutError)
        work.release()
        await bench.heard("late", 1)

    bench.play(scenario, GatewayTimeout(8) | ExecutionTimeout(5))


def test_a_result_at_the_very_deadline_is_too_late(bench: Benches) -> None:
    """Time first: a deadline equal to now has passed, even if the work ends at that instant."""

    async def scenario(bench: Bench) -> None:
        work = bench.stubborn("at 5 sharp")
        caller = await bench.running(work)
        await bench.at(5)
        work.release()
        await caller.error(ExecutionTimeoutError)
        assert bench.outcomes() == {"execution_timeout": 1}

    bench.play(scenario, ExecutionTimeout(5))


def test_a_reply_is_no_release(bench: Benches) -> None:
    """The caller is told at 5; the slot is held until the work ends, and nobody barges in."""

    async def scenario(bench: Bench) -> None:
        stuck = bench.stubborn("far too late")
        caller = await bench.running(stuck)
        first, second = await bench.call("first"), await bench.call("second")
        await bench.at(5)
        error = await caller.error(ExecutionTimeoutError)
        killed = bench.stop_mode == "kill"
        if not killed:  # else it may be over by now
            assert error.work == "still running"
            assert bench.books() == (2, 0, 1)
        third = await bench.call("third")
        if not killed:
            assert bench.books() == (3, 0, 1)
            assert len(bench.recorder.of("started")) == 1
            stuck.release()
        assert [await c.value() for c in (first, second, third)] == ["first", "second", "third"]
        assert error.work == ("killed" if killed else "stopped")
        arrived, started = bench.recorder.of("arrived"), bench.recorder.of("started")
        assert [fact.job for fact in started] == [fact.job for fact in arrived]

    bench.play(scenario, ExecutionTimeout(5))


def test_work_that_can_be_stopped_is_stopped(bench: Benches) -> None:
    """On expiry a task is cancelled and a process killed; a thread is left alone, and counted."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        caller = await bench.running(work)
        assert bench.server.stop_mode == bench.stop_mode
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        if bench.stop_mode == "abandon":
            assert bench.books() == (0, 0, 1)
            work.release()
        (fact,) = await bench.heard("late", 1)
        assert bench.books() == (0, 0, 0)
        if bench.stop_mode == "kill":
            assert type(error_of(fact)) is WorkerLost
            assert (error_of(fact).started, error_of(fact).work) == (True, "killed")

    bench.play(scenario, ExecutionTimeout(5))


def test_several_slots_serve_at_once_and_no_more(bench: Benches) -> None:
    """Three slots: three run, the fourth waits for one of them."""

    async def scenario(bench: Bench) -> None:
        works = [bench.hold(number) for number in range(4)]
        callers = [await bench.call(work) for work in works]
        for work in works[:3]:
            await bench.begun(work)
        assert bench.books() == (1, 3, 0)
        works[1].release()
        assert await callers[1].value() == 1
        await bench.begun(works[3])
        for work in works:
            work.release()
        assert [await caller.value() for caller in callers] == [0, 1, 2, 3]

    bench.play(scenario, None, slots=3)


def test_the_discipline_decides_who_is_next(bench: Benches) -> None:
    """Behind a hung job, the smaller priority is served first."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold()
        first = await bench.running(hung)
        callers = [await bench.call(p, priority=p) for p in (3, 1, 2)]
        hung.release()
        for caller in (first, *callers):
            await caller.value()
        assert [fact.job.priority for fact in bench.recorder.of("started")] == [0, 1, 2, 3]

    bench.play(scenario, None, discipline=Priority)


# The caller leaves.


@pytest.mark.parametrize("phase", ["waiting", "running"])
def test_a_caller_who_leaves_withdraws(bench: Benches, phase: str) -> None:
    """Its own cancellation or interrupt stays what it is; a timeout is never reported for it."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        first = await bench.running(work)
        caller = await bench.call("never") if phase == "waiting" else first
        caller.leave()
        await caller.error(bench.left)
        (fact,) = await bench.heard("answered", 1)
        assert type(error_of(fact)) is Withdrawn
        assert error_of(fact).started is (phase == "running")
        work.release()
        if phase == "waiting":
            await first.value()
        outcomes = {"withdrawn": 1, "completed": 1} if phase == "waiting" else {"withdrawn": 1}
        assert bench.outcomes() == outcomes

    bench.play(scenario, GatewayTimeout(7) | QueueTimeout(5))


def test_who_leaves_the_queue_frees_his_place(bench: Benches) -> None:
    """With one place, the next caller has it at once, and the one who left never starts."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold("done")
        first = await bench.running(hung)
        leaver = await bench.call("never")
        leaver.leave()
        await leaver.error(bench.left)
        stayer = await bench.call("here")
        hung.release()
        assert await first.value() == "done"
        assert await stayer.value() == "here"
        assert len(bench.recorder.of("started")) == 2

    bench.play(scenario, None, capacity=1)


# The door, the drain and the close.


def test_a_full_queue_refuses_at_once(bench: Benches) -> None:
    """Nothing has run, so the error says that a retry is safe."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold()
        first = await bench.running(hung)
        second = await bench.call("waits")
        error = await (await bench.call("refused")).error(QueueFull)
        assert (error.limit, error.started) == (1, False)
        assert bench.books() == (1, 1, 0)
        hung.release()
        await first.value()
        await second.value()
        assert bench.outcomes() == {"queue_full": 1, "completed": 2}

    bench.play(scenario, None, capacity=1)


def test_a_capacity_of_zero_lets_nobody_wait(bench: Benches) -> None:
    """A free slot is taken, a busy one refuses."""

    async def scenario(bench: Bench) -> None:
        hung = bench.hold()
        first = await bench.running(hung)
        await (await bench.call("refused")).error(QueueFull)
        hung.release()
        await first.value()

    bench.play(scenario, None, capacity=0)


def test_close_ends_all_there_is(bench: Benches) -> None:
    """Who waits is refused, who runs has lost his worker, who comes later is refused."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        runs = await bench.running(work)
        waits = await bench.call("never")
        bench.server.close()
        lost = await runs.error(ServerClosed)
        assert lost.started is True
        assert (await waits.error(ShuttingDown)).started is False
        await (await bench.call("later")).error(ShuttingDown)
        bench.server.close()
        work.release()
        await bench.heard("late", 1)
        assert bench.outcomes() == {"server_closed": 1, "shutting_down": 2}

    bench.play(scenario, GatewayTimeout(7))


def test_close_without_anything_to_end(bench: Benches) -> None:
    """A server that was never used, and one that is idle, close twice without a word."""

    async def scenario(bench: Bench) -> None:
        bench.server.close()
        bench.server.close()
        await (await bench.call("later")).error(ShuttingDown)

    bench.play(scenario, None)


# Late ends.


def test_a_late_result_is_seen_and_goes_to_nobody(
    lasting_bench: Benches, caplog: pytest.LogCaptureFixture
) -> None:
    """The next caller gets its own result; the late one is logged and shown to observers."""

    async def scenario(bench: Bench) -> None:
        work = bench.stubborn("late")
        caller = await bench.running(work)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        other = await bench.call("mine")
        await bench.at(8)
        work.release()
        assert await other.value() == "mine"
        (fact,) = await bench.heard("late", 1)
        assert fact.outcome is not None
        assert (fact.outcome.value, fact.now) == ("late", 8)

    with caplog.at_level(logging.INFO, "timeouts"):
        lasting_bench.play(scenario, ExecutionTimeout(5))
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "returned after 8 s, late: its caller had ExecutionTimeoutError" in record.getMessage()


def test_a_late_error_is_logged_with_its_traceback(
    lasting_bench: Benches, caplog: pytest.LogCaptureFixture
) -> None:
    """It is nobody's answer, so the log is where it is found."""
    boom = Boom("late")

    async def scenario(bench: Bench) -> None:
        work = bench.stubborn(error=boom)
        caller = await bench.running(work)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        work.release()
        (fact,) = await bench.heard("late", 1)
        assert error_of(fact) is boom

    with caplog.at_level(logging.INFO, "timeouts"):
        lasting_bench.play(scenario, ExecutionTimeout(5))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is not None
    assert record.exc_info[1] is boom


# What a handler may know.


def test_a_handler_knows_what_remains(bench: Benches) -> None:
    """It is the tightest of all limits, less what has passed; outside there is none."""

    async def scenario(bench: Bench) -> None:
        assert remaining() == math.inf
        assert await (await bench.call(remaining)).value() == bench.seconds(7)
        assert await (await bench.call(remaining, budget=3)).value() == bench.seconds(3)
        work = bench.hold()
        first = await bench.running(work)
        queued = await bench.call(remaining, budget=6)
        await bench.at(2)
        work.release()
        await first.value()
        assert await queued.value() == bench.seconds(4)
        assert remaining() == math.inf

    bench.play(scenario, GatewayTimeout(10) | ExecutionTimeout(7))


def test_a_handler_knows_what_remains_of_a_limit_that_is_learned(bench: Benches) -> None:
    """It is the limit that its start was given; what is learned later is for those that start later."""

    def learn(bench: Bench, seconds: float) -> None:
        bench.server.shell.core.learner.advice = Advice(execution=seconds)

    async def scenario(bench: Bench) -> None:
        assert await (await bench.call(remaining)).value() == bench.seconds(20)
        learn(bench, 7)
        assert await (await bench.call(remaining)).value() == bench.seconds(7)
        assert await (await bench.call(remaining, budget=4)).value() == bench.seconds(4)
        first = await bench.running(work := bench.hold(remaining))
        queued = await bench.call(remaining)
        learn(bench, 12)
        work.release()
        assert await first.value() == bench.seconds(7)
        assert await queued.value() == bench.seconds(12)
        learn(bench, 1)
        assert await (await bench.call(remaining)).value() == bench.seconds(3)  # the bound wins

    bench.play(scenario, GatewayTimeout(30) | ExecutionTimeout("auto", at_least=3, at_most=20))


def test_without_limits_there_is_no_end_of_time(bench: Benches) -> None:
    """remaining() is infinite and checkpoint() says nothing."""

    async def scenario(bench: Bench) -> None:
        assert await (await bench.call(remaining)).value() == math.inf
        assert await (await bench.call(checkpoint)).value() is None

    bench.play(scenario, None)


def test_a_checkpoint_ends_late_work(
    lasting_bench: Benches, caplog: pytest.LogCaptureFixture
) -> None:
    """It raises what the caller was told, another instance of it, and the log stays quiet."""
    seen: list[float] = []

    def look() -> None:
        seen.append(remaining())
        checkpoint()

    async def scenario(bench: Bench) -> None:
        work = bench.stubborn(look)
        caller = await bench.running(work)
        await bench.at(5)
        told = await caller.error(ExecutionTimeoutError)
        work.release()
        (fact,) = await bench.heard("late", 1)
        assert type(error_of(fact)) is ExecutionTimeoutError
        assert error_of(fact) is not told
        assert seen == [0.0]

    with caplog.at_level(logging.INFO, "timeouts"):
        lasting_bench.play(scenario, ExecutionTimeout(5))
    assert not caplog.records


# Observers.


class Broken(Observer):
    """Raises from every hook."""

    def arrived(self, job: Job, now: float) -> None:
        raise Boom("arrived")

    def started(self, job: Job, now: float) -> None:
        raise Boom("started")

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        raise Boom("answered")

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        raise Boom("late")


def test_observers_are_told_the_facts(bench: Benches) -> None:
    """Who, what and when, in order, for one that succeeds, one that waits and one that expires."""

    async def scenario(bench: Bench) -> None:
        work = bench.stubborn("late")
        first = await bench.running(work)
        await bench.at(1)
        second = await bench.call("waited")
        await bench.at(5)
        await first.error(ExecutionTimeoutError)
        if bench.stop_mode == "kill":
            ended = 5
            await bench.heard("late", 1)
        else:
            await bench.at(ended := 6)
            work.release()
        await second.value()
        await bench.heard("late", 1)
        one, two = (fact.job for fact in bench.recorder.of("arrived"))
        seen = [(fact.hook, fact.job, fact.now) for fact in bench.recorder.facts]
        assert [fact for fact in seen if fact[1] is one] == [
            ("arrived", one, 0), ("started", one, 0), ("answered", one, 5), ("late", one, ended),
        ]  # fmt: skip
        assert [fact for fact in seen if fact[1] is two] == [
            ("arrived", two, 1), ("started", two, ended), ("answered", two, ended),
        ]  # fmt: skip

    bench.play(scenario, ExecutionTimeout(5))


def test_a_broken_observer_changes_nothing(
    bench: Benches, caplog: pytest.LogCaptureFixture
) -> None:
    """Every hook raises; callers, books and other observers do not notice, the log does."""

    async def scenario(bench: Bench) -> None:
        assert await (await bench.call("fine")).value() == "fine"
        work = bench.stubborn()
        caller = await bench.running(work)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        work.release()
        await bench.heard("late", 1)

    with caplog.at_level(logging.ERROR, "timeouts"):
        bench.play(scenario, ExecutionTimeout(5), observers=[Broken()])
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "arrived", "started", "answered", "arrived", "started", "answered", "late",
    ]  # fmt: skip


# Drain.


def test_a_drain_lets_everything_finish(bench: Benches) -> None:
    """What runs and waits goes on, what comes is refused, and the drain says that all has ended."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold("first")
        first = await bench.running(work)
        second = await bench.call("second")
        drain = await bench.drain(10)
        await (await bench.call("refused")).error(ShuttingDown)
        work.release()
        assert await first.value() == "first"
        assert await second.value() == "second"
        assert await drain.value() is True

    bench.play(scenario, None)


def test_a_drain_has_a_limit(bench: Benches) -> None:
    """At 10 it gives up; close() then ends what is left."""

    async def scenario(bench: Bench) -> None:
        work = bench.hold()
        caller = await bench.running(work)
        drain = await bench.drain(10)
        await bench.at(10)
        assert await drain.value() is False
        assert bench.books() == (0, 1, 0)
        bench.server.close()
        await caller.error(ServerClosed)
        work.release()
        await bench.heard("late", 1)

    bench.play(scenario, None)


def test_a_drain_ends_when_the_last_who_waits_leaves(bench: Benches) -> None:
    """His going is seen at once, not at the end of what the drain allows."""

    async def scenario(bench: Bench) -> None:
        stuck = bench.stubborn()
        caller = await bench.running(stuck)
        leaver = await bench.call("never")
        drain = await bench.drain(10)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        leaver.leave()
        await leaver.error(bench.left)
        assert await drain.value() is True
        stuck.release()
        await bench.heard("late", 1)

    bench.play(scenario, ExecutionTimeout(5))


def test_a_drain_does_not_wait_for_abandoned_work(bench: Benches) -> None:
    """Its caller was told long ago."""

    async def scenario(bench: Bench) -> None:
        stuck = bench.stubborn()
        caller = await bench.running(stuck)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        assert await (await bench.drain(10)).value() is True
        assert bench.books() == (0, 0, 1) or bench.stop_mode == "kill"
        stuck.release()
        await bench.heard("late", 1)

    bench.play(scenario, ExecutionTimeout(5))
