"""Limits on an executor: an inner executor that is driven by hand, and a clock that is, so that instants are exact."""

from __future__ import annotations

import concurrent.futures
import contextvars
import functools
import gc
import logging
import pickle
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from concurrent.futures.thread import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import timeouts
from tests.adapters.executor_bench import Bench, HandExecutor, error_of
from tests.shells.recorder import GUARD
from tests.shells.recorder import error_of as error_in
from timeouts import (
    FIFO,
    ExecutionTimeout,
    ExecutionTimeoutError,
    FirstItemTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    IdleTimeout,
    PredictedWait,
    QueueFull,
    QueueTimeout,
    QueueTimeoutError,
    ServerClosed,
    ShuttingDown,
    Stack,
    WaitTooLong,
    WorkerLost,
    guard,
)

LIMITS = GatewayTimeout(9) | QueueTimeout(5) | ExecutionTimeout(7)


class Boom(Exception):
    """The function's own error."""


def boom() -> None:
    raise Boom


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """What a test starts ends when its server is closed."""
    before = set(threading.enumerate())
    yield
    while Bench.made:
        Bench.made.pop().close()
    for thread in set(threading.enumerate()) - before:
        thread.join(GUARD)
        assert not thread.is_alive(), thread


# ── the way of a job ─────────────────────────────────────────────────────────────────────────────


def test_all_arguments_reach_the_function() -> None:
    """Also those that a server would take for itself."""
    bench = Bench(LIMITS)
    future = bench.submit(dict, budget=1, priority=2, fn=3, self=4)
    bench.inner.works[0].run()
    assert future.result(0) == {"budget": 1, "priority": 2, "fn": 3, "self": 4}


def test_an_error_reaches_the_caller_as_itself() -> None:
    bench = Bench(LIMITS)
    future = bench.submit(boom)
    bench.inner.works[0].run()
    error_of(future, Boom)
    assert bench.outcomes() == {"failed": 1}


def test_what_waits_expires_on_time_and_is_never_submitted() -> None:
    """At 5, the very deadline; the inner executor never hears of it."""
    bench = Bench(QueueTimeout(5))
    running, waiting = bench.submit(int), bench.submit(str)
    bench.at(4)
    assert not waiting.done()
    bench.at(5)
    assert error_of(waiting, QueueTimeoutError).elapsed == 5
    bench.inner.works[0].run()
    assert running.result(0) == 0
    assert len(bench.inner.works) == 1


def test_what_runs_expires_on_time_and_holds_its_slot_until_it_has_ended() -> None:
    """A reply is no release: who waits starts at 8, when the executor's own future is done."""
    bench = Bench(ExecutionTimeout(5))
    late, waiting = bench.submit(int), bench.submit(str)
    assert bench.inner.works[0].begin()
    bench.at(5)
    error = error_of(late, ExecutionTimeoutError)
    assert (error.elapsed, error.work) == (5, "still running")
    assert bench.books() == (1, 0, 1)
    bench.at(8)
    bench.inner.works[0].end("too late")
    assert error.work == "stopped"
    assert bench.books() == (0, 1, 0)
    bench.inner.works[1].run()
    assert waiting.result(0) == ""


def test_the_gateway_bounds_waiting_and_running_together() -> None:
    """It starts at 4, and has until 9."""
    bench = Bench(GatewayTimeout(9) | ExecutionTimeout(7))
    bench.submit(int)
    second = bench.submit(str)
    bench.at(4)
    bench.inner.works[0].run()
    bench.at(9)
    assert error_of(second, GatewayTimeoutError).started


def test_what_has_not_begun_in_the_executor_is_over_at_once() -> None:
    """Its future is cancelled there, and the slot goes to who waits."""
    bench = Bench(ExecutionTimeout(5))
    expired, waiting = bench.submit(int), bench.submit(str)
    bench.at(5)
    assert error_of(expired, ExecutionTimeoutError).work == "stopped"
    assert bench.inner.works[0].future.cancelled()
    assert bench.books() == (0, 1, 0)
    assert not waiting.done()


