"""Promises of the shell that break without a sound: each of these tests was written for a mutant."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from tests.shells.recorder import GUARD, Recorder
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeoutError,
    Job,
    Observer,
    QueueTimeout,
    QueueTimeoutError,
    Server,
)
from timeouts.gate import Gate
from timeouts.testing import Hang, ManualClock


def run(work: Any) -> Any:
    return work()


class Hasty(ManualClock):
    """A clock whose timer goes off at once, before `now()` has come to the instant."""

    def wait(self, gate: Gate, until: float) -> bool:
        return until == float("inf") and super().wait(gate, until)


def test_an_early_wake_up_cannot_miss_its_own_deadline() -> None:
    """The caller ticks with the instant that was meant, so the timer's word is enough."""
    with Hang() as hang, Server(run, QueueTimeout(5), slots=1, clock=Hasty()) as server:
        server.submit(hang.predict)
        with pytest.raises(QueueTimeoutError):
            server.call(hang.predict)
        hang.release()


def test_the_timer_learns_of_a_deadline_that_only_a_start_makes() -> None:
    """No limit while it waits, one when it runs: nobody but the timer can tell its future."""
    clock, recorder = ManualClock(), Recorder()
    with (
        Hang() as first,
        Hang() as second,
        Server(run, ExecutionTimeout(9), slots=1, clock=clock, observers=[recorder]) as server,
    ):
        caller = threading.Thread(target=server.call, args=(first.predict,))
        caller.start()
        recorder.wait_for("started", 1)
        future = server.submit(second.predict)
        clock.advance(4)
        first.release()
        caller.join(GUARD)
        recorder.wait_for("started", 2)
        clock.wait_for_waiters(1, finite=True)
        clock.advance_to(13)
        assert isinstance(future.exception(GUARD), ExecutionTimeoutError)
        second.release()


def test_a_budget_is_counted_from_one_look_at_the_clock() -> None:
    """However long the call takes to arrive, the error names the number that the caller gave."""

    class Restless(ManualClock):
        def now(self) -> float:
            self.advance(0.001)
            return super().now()

    with Hang() as hang, Server(run, slots=1, clock=Restless()) as server:
        server.submit(hang.predict)
        future = server.submit(hang.predict, budget=5)
        server.stats()
        restless: Any = server._clock
        restless.advance(5)
        error = future.exception(GUARD)
        assert isinstance(error, GatewayTimeoutError)
        assert error.limit == 5
        hang.release()


def test_calls_in_a_row_need_one_thread() -> None:
    """A thread is idle again before its caller is told, so the next call finds it."""

    def lonely() -> int:
        return threading.get_ident()

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that the caller, once told, is really quick to call again
    try:
        with Server(lonely, slots=8) as server:
            assert len({server.call() for _ in range(300)}) == 1
    finally:
        sys.setswitchinterval(patience)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_job_that_was_answered_before_its_work_began_does_not_begin(is_async: bool) -> None:
    """Its caller leaves between the core's decision and the worker's first step."""
    began: list[int] = []

    class Leaving(Observer):
        def started(self, job: Job, now: float) -> None:
            future: Any = getattr(job, "future", None)
            if future is not None:
                assert future.cancel()

    def plain() -> None:
        began.append(1)

    async def coroutine() -> None:
        began.append(1)

    recorder = Recorder()
    handler: Any = coroutine if is_async else plain
    with Server(handler, slots=1, observers=[recorder, Leaving()]) as server:
        assert server.submit().cancelled()
        recorder.wait_for("late", 1)
        assert not began
        assert server.stats().free == 1
        server.call()
        assert began == [1]


def test_a_future_that_its_holder_has_settled_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The result comes too late for it, and the slot is free again."""
    recorder = Recorder()
    with Hang(1) as hang, Server(run, slots=1, observers=[recorder]) as server:
        future = server.submit(hang.predict)
        future.set_result("mine")
        hang.release()
        recorder.wait_for("answered", 1)
        assert server.call(lambda: 2) == 2
        assert future.result(GUARD) == "mine"
    assert not caplog.records


def test_leaving_a_block_waits_for_cancelled_tasks_to_clean_up() -> None:
    """Also where the tasks run on the server's own loop, in its own thread."""
    began, cleaned = threading.Event(), threading.Event()

    async def tidy() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            cleaned.set()

    server = Server(tidy)
    with pytest.raises(LookupError), server:  # noqa: PT012 - the block is what is left
        server.submit()
        assert began.wait(GUARD)
        raise LookupError
    assert cleaned.is_set()


def test_a_withdrawal_while_the_books_are_read_is_not_forgotten() -> None:
    """It finds the lock taken, and whoever reads the books sees to it on leaving."""
    with Hang() as hang, Server(run, slots=1) as server:
        future = server.submit(hang.predict)
        shell = server._shell
        assert shell.read(future.cancel)
        assert server.stats().outcomes == {"withdrawn": 1}
        hang.release()
