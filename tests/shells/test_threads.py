"""What holds for thread workers only: threads cannot be stopped, so they are counted and capped."""

from __future__ import annotations

import contextvars
import gc
import threading
from typing import Any

import pytest

from tests.shells.bench import Bench, ThreadBench
from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    QueueTimeout,
    QueueTimeoutError,
    Server,
    ThreadWorkers,
    TooManyAbandoned,
    WorkerLost,
    guard,
)
from timeouts.testing import Hang, ManualClock


def named(name: str) -> list[threading.Thread]:
    """Return the living threads of a handler of that name."""
    return [thread for thread in threading.enumerate() if name in thread.name]


def test_too_many_abandoned_threads_refuse_new_work_until_one_ends() -> None:
    """At the cap of 1 nothing starts beside the abandoned one; when it ends, all is well again."""

    async def scenario(bench: Bench) -> None:
        stuck = bench.stubborn()
        caller = await bench.running(stuck)
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        assert bench.books() == (0, 0, 1)
        assert bench.server.stats().free == 2
        error = await (await bench.call("refused")).error(TooManyAbandoned)
        assert (error.limit, error.started) == (1, False)
        stuck.release()
        await bench.heard("late", 1)
        assert await (await bench.call("served")).value() == "served"

    ThreadBench.play(scenario, ExecutionTimeout(5), slots=3, workers=ThreadWorkers(max_abandoned=1))


def test_who_waits_behind_too_many_abandoned_threads_starts_when_one_ends() -> None:
    """The cap holds back the queue as well, and lets it go on."""

    async def scenario(bench: Bench) -> None:
        stuck, busy = bench.stubborn(), bench.hold("busy")
        caller = await bench.running(stuck)
        await bench.at(3)
        second = await bench.running(busy)
        waiting = await bench.call("waited")
        await bench.at(5)
        await caller.error(ExecutionTimeoutError)
        busy.release()
        assert await second.value() == "busy"
        assert bench.books() == (1, 0, 1)
        stuck.release()
        assert await waiting.value() == "waited"

    ThreadBench.play(scenario, ExecutionTimeout(5), slots=2, workers=ThreadWorkers(max_abandoned=1))


def test_threads_never_exceed_slots_and_are_reused() -> None:
    """A hundred calls on one slot run on one and the same thread, three slots need three."""

    def whoami() -> int:
        return threading.get_ident()

    with Server(whoami, slots=1) as server:
        assert len({server.call() for _ in range(100)}) == 1

    barrier = threading.Barrier(3)

    def meet() -> int:
        barrier.wait(GUARD)
        return threading.get_ident()

    with Server(meet, slots=3) as server:
        seen = set()
        for _ in range(20):
            futures = [server.submit() for _ in range(3)]
            seen |= {future.result(GUARD) for future in futures}
        assert len(seen) == 3


def test_idle_threads_are_reused_before_new_ones_start() -> None:
    """A server with many slots that is called by one caller needs one thread."""
    with Server(threading.get_ident, slots=16) as server:
        assert len({server.call() for _ in range(100)}) == 1


def test_no_thread_before_the_first_call() -> None:
    """Making a server, or guarding a function, starts nothing."""
    before = set(threading.enumerate())
    server = Server(len, ExecutionTimeout(5), slots=4)
    guarded = guard(ExecutionTimeout(5))(len)
    assert set(threading.enumerate()) <= before
    server.close()
    guarded.close()
    assert set(threading.enumerate()) <= before


def test_threads_end_after_close() -> None:
    """Workers and the timer's thread, also when futures were used."""

    def closing() -> None: ...

    server = Server(closing, ExecutionTimeout(5), slots=4, clock=ManualClock())
    server.call()
    server.submit().result(GUARD)
    threads = named("closing")
    assert len(threads) >= 2
    server.close()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive()


