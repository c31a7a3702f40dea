"""Limits on real executors: threads, processes, an event loop, and the ends of their lives."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

import timeouts
from tests.adapters.asgi_servers import eventually
from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    QueueTimeout,
    QueueTimeoutError,
    WorkerLost,
)
from timeouts.testing import Hang

pytestmark = pytest.mark.realtime

SHORT = ExecutionTimeout(0.2)
LONG = ExecutionTimeout(30)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Neither ours nor the inner executor's."""
    before = set(threading.enumerate())
    yield
    eventually(lambda: set(threading.enumerate()) <= before)


# ── threads ──────────────────────────────────────────────────────────────────────────────────────


def test_threads_serve_as_before_and_know_their_deadline() -> None:
    with LONG.wrap(ThreadPoolExecutor(2)) as executor:
        assert executor.server.stats().slots == 2
        assert 0 < executor.submit(timeouts.remaining).result(GUARD) <= 30
        assert list(executor.map(pow, range(100), [2] * 100)) == [n**2 for n in range(100)]


def test_leaving_the_block_does_not_wait_for_a_hung_function() -> None:
    """The slot stays taken meanwhile, so that who waits is told so by his own limit."""
    with Hang() as hang:
        with (SHORT | QueueTimeout(0.1)).wrap(ThreadPoolExecutor(1)) as executor:
            hung, waiting = executor.submit(hang.predict), executor.submit(int)
            assert isinstance(hung.exception(GUARD), ExecutionTimeoutError)
            assert isinstance(waiting.exception(GUARD), QueueTimeoutError)
        assert executor.server.stats().abandoned == 1
        hang.release()
        eventually(lambda: executor.server.stats().abandoned == 0)


def test_jobs_from_many_threads_are_all_answered() -> None:
    """Nothing is lost where ends, starts and expiries race."""
    limits = QueueTimeout(0.05) | ExecutionTimeout(0.01)
    with limits.wrap(ThreadPoolExecutor(4), capacity=50) as executor, ThreadPoolExecutor(8) as many:

        def submit(number: int) -> Any:
            future = executor.submit(time.sleep, number % 4 * 0.005)
            if number % 7 == 0:
                future.cancel()
            return future

        futures = list(many.map(submit, range(2000)))
        for future in futures:
            future.cancelled() or future.exception(GUARD)
        eventually(lambda: executor.server.stats().free == 4)
        assert executor.server.stats().arrived == 2000


def test_an_executor_whose_threads_cannot_begin() -> None:
    """A broken pool of threads tells it under its own lock."""

    def initializer() -> None:
        raise ValueError

    with LONG.wrap(ThreadPoolExecutor(1, initializer=initializer)) as executor:
        futures = [executor.submit(int) for _ in range(5)]
        assert all(isinstance(future.exception(GUARD), WorkerLost) for future in futures)


def test_an_inner_executor_that_is_shut_down_fails_what_waits() -> None:
    """Each job is told what the executor says; none hangs."""
    with Hang() as hang:
        inner = ThreadPoolExecutor(1)
        executor = LONG.wrap(inner, slots=2)
        running, *waiting = (executor.submit(hang.predict) for _ in range(4))
        hang.wait_for_entries(1)
        inner.shutdown(wait=False, cancel_futures=True)
        assert isinstance(waiting[0].exception(GUARD), WorkerLost)
        for future in waiting[1:]:
            with pytest.raises(RuntimeError, match="after shutdown"):
                future.result(GUARD)
        hang.release()
        running.result(GUARD)
        executor.shutdown()


# ── processes ────────────────────────────────────────────────────────────────────────────────────


def test_processes_serve_as_before() -> None:
    with LONG.wrap(ProcessPoolExecutor(2)) as executor:
        assert executor.submit(os.getpid).result(GUARD) != os.getpid()
        assert executor.submit(int, "ff", base=16).result(GUARD) == 255
        assert list(executor.map(pow, range(20), [2] * 20)) == [n**2 for n in range(20)]
        with pytest.raises(ValueError, match="invalid literal"):
            executor.submit(int, "x").result(GUARD)
        with pytest.raises((TypeError, AttributeError)):  # it cannot be pickled
            executor.submit(lambda: 1).result(GUARD)