@pytest.mark.parametrize(("value", "error"), [("late", None), (None, Boom())])
def test_what_comes_late_is_reported_and_reaches_nobody(
    value: Any, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(ExecutionTimeout(5))
    future = bench.submit(int)
    assert bench.inner.works[0].begin()
    bench.at(5)
    told = future.exception(0)
    with caplog.at_level(logging.INFO, "timeouts"):
        bench.inner.works[0].end(value, error)
    (late,) = bench.recorder.of("late")
    assert late.outcome is not None
    assert (late.outcome.value, late.outcome.error) == (value, error)
    assert future.exception(0) is told
    assert "late" in caplog.text


def test_a_result_at_the_very_deadline_is_too_late() -> None:
    bench = Bench(ExecutionTimeout(5))
    future = bench.submit(int)
    bench.clock.advance_to(5)
    bench.inner.works[0].run()
    error_of(future, ExecutionTimeoutError)


def test_one_more_than_the_capacity_is_refused() -> None:
    bench = Bench(LIMITS, capacity=1)
    _, waiting, refused = (bench.submit(int) for _ in range(3))
    assert not waiting.done()
    assert error_of(refused, QueueFull).limit == 1


@pytest.mark.parametrize("workers", [1, 3])
def test_the_executor_is_given_as_many_as_it_has_workers(workers: int) -> None:
    bench = Bench(LIMITS, workers=workers)
    for _ in range(5):
        bench.submit(int)
    assert len(bench.inner.works) == workers
    bench.inner.works[0].run()
    assert len(bench.inner.works) == workers + 1


def test_nested_jobs_share_the_tightest_deadline() -> None:
    """Submitted at 2 by a function that has until 4: it expires at 4, not at 12."""
    bench = Bench(ExecutionTimeout(10))
    futures: list[Future[Any]] = []

    @guard(ExecutionTimeout(4), clock=bench.clock)
    def outer() -> None:
        bench.clock.advance_to(2)
        futures.append(bench.submit(int))

    outer()
    outer.close()
    bench.at(4)
    error_of(futures[0], GatewayTimeoutError)


# ── futures ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("phase", ["waiting", "handed over", "running"])
def test_cancelling_withdraws_the_job_whatever_its_phase(phase: str) -> None:
    bench = Bench(LIMITS)
    future = bench.submit(int)
    if phase == "waiting":
        future = bench.submit(int)
    if phase == "running":
        assert bench.inner.works[0].begin()
    assert not future.running()
    assert future.cancel()
    assert future.cancelled()
    assert future.done()
    assert not future.running()
    assert concurrent.futures.wait([future], timeout=GUARD).done == {future}
    assert list(concurrent.futures.as_completed([future], timeout=GUARD)) == [future]
    with pytest.raises(CancelledError):
        future.result(0)
    assert bench.outcomes() == {"withdrawn": 1}
    assert bench.books() == {"waiting": (0, 1, 0), "handed over": (0, 0, 0)}.get(phase, (0, 0, 1))


def test_an_answered_future_cannot_be_cancelled() -> None:
    bench = Bench(LIMITS)
    future = bench.submit(int)
    bench.inner.works[0].run()
    assert not future.cancel()
    assert future.result(0) == 0


def test_map_gives_values_in_order() -> None:
    bench = Bench(LIMITS, workers=2)
    values = bench.executor.map(abs, [-1, -2], chunksize=7)
    for work in reversed(bench.inner.works):
        work.run()
    assert list(values) == [1, 2]


def test_map_over_more_than_the_capacity_raises_at_the_first_that_was_refused() -> None:
    """And cancels those that wait; `capacity=math.inf` takes any number."""
    bench = Bench(LIMITS, capacity=1)
    values = bench.executor.map(abs, [-1, -2, -3])
    bench.inner.works[0].run()
    bench.inner.works[1].run()
    assert [next(values), next(values)] == [1, 2]
    with pytest.raises(QueueFull):
        next(values)

    bench = Bench(LIMITS, capacity=float("inf"))
    values = bench.executor.map(abs, range(1500))
    for work in bench.inner.works:  # it grows meanwhile
        work.run()
    assert sum(values) == sum(range(1500))


def test_a_map_that_runs_out_of_time_withdraws_the_rest() -> None:
    bench = Bench(LIMITS)
    values = bench.executor.map(abs, [1, 2, 3], timeout=0)
    with pytest.raises(TimeoutError):
        next(values)
    assert bench.outcomes() == {"withdrawn": 3}


# ── inside the function ──────────────────────────────────────────────────────────────────────────


def test_a_function_in_this_process_knows_its_deadline() -> None:
    bench = Bench(LIMITS)
    future = bench.submit(timeouts.remaining)
    bench.clock.advance_to(3)
    bench.inner.works[0].run()
    assert future.result(0) == 4


def test_a_checkpoint_ends_abandoned_work() -> None:
    bench = Bench(ExecutionTimeout(5))

    def work() -> None:
        bench.at(5)
        timeouts.checkpoint()

    future = bench.submit(work)
    bench.inner.works[0].run()
    error_of(future, ExecutionTimeoutError)
    assert isinstance(error_in(bench.recorder.of("late")[0]), ExecutionTimeoutError)


def test_a_job_that_was_answered_before_it_began_does_not_begin() -> None:
    """Where an executor cannot cancel."""
    bench = Bench(ExecutionTimeout(5))
    ran: list[int] = []
    bench.submit(ran.append, 1)
    work = bench.inner.works[0]
    work.future.cancel = lambda: False  # type: ignore[method-assign]
    bench.at(5)
    work.run()
    assert ran == []
    assert bench.books() == (0, 0, 0)


def test_a_function_sees_the_variables_of_its_caller() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    bench = Bench(LIMITS)
    token = variable.set("the caller's")
    futures = [bench.submit(variable.get), bench.submit(variable.get)]
    variable.reset(token)
    for work in bench.inner.works:
        work.run()
    assert [future.result(0) for future in futures] == ["the caller's"] * 2


def test_what_is_pickled_is_the_function_and_nothing_of_ours() -> None:
    bench = Bench(LIMITS)
    bench.submit(int, "7")
    (work,) = bench.inner.works
    dumped = pickle.dumps((work.fn, work.args, work.kwargs))
    assert b"timeouts" not in dumped
    assert repr(work.fn) == repr(int)
    fn, args, kwargs = pickle.loads(dumped)
    assert isinstance(fn, functools.partial)
    assert fn.func is int
    assert fn(*args, **kwargs) == 7


def test_a_failed_job_leaves_no_cycle() -> None:
    """When its caller drops the future, the error is gone, and with it all frames it refers to."""
    bench = Bench(LIMITS)
    future = bench.submit(boom)
    gc.collect()
    gc.disable()
    try:
        bench.inner.works.pop().run()
        error = weakref.ref(future.exception(0) or AssertionError())
        bench.recorder.facts.clear()
        del future
        assert error() is None
    finally:
        gc.enable()


# ── an inner executor that does not do as it should ──────────────────────────────────────────────


def test_a_submit_that_raises_fails_that_job_and_no_other() -> None:
    bench = Bench(LIMITS)
    bench.inner.refusal = RuntimeError("cannot schedule new futures after shutdown")
    assert error_of(bench.submit(int), RuntimeError) is bench.inner.refusal
    bench.inner.refusal = None
    future = bench.submit(int)
    bench.inner.works[0].run()
    assert future.result(0) == 0
    assert bench.books() == (0, 0, 0)


def test_a_whole_queue_is_told_of_an_executor_that_takes_nothing() -> None:
    """One by one, without a stack that grows with the queue."""
    bench = Bench(LIMITS)
    futures = [bench.submit(int) for _ in range(1001)]
    bench.inner.refusal = BrokenProcessPool("broken")
    bench.inner.works[0].run()
    assert futures[0].result(0) == 0
    for future in futures[1:]:
        error = error_of(future, WorkerLost)
        assert (error.started, error.work) == (False, "never started")
        assert error.__cause__ is bench.inner.refusal
    assert bench.books() == (0, 0, 0)


class AtOnce(Executor):
    """Runs what it is given before it returns."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_jobs_that_are_over_at_once_pile_up_no_stack() -> None:
    executor = LIMITS.wrap(AtOnce(), slots=1)
    futures: list[Future[int]] = []

    def submit_all() -> None:
        futures.extend(executor.submit(abs, -number) for number in range(1000))

    executor.submit(submit_all).result(0)
    assert [future.result(GUARD) for future in futures] == list(range(1000))
    executor.shutdown()


def test_a_worker_that_died_is_told_with_its_cause() -> None:
    bench = Bench(LIMITS)
    future = bench.submit(int)
    cause = BrokenProcessPool("died")
    bench.inner.works[0].end(error=cause)
    error = error_of(future, WorkerLost)
    assert error.__cause__ is cause
    assert (error.started, error.work) == (True, "stopped")
    assert str(error) == "the executor is broken: died"


def test_a_function_may_raise_what_broken_executors_raise() -> None:
    """In this process it is known whose it is."""
    bench = Bench(LIMITS)

    def own() -> None:
        raise BrokenExecutor

    future = bench.submit(own)
    bench.inner.works[0].run()
    error_of(future, BrokenExecutor)


@pytest.mark.parametrize("how", ["cancelled", "broken"])
@pytest.mark.timeout(20)
def test_an_end_that_is_told_under_the_executors_lock_submits_elsewhere(how: str) -> None:
    """As `shutdown(cancel_futures=True)` of threads and a broken pool of processes do."""
    bench = Bench(LIMITS)
    first, second = bench.submit(int), bench.submit(str)
    with bench.inner.lock:
        if how == "cancelled":
            bench.inner.works[0].future.cancel()
        else:
            bench.inner.works[0].end(error=BrokenProcessPool("died"))
        assert error_of(first, WorkerLost).started == (how == "broken")
    bench.recorder.wait_for("started", 2)
    catch_up()
    assert bench.inner.submitters[1] is not threading.current_thread()
    bench.inner.works[1].run()
    assert second.result(0) == ""


@pytest.mark.timeout(20)
def test_where_no_thread_can_be_had_those_who_wait_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As at the end of the interpreter."""
    bench = Bench(Stack())
    first, *others = (bench.submit(int) for _ in range(3))
    bench.executor.shutdown(wait=False)
    no_more = RuntimeError("can't create new thread at interpreter shutdown")

    def start(_: threading.Thread) -> None:
        raise no_more

    monkeypatch.setattr(threading.Thread, "start", start)
    with bench.inner.lock:
        bench.inner.works[0].future.cancel()
    monkeypatch.undo()
    error_of(first, WorkerLost)
    assert [future.exception(0) for future in others] == [no_more] * 2
    assert bench.books() == (0, 0, 0)
    assert bench.inner.shut == []  # it would wait for the lock


def test_who_is_answered_while_he_is_being_submitted_is_cancelled_after_that() -> None:
    """The expiry found no future to cancel yet."""
    bench = Bench(ExecutionTimeout(5))
    submit = bench.inner.submit

    def slowly(fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = submit(fn, *args, **kwargs)
        timer = threading.Thread(target=bench.at, args=(5,))
        timer.start()
        timer.join(GUARD)
        return future

    bench.inner.submit = slowly  # type: ignore[method-assign]
    error_of(bench.submit(int), ExecutionTimeoutError)
    assert bench.inner.works[0].future.cancelled()
    assert bench.books() == (0, 0, 0)


def test_who_is_answered_before_his_turn_is_not_submitted() -> None:
    """His slot was free while another was being submitted; that took until his limit."""
    bench = Bench(ExecutionTimeout(5), workers=2)
    bench.submit(int)
    submit = bench.inner.submit

    def slowly(fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        bench.inner.submit = submit  # type: ignore[method-assign]
        others.append(bench.submit(str))
        bench.inner.works[0].run()
        bench.at(5)
        return submit(fn, *args, **kwargs)

    others: list[Future[Any]] = []
    bench.inner.submit = slowly  # type: ignore[method-assign]
    bench.submit(int)
    error_of(others[0], ExecutionTimeoutError)
    assert len(bench.inner.works) == 2
    assert bench.books() == (0, 0, 0)


def test_an_interrupt_is_not_for_others_to_pay() -> None:
    """Who was to be submitted next is."""
    bench = Bench(LIMITS, workers=2)
    bench.submit(int)
    submit = bench.inner.submit

    def interrupted(fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        bench.inner.submit = submit  # type: ignore[method-assign]
        others.append(bench.submit(str))
        bench.inner.works[0].run()
        raise KeyboardInterrupt

    others: list[Future[Any]] = []
    bench.inner.submit = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        bench.submit(int)
    bench.inner.works[1].run()
    assert others[0].result(0) == ""


def test_a_cancel_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ExecutionTimeout(5))
    future = bench.submit(int)

    def cancel() -> bool:
        raise Boom

    bench.inner.works[0].future.cancel = cancel  # type: ignore[method-assign]
    bench.at(5)
    error_of(future, ExecutionTimeoutError)
    assert "failed to cancel" in caplog.text
    assert bench.books() == (0, 0, 1)
    bench.inner.works[0].run()
    assert bench.books() == (0, 0, 0)


def test_a_result_that_cannot_be_had_is_the_jobs_failure() -> None:
    """As where it is unpickled only when somebody asks."""
    bench = Bench(LIMITS)
    future = bench.submit(int)
    bench.inner.works[0].future.result = boom  # type: ignore[method-assign, assignment]
    bench.inner.works[0].run()
    error_of(future, Boom)
    assert bench.books() == (0, 0, 0)


def test_a_callback_that_exits_does_not_end_the_executors_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(LIMITS)

    def leave(_: Future[Any]) -> None:
        raise SystemExit

    bench.submit(int).add_done_callback(leave)
    waiting = bench.submit(str)
    bench.inner.works[0].run()
    bench.inner.works[1].run()
    assert waiting.result(0) == ""
    assert "failed" in caplog.text


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_taken_after_a_shutdown_which_may_be_repeated() -> None:
    bench = Bench(LIMITS)
    for _ in range(2):
        bench.executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        bench.submit(int)
    assert bench.inner.shut == [True, True]


def test_a_block_waits_for_what_waits_and_runs() -> None:
    """And then for the inner executor, whose workers have nothing to do any more."""
    bench = Bench(LIMITS)
    futures: list[Future[Any]] = []

    def block() -> None:
        with bench.executor as executor:
            futures.extend([executor.submit(int), executor.submit(str)])

    leaving = threading.Thread(target=block)
    leaving.start()
    bench.clock.wait_for_waiters(2)  # the timer is the other
    assert leaving.is_alive()
    bench.inner.works[0].run()
    assert leaving.is_alive()
    assert bench.inner.shut == []
    bench.inner.works[1].run()
    leaving.join(GUARD)
    assert [future.result(0) for future in futures] == [0, ""]
    assert bench.inner.shut == [True]


def test_a_block_does_not_wait_for_abandoned_work() -> None:
    """Nor for the worker that does it."""
    bench = Bench(ExecutionTimeout(5))
    with bench.executor as executor:
        future = executor.submit(int)
        assert bench.inner.works[0].begin()
        bench.at(5)
    error_of(future, ExecutionTimeoutError)
    assert bench.inner.shut == [False]
    bench.inner.works[0].end("late")
    assert len(bench.recorder.of("late")) == 1
    assert bench.books() == (0, 0, 0)


def test_a_shutdown_has_a_limit() -> None:
    """At 3 what waits is refused, and what runs is abandoned."""
    bench = Bench(Stack(), drain_timeout=3)
    running, waiting = bench.submit(int), bench.submit(str)
    assert bench.inner.works[0].begin()
    leaving = threading.Thread(target=bench.executor.shutdown)
    leaving.start()
    bench.clock.wait_for_waiters(1, finite=True)
    bench.clock.advance_to(3)
    leaving.join(GUARD)
    error_of(running, ServerClosed)
    error_of(waiting, ShuttingDown)
    assert bench.inner.shut == [False]
    bench.inner.works[0].end()


def test_a_shutdown_that_does_not_wait_lets_the_queue_be_worked_off() -> None:
    """And lets the inner executor go with the last job, not before."""
    bench = Bench(LIMITS)
    futures: list[Future[Any]] = [bench.submit(int), bench.submit(str)]
    bench.executor.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        bench.submit(int)
    assert bench.inner.shut == []
    bench.inner.works[0].run()
    assert bench.inner.shut == []
    bench.inner.works[1].run()
    assert [future.result(0) for future in futures] == [0, ""]
    assert bench.inner.shut == [False]


def test_a_shutdown_that_does_not_wait_ends_with_the_last_answer() -> None:
    """Here an expiry at 5: the abandoned work is nobody's any more."""
    bench = Bench(ExecutionTimeout(5))
    bench.submit(int)
    assert bench.inner.works[0].begin()
    bench.executor.shutdown(wait=False)
    bench.at(5)
    assert bench.inner.shut == [False]
    bench.inner.works[0].end()


def test_an_idle_executor_lets_go_at_once() -> None:
    bench = Bench(LIMITS)
    bench.executor.shutdown(wait=False)
    bench.executor.shutdown(wait=False)
    assert bench.inner.shut == [False, False]


def test_a_shutdown_may_cancel_what_waits_but_not_what_runs() -> None:
    bench = Bench(LIMITS)
    running, *waiting = (bench.submit(int) for _ in range(3))
    bench.executor.shutdown(wait=False, cancel_futures=True)
    assert [future.cancelled() for future in waiting] == [True, True]
    assert not running.done()
    bench.inner.works[0].run()
    assert running.result(0) == 0
    assert bench.inner.shut == [False]


def test_closing_the_server_leaves_the_inner_executor_alone() -> None:
    bench = Bench(LIMITS)
    future = bench.submit(int)
    bench.executor.server.close()
    error_of(future, ServerClosed)
    assert bench.inner.shut == []


def test_a_dropped_executor_needs_no_farewell() -> None:
    """Its timer's thread ends with it, and what ran on it ends as it likes."""
    bench = Bench(LIMITS)
    future, (work,) = bench.submit(int), bench.inner.works
    (timer,) = (t for t in threading.enumerate() if t.name == "HandExecutor.submit-timer")
    Bench.made.clear()
    del bench
    work.run()
    del work
    gc.collect()
    timer.join(GUARD)
    assert not timer.is_alive()
    assert future.result(0) == 0


@pytest.mark.parametrize("used", [False, True])
def test_after_a_fork_the_workers_are_the_parents(used: bool) -> None:
    """An executor that had none yet makes its own; from one that had, nothing would ever come."""
    bench = Bench(Stack())
    if used:
        bench.submit(int)
    for _ in range(2):  # a child, and a child of it
        bench.executor.server._reopen()
    future = bench.submit(str)
    if used:
        assert "make another executor after the fork" in str(error_of(future, WorkerLost))
    else:
        bench.inner.works[0].run()
        assert future.result(0) == ""
    bench.executor.shutdown()
    bench.executor.shutdown(wait=False)
    assert bench.inner.shut == ([] if used else [True, False])


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("executor", "limits", "options", "error", "words"),
    [
        (HandExecutor(), FirstItemTimeout(1), {}, ValueError, "is no generator"),
        (HandExecutor(), IdleTimeout(1), {}, ValueError, "is no generator"),
        (HandExecutor(), ExecutionTimeout(5, soft=3), {}, ValueError, "leave soft out"),
        (HandExecutor(), LIMITS, {"slots": float("inf")}, ValueError, "finite number"),
        (HandExecutor(), LIMITS, {"slots": 0}, ValueError, "slots must be at least 1"),
        (HandExecutor(), LIMITS, {"capacity": -1}, ValueError, "capacity"),
        (HandExecutor(), LIMITS, {"drain_timeout": -1}, ValueError, "drain_timeout"),
        (HandExecutor(), LIMITS, {"clock": 5}, TypeError, "clock"),
        (AtOnce(), LIMITS, {}, TypeError, "limits.wrap.executor, slots=4"),
        (ThreadPoolExecutor, LIMITS, {}, TypeError, r"ThreadPoolExecutor\(\), not the class"),
        (5, LIMITS, {}, TypeError, "such as a ThreadPoolExecutor; got 5"),
    ],
)
def test_nonsense_is_refused_in_the_users_words(
    executor: Any, limits: Any, options: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        limits.wrap(executor, **options)


def test_it_says_what_it_is() -> None:
    executor = QueueTimeout(5).wrap(AtOnce(), slots=2)
    assert repr(executor).startswith("<LimitedExecutor of <")
    assert repr(executor).endswith(" under QueueTimeout(5)>")
    assert executor.server.stop_mode == "abandon"
    assert executor.server.stats().slots == 2


# ── the law ──────────────────────────────────────────────────────────────────────────────────────

EVENTS = [
    "submit",
    "begin",
    "end",
    "fail",
    "break",
    "cancel there",
    "cancel here",
    "pass",
    "refuse",
]


@given(
    st.sampled_from([Stack(), QueueTimeout(3), ExecutionTimeout(3), LIMITS]),
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=40),
)
def test_the_books_balance_and_each_future_is_answered_once(
    limits: Stack, workers: int, script: list[tuple[str, int]]
) -> None:
    """Whatever the inner executor, the callers and time do, and in which order."""
    bench = Bench(limits, workers=workers, capacity=3)
    futures: list[Future[Any]] = []
    answers: list[Future[Any]] = []
    for event, number in script:
        if event == "submit":
            futures.append(bench.submit(int))
            futures[-1].add_done_callback(answers.append)
        else:
            play(bench, futures, event, number)
        catch_up()
        waiting, running, _ = bench.books()
        assert waiting + running + len(answers) == len(futures)
    bench.inner.refusal = None
    bench.executor.shutdown(wait=False)
    while bench.inner.busy():
        play(bench, futures, "end", 0)
        catch_up()
    assert bench.books() == (0, 0, 0)
    assert len(set(map(id, answers))) == len(answers) == len(futures)
    assert len(bench.recorder.of("answered")) == len(futures)
    assert bench.inner.shut == [False]


def play(bench: Bench, futures: list[Future[Any]], event: str, number: int) -> None:
    """Have one thing happen, if there is something to which it can."""
    busy = bench.inner.busy()
    work = busy[number % len(busy)] if busy else None
    if event == "pass":
        bench.at(bench.clock.now() + number)
    elif event == "refuse":
        bench.inner.refusal = [None, RuntimeError("shut down"), BrokenExecutor("broken")][
            number % 3
        ]
    elif event == "cancel here" and futures:
        futures[number % len(futures)].cancel()
    elif event == "cancel there" and work:
        work.future.cancel()
    elif work and (work.future.running() or work.begin()):
        errors = {"fail": Boom(), "break": BrokenProcessPool("died")}
        if event != "begin":
            work.end(event, errors.get(event))


def catch_up() -> None:
    """Wait for the threads that submit in the place of another."""
    for thread in threading.enumerate():
        if thread.name == "HandExecutor.submit-next":
            thread.join(GUARD)


# ── who is let in ────────────────────────────────────────────────────────────────────────────────


def test_admission_is_chosen_as_for_a_server() -> None:
    """Two who run and wait take 4 s each: a third could not start within 5 s."""
    bench = Bench(QueueTimeout(5), discipline=FIFO, admission=PredictedWait())
    first = bench.submit(int)
    bench.at(4)
    bench.inner.works[0].run()
    assert first.result(0) == 0
    futures = [bench.submit(int) for _ in range(4)]
    assert [future.done() for future in futures] == [False, False, False, True]
    error_of(futures[3], WaitTooLong)


def test_an_admission_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"admission must be .*; got 5"):
        LIMITS.wrap(HandExecutor(), admission=5)