@pytest.mark.parametrize("how", ["server", "guard"])
def test_threads_end_when_nobody_uses_them_any_more(how: str) -> None:
    """Neither a dropped server nor a dropped guard needs a close()."""

    def dropped() -> None: ...

    clock = ManualClock()
    used: Any
    if how == "server":
        used = Server(dropped, ExecutionTimeout(5), clock=clock)
        used.call()
    else:
        used = guard(ExecutionTimeout(5), clock=clock)(dropped)
        used()
    used.submit().result(GUARD)
    threads = named("dropped")
    assert len(threads) >= 2
    del used
    gc.collect()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive()


def test_an_abandoned_thread_ends_with_its_work() -> None:
    """Closing the server does not make it immortal."""
    with Hang() as hang:
        server = Server(hang.predict, slots=1)
        future = server.submit()
        hang.wait_for_entries(1)
        (thread,) = named("Hang.predict-1")
        server.close()
        with pytest.raises(WorkerLost):
            future.result(GUARD)
        assert server.stats().abandoned == 1
        hang.release()
        thread.join(GUARD)
        assert not thread.is_alive()
        assert server.stats().abandoned == 0


def test_a_thread_that_cannot_start_is_an_error_and_no_leak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operating system's refusal reaches the caller, and the slot is free."""
    server = Server(len, slots=1)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                server.call("abc")
    assert server.call("abc") == 3
    assert server.stats().free == 1
    server.close()


def test_futures_expire_without_anybody_waiting() -> None:
    """The timer's thread sees to it: one future in the queue, one running, both on time."""
    clock = ManualClock()
    with Hang() as hang:
        limits = QueueTimeout(5) | ExecutionTimeout(8)
        with Server(hang.predict, limits, slots=1, clock=clock) as server:
            runs, waits = server.submit(), server.submit()
            hang.wait_for_entries(1)
            clock.advance_to(5)
            assert isinstance(waits.exception(GUARD), QueueTimeoutError)
            assert not runs.done()
            clock.advance_to(8)
            error = runs.exception(GUARD)
            assert isinstance(error, ExecutionTimeoutError)
            assert error.elapsed == 8
            hang.release()
            hang.wait_for_exits(1)


def test_cancelling_a_future_withdraws_its_job() -> None:
    """Waiting or running; a settled one can no longer be cancelled."""
    with Hang("done") as hang, Server(hang.predict, slots=1) as server:
        runs, waits = server.submit(), server.submit()
        hang.wait_for_entries(1)
        assert waits.cancel()
        assert server.stats().waiting == 0
        assert runs.cancel()
        assert runs.cancel()
        assert server.stats()[:3] == (0, 0, 1)
        hang.release()
        settled = server.submit()
        assert settled.result(GUARD) == "done"
        assert not settled.cancel()
        assert dict(server.stats().outcomes) == {"withdrawn": 2, "completed": 1}


VARIABLE = contextvars.ContextVar("VARIABLE", default="nobody's")


def test_a_handler_sees_its_callers_context_variables() -> None:
    """And what it sets stays its own."""

    def look_and_set() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("the handler's")
        return seen

    with Server(look_and_set, slots=1) as server:
        VARIABLE.set("the caller's")
        assert server.call() == server.submit().result(GUARD) == "the caller's"
        assert VARIABLE.get() == "the caller's"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_no_error_of_a_handler_ends_its_thread(error: BaseException) -> None:
    """Whatever it raises goes to the caller; the worker serves on."""

    def fail(error: BaseException | None) -> int:
        if error is not None:
            raise error
        return threading.get_ident()

    with Server(fail, slots=1) as server:
        before = server.call(None)
        with pytest.raises(type(error)) as caught:
            server.call(error)
        assert caught.value is error
        assert server.call(None) == before


def test_close_from_inside_a_handler() -> None:
    """Its own caller has lost the worker; nothing waits for itself."""
    ended = threading.Event()

    def suicidal() -> None:
        server.close()
        ended.set()

    server = Server(suicidal, slots=1)
    with pytest.raises(WorkerLost):
        server.call()
    assert ended.wait(GUARD)