def test_a_process_that_dies_takes_the_pool_with_it_and_everybody_is_told() -> None:
    """Those on the pool, those that wait, and those that come later: none hangs."""
    with LONG.wrap(ProcessPoolExecutor(2)) as executor:
        assert executor.submit(int).result(GUARD) == 0
        futures: list[Future[Any]] = [executor.submit(time.sleep, 60)]
        futures.append(executor.submit(os._exit, 3))
        futures += [executor.submit(int) for _ in range(20)]
        errors: list[Any] = [future.exception(GUARD) for future in futures]
        assert all(isinstance(error, WorkerLost) for error in errors)
        assert all(isinstance(error.__cause__, BrokenProcessPool) for error in errors)
        assert [error.started for error in errors] == [True] * 2 + [False] * 20
        assert isinstance(executor.submit(int).exception(GUARD), WorkerLost)


def test_a_hung_process_holds_its_slot_and_no_block() -> None:
    """It cannot be stopped; here it ends after a second by itself."""
    with SHORT.wrap(ProcessPoolExecutor(1)) as executor:
        assert isinstance(executor.submit(time.sleep, 1).exception(GUARD), ExecutionTimeoutError)
        assert executor.server.stats().abandoned == 1
    eventually(lambda: executor.server.stats().abandoned == 0)


# ── an event loop ────────────────────────────────────────────────────────────────────────────────


def test_an_event_loop_runs_on_it() -> None:
    """`run_in_executor` is answered as any future; whoever cancels or gives up withdraws the job."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, int, "7") == 7
        with pytest.raises(ExecutionTimeoutError):
            await loop.run_in_executor(executor, hang.predict)
        waiting = loop.run_in_executor(executor, ran.append, 1)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(loop.run_in_executor(executor, ran.append, 2), 0.05)
        assert type(caught.value) is TimeoutError
        outcomes = {"completed": 1, "execution_timeout": 1, "withdrawn": 2}
        assert executor.server.stats().outcomes == outcomes

    ran: list[int] = []
    with Hang() as hang, SHORT.wrap(ThreadPoolExecutor(1)) as executor:
        asyncio.run(main())
        hang.release()
    assert ran == []


# ── forks, and the end of the interpreter ────────────────────────────────────────────────────────


def printed(script: str) -> str:
    """Run a script and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="forking beside threads warns, as it should"
)
def test_a_forked_child_is_told_that_the_threads_stayed_behind() -> None:
    """One that had no threads yet makes its own, as where a server imports and then forks."""
    out = printed(
        """
        import os
        from concurrent.futures import ThreadPoolExecutor
        from timeouts import ExecutionTimeout

        used = ExecutionTimeout(30).wrap(ThreadPoolExecutor(1))
        fresh = ExecutionTimeout(30).wrap(ThreadPoolExecutor(1))
        used.submit(int).result(20)
        if (child := os.fork()) == 0:
            print(used.submit(int).exception(20), flush=True)
            print(fresh.submit(int).result(20), flush=True)
            used.shutdown()
            fresh.shutdown()
            os._exit(0)
        os.waitpid(child, 0)
        print(used.submit(int).result(20))
        """
    )
    assert "make another executor after the fork\n0\n0\n" in out


def test_what_waits_at_the_end_of_the_interpreter_is_told_and_not_run() -> None:
    """As the page says: shut down first."""
    out = printed(
        """
        import time
        from concurrent.futures import ThreadPoolExecutor
        from timeouts import ExecutionTimeout

        executor = ExecutionTimeout(30).wrap(ThreadPoolExecutor(1))
        executor.submit(time.sleep, 0.3)
        executor.submit(print, "never").add_done_callback(lambda f: print(repr(f.exception())))
        """
    )
    assert "never" not in out
    assert "after interpreter shutdown" in out
