"""The pool between two fires: answers, expiries and burials that meet, put into their worst order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.shells.bench import Bench
from tests.shells.process_bench import ProcessBench
from tests.shells.recorder import GUARD, error_of
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    Job,
    Observer,
    PayloadError,
    ProcessWorkers,
    Server,
    WorkerLost,
)
from timeouts.call import Call
from timeouts.workers.process.channel import Worker
from timeouts.workers.process.post import Post

pytestmark = pytest.mark.realtime


def pool_of(bench: Bench) -> Any:
    return bench.server._shell.pool


class AtStart(Observer):
    """Does something when the first job has been started, and is not yet on its way to a worker."""

    def __init__(self) -> None:
        self.act: Any = None

    def started(self, job: Job, now: float) -> None:
        act, self.act = self.act, None
        if act is not None:
            act()


def test_work_that_is_answered_before_it_is_sent_is_only_finished() -> None:
    """Nobody would come to stop it later: it must not begin. Its worker serves the next."""
    between = AtStart()

    async def scenario(bench: Bench) -> None:
        assert isinstance(bench, ProcessBench)
        (worker,) = pool_of(bench).roster.idle

        def expire() -> None:
            bench.clock.advance_to(5)
            bench.server._shell.tick(5)

        between.act = expire
        work = bench.hold()
        await (await bench.call(work)).error(ExecutionTimeoutError)
        await bench.heard("late", 1)
        assert bench.books() == (0, 0, 0)
        assert await (await bench.call("next")).value() == "next"
        assert tuple(pool_of(bench).roster.idle) == (worker,)

    ProcessBench.play(scenario, ExecutionTimeout(5), observers=[between])


def test_a_worker_that_is_to_be_stopped_takes_no_further_call() -> None:
    """Its answer has been read and not yet heard when its call expires: the next has a new worker."""

    async def scenario(bench: Bench) -> None:
        pool: Any = pool_of(bench)
        read, cancelled = threading.Event(), threading.Event()
        hear, cancel = pool.hear, pool.cancel

        def hear_late(worker: Worker, frames: Any) -> None:
            pool.hear = hear
            read.set()
            assert cancelled.wait(GUARD)
            hear(worker, frames)

        def tell_cancel(call: Any) -> None:
            cancel(call)
            cancelled.set()

        work = bench.hold("at the last moment")
        first = await bench.running(work)
        second = await bench.call("next")
        pool.hear, pool.cancel = hear_late, tell_cancel
        work.release()
        assert read.wait(GUARD)
        await bench.at(5)
        await first.error(ExecutionTimeoutError)
        assert await second.value() == "next"
        await bench.heard("late", 1)  # with the value or without, depending on who was faster

    ProcessBench.play(scenario, ExecutionTimeout(5))


@pytest.mark.parametrize("spares", [0, 1])
def test_a_worker_may_be_settled_again(spares: int) -> None:
    """Its slot goes once, also where a spare has taken its place."""

    async def scenario(bench: Bench) -> None:
        pool: Any = pool_of(bench)
        (worker,) = pool.roster.idle
        work = bench.hold()
        caller = await bench.running(work)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        await bench.heard("late", 1)
        assert await (await bench.call("next")).value() == "next"
        pool.settle(worker)
        pool.settle(worker)
        assert worker not in pool.roster.idle
        assert (bench.server.stats().slots, len(pool.roster.idle)) == (1, 1)
        assert await (await bench.call("again")).value() == "again"

    workers = ProcessWorkers(spares=spares)
    ProcessBench.play(scenario, ExecutionTimeout(5), workers=workers)


def test_what_cannot_be_written_costs_only_its_own_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for the arguments, say: nothing was sent, so nothing started, and the worker is fit."""
    wrap = Post.wrap

    def fail_once(*_: Any) -> bytes:
        monkeypatch.setattr(Post, "wrap", wrap)
        raise MemoryError("not so much")

    async def scenario(bench: Bench) -> None:
        (worker,) = pool_of(bench).roster.idle
        monkeypatch.setattr(Post, "wrap", fail_once)
        error = await (await bench.call("first")).error(PayloadError)
        assert str(error) == "the arguments could not be sent: MemoryError: not so much"
        assert isinstance(error.__cause__, MemoryError)
        assert (error.started, error.work) == (False, "never started")
        assert await (await bench.call("next")).value() == "next"
        assert tuple(pool_of(bench).roster.idle) == (worker,)

    ProcessBench.play(scenario, None)


def test_the_next_item_is_asked_for_once() -> None:
    """A ring that comes while the worker produces asks for nothing."""

    async def scenario(bench: Bench) -> None:
        hold = bench.hold(2)
        script = bench.script(1, hold, 3)
        items = bench.consumer(script)
        assert await items.next() == 1
        asked = items.ask()
        await bench.begun(hold)
        (job,) = (fact.job for fact in bench.recorder.of("started"))
        call: Any = job
        call.demand.ring()
        hold.release()
        assert await asked.value() == 2
        assert script.given == 2
        assert await items.next() == 3
        await items.close()
        (fact,) = await bench.heard("late", 1)
        assert error_of(fact) is None

    ProcessBench.play(scenario, None, stream=True)


def test_a_pool_is_not_opened_by_its_close() -> None:
    """A server that was never used has no processes to end."""
    bench = ProcessBench(None)
    bench.server.close()
    assert pool_of(bench).quiet
    bench.clean_up()


def test_a_worker_that_is_buried_while_it_is_asked_was_never_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever buries it cannot know; who asked it does, a moment later, and so a retry is safe."""
    ask = Worker.ask

    def too_late(worker: Worker, call: Call) -> None:
        monkeypatch.undo()
        os.kill(worker.pid, signal.SIGKILL)
        _wait_for(lambda: worker.gone)
        ask(worker, call)

    with Server(os.getpid, workers="process", slots=1) as server:
        monkeypatch.setattr(Worker, "ask", too_late)
        with pytest.raises(WorkerLost) as lost:
            server.call()
        assert (lost.value.started, lost.value.work) == (False, "never started")
        assert server.call() > 0
        assert server.stats().free == 1


def _wait_for(so: Callable[[], bool]) -> None:
    limit = time.monotonic() + GUARD
    while not so():
        assert time.monotonic() < limit
        time.sleep(0.005)
