"""Odd places to raise, to call, to close and to be collected in: no slot lost, nobody left waiting."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import pytest

from tests.shells.interruptible import InterruptibleClock
from tests.shells.recorder import GUARD, Recorder, error_of
from timeouts import (
    FIFO,
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    Job,
    Observer,
    Outcome,
    Phase,
    PolicyFailed,
    QueueTimeout,
    Server,
    TimeoutsError,
    Withdrawn,
    WorkerLost,
    checkpoint,
    guard,
    remaining,
)
from timeouts.gate import LoopGate
from timeouts.testing import Hang, ManualClock


def echo(value: Any = None) -> Any:
    return value


async def aecho(value: Any = None) -> Any:
    return value


def count(to: int) -> Generator[int, None, None]:
    yield from range(to)


# Withdrawals in odd places.


@pytest.mark.parametrize("collected", [False, True], ids=["by reference count", "by the collector"])
def test_a_withdrawal_from_inside_the_lock_is_no_deadlock(collected: bool) -> None:
    """A dropped stream's finalizer runs while this very thread is inside the core."""
    dropped: list[Any] = []

    class Dropping(FIFO):
        def push(self, job: Job) -> None:
            super().push(job)
            dropped.clear()
            gc.collect()

    recorder = Recorder()
    with Server(count, slots=1, discipline=Dropping, observers=[recorder]) as server:
        items = server.call(5)
        next(items)
        dropped.append(items)
        if collected:
            dropped.append(dropped[:])
            dropped[1].append(dropped[1])  # a cycle
        del items
        assert list(server.call(3)) == [0, 1, 2]  # waits, which drops the stream ahead of it
        assert dict(server.stats().outcomes) == {"withdrawn": 1, "completed": 1}


def test_two_threads_that_empty_the_inbox_at_once() -> None:
    """Both see one withdrawal there; the second to get the lock finds it gone, and minds it not."""
    clock = InterruptibleClock()
    with Hang() as hang, Server(hang.predict, slots=1, clock=clock) as server:
        runs, waits = server.submit(), server.submit()
        hang.wait_for_entries(1)
        shell = server._shell
        lock = shell._lock

        class Slow:
            """A lock that somebody else is always quicker to take."""

            def __init__(self) -> None:
                self.robbed = False

            def acquire(self, blocking: bool = True) -> bool:
                if not self.robbed:
                    self.robbed = True
                    shell._empty_inbox()
                return lock.acquire(blocking)

            release = lock.release
            __enter__ = lock.__enter__
            __exit__ = lock.__exit__

        shell._lock = Slow()  # type: ignore[assignment]
        assert waits.cancel()
        assert server.stats().waiting == 0
        hang.release()
        runs.result(GUARD)


def test_a_gate_of_a_dead_loop_rings_for_nobody() -> None:
    """A loop closed with a caller still waiting: its expiry must not blow up in another's lap."""

    async def wait(gate: LoopGate) -> None:
        await gate.wait()

    loop = asyncio.new_event_loop()
    gate = LoopGate(loop)
    waiting = wait(gate)
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gate.ring()
    thread = threading.Thread(target=gate.ring)
    thread.start()
    thread.join(GUARD)
    waiting.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_dead_loops_caller_expires_in_anothers_hands() -> None:
    """The next caller, in the same thread, ticks it, and gets its own answer all the same."""
    clock = ManualClock()
    with Hang() as hang, Server(hang.predict, GatewayTimeout(5), slots=2, clock=clock) as server:
        loop = asyncio.new_event_loop()
        call = server.acall()
        task = loop.create_task(call)
        loop.run_until_complete(asyncio.sleep(0))
        hang.wait_for_entries(1)
        loop.close()
        clock.advance(5)
        hang.release()
        hang.wait_for_exits(1)
        assert server.call() is None
        assert server.stats().outcomes["gateway_timeout"] == 1
        call.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]


# Closing in odd places.


class Closing(Observer):
    """Closes the server between the core's decision to start a job and the worker's start."""

    server: Server

    def started(self, job: Job, now: float) -> None:
        self.server.close()


@pytest.mark.parametrize("handler", [echo, aecho])
@pytest.mark.parametrize("warm", [False, True])
def test_a_close_just_before_a_start_leaks_nothing(handler: Any, warm: bool) -> None:
    """The caller is told, the call is finished as if it had run, and every thread ends."""
    recorder, closing = Recorder(), Closing()
    server = Server(handler, slots=1, observers=[recorder])
    if warm:
        server.call()
    server._announcer = server._shell._announcer = type(server._announcer)([closing, recorder])
    closing.server = server
    with pytest.raises(WorkerLost):
        server.call()
    recorder.wait_for("late", 1)
    assert server.stats()[:4] == (0, 0, 0, 1)
    for thread in threading.enumerate():
        if thread.name.startswith(handler.__name__):
            thread.join(GUARD)
            assert not thread.is_alive()


def test_close_from_a_futures_callback_and_from_an_observer() -> None:
    """Both run in the worker's thread, in the middle of the shell's obedience."""
    server = Server(echo, slots=1)
    closed = threading.Event()

    def close(_: Future[Any]) -> None:
        server.close()
        closed.set()

    future = server.submit(1)
    future.add_done_callback(close)
    assert closed.wait(GUARD)
    assert future.result(GUARD) == 1


# Calling in odd places.


def test_a_futures_callback_may_call_again() -> None:
    """With a slot free it is served, though the callback blocks the thread that finished."""
    results: Future[Any] = Future()
    with Hang(1) as hang, Server(run, slots=2) as server:

        def again(_: Future[Any]) -> None:
            try:
                results.set_result(server.call(2, budget=GUARD))
            except BaseException as error:
                results.set_exception(error)

        server.submit(hang.predict).add_done_callback(again)
        hang.release()
        assert results.result(2 * GUARD) == 2


def run(work: Any) -> Any:
    return work() if callable(work) else work


def test_a_call_from_inside_an_observer() -> None:
    """An arrival that makes another arrival: each has its answer."""

    class Doubling(Observer):
        def __init__(self) -> None:
            self.futures: list[Future[Any]] = []
            self.seen = 0

        def arrived(self, job: Job, now: float) -> None:
            self.seen += 1
            if self.seen <= 3:
                self.futures.append(server.submit("inner"))

    doubling = Doubling()
    with Server(echo, slots=1, observers=[doubling]) as server:
        assert server.call("outer") == "outer"
        assert [future.result(GUARD) for future in doubling.futures] == ["inner"] * 3


def test_a_handler_that_calls_itself_runs_on_in_its_slot() -> None:
    """It holds the only one: waiting for another it would wait for itself."""

    @guard(GatewayTimeout(5), slots=1, clock=ManualClock())
    def down(depth: int) -> int:
        return down(depth - 1) + 1 if depth else 0

    @guard(GatewayTimeout(5), slots=1, clock=ManualClock())
    def walk(depth: int) -> Iterator[int]:
        yield depth
        if depth:
            yield from walk(depth - 1)

    assert down(20) == 20
    assert list(walk(3)) == [3, 2, 1, 0]
    assert down.server.stats().arrived == walk.server.stats().arrived == 1
    down.close()
    walk.close()


def test_a_handler_that_calls_itself_when_its_time_is_up_ends_there() -> None:
    """Its caller has been told; going deeper would only hold the slot for longer."""
    clock, ended = ManualClock(), Recorder()

    @guard(GatewayTimeout(5), slots=1, clock=clock, observers=[ended])
    def down(depth: int) -> int:
        clock.advance(2)
        return down(depth + 1)

    with pytest.raises(GatewayTimeoutError):
        down(0)
    ended.wait_for("late", 1)
    (late,) = ended.of("late")
    assert isinstance(error_of(late), GatewayTimeoutError)
    assert clock.now() == 6
    down.close()


def test_a_call_with_a_budget_to_the_handlers_own_server_is_a_job_of_its_own() -> None:
    """It waits for a slot like any other, and its budget ends that wait."""
    clock = ManualClock()

    def recurse(depth: int) -> Any:
        return server.call(depth - 1, budget=5) if depth else "bottom"

    server = Server(recurse, slots=1, clock=clock)
    future = server.submit(1)
    clock.wait_for_waiters(1, finite=True)  # the inner caller
    clock.advance(5)
    assert isinstance(future.exception(GUARD), GatewayTimeoutError)
    server.close()


def test_nested_guards_in_threads_share_the_tightest_deadline() -> None:
    """The outer has 5 s, of which 2 have passed; the inner allows 30 and has 3."""
    clock = ManualClock()

    @guard(GatewayTimeout(30), clock=clock, slots=1)
    def inner() -> float:
        return remaining()

    @guard(GatewayTimeout(5), clock=clock, slots=1)
    def outer() -> float:
        clock.advance(2)
        return inner()

    assert outer() == 3
    assert inner() == 30
    inner.close()
    outer.close()


# Raising in odd places.


def test_a_futures_callback_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """concurrent.futures logs it; the next job starts."""

    def broken(_: Future[Any]) -> None:
        raise ZeroDivisionError

    with Hang(1) as hang, Server(run, slots=1) as server:
        first = server.submit(hang.predict)
        first.add_done_callback(broken)
        second = server.submit(2)
        hang.release()
        assert (first.result(GUARD), second.result(GUARD)) == (1, 2)
    assert "exception calling callback" in caplog.text


def test_stop_iteration_from_a_plain_handler() -> None:
    """It reaches a blocking caller and a future as itself; in a coroutine Python makes it an error."""

    def stop() -> None:
        raise StopIteration(7)

    with Server(stop, slots=1) as server:
        with pytest.raises(StopIteration):
            server.call()
        assert isinstance(server.submit().exception(GUARD), StopIteration)

        async def main() -> None:
            await server.acall()

        with pytest.raises(RuntimeError, match="StopIteration"):
            asyncio.run(main())
        assert dict(server.stats().outcomes) == {"failed": 3}


class Slotted(Exception):
    """An error without a `__dict__` of its own, which refuses a new traceback."""

    __slots__ = ()

    def with_traceback(self, tb: Any) -> Any:
        raise TypeError("my traceback is mine")


class ReadOnly(Exception):
    """An error whose traceback cannot be assigned."""

    @property
    def __traceback__(self) -> Any:
        return None

    @__traceback__.setter
    def __traceback__(self, value: Any) -> None:
        raise AttributeError("read-only")


@pytest.mark.parametrize("handler", [run, "task"])
@pytest.mark.parametrize("error", [Slotted, ReadOnly])
def test_errors_that_guard_their_traceback(handler: Any, error: type[Exception]) -> None:
    """They reach the caller like any other, and the slot is free."""

    def fail() -> None:
        raise error

    async def afail() -> None:
        raise error

    with Server(afail if handler == "task" else fail, slots=1) as server:
        for _ in range(2):
            with pytest.raises(error):
                server.call(budget=GUARD)
        assert dict(server.stats().outcomes) == {"failed": 2}


def test_a_handler_may_return_an_awaitable() -> None:
    """A plain function that returns a coroutine gives just that; nobody awaits it on the way."""

    def lazily(value: int) -> Any:
        return aecho(value)

    with Server(lazily, slots=1) as server:
        assert asyncio.run(server.call(5)) == 5


class Moody(GatewayTimeout):
    """A rule that breaks its contract: in one phase it raises."""

    phase: ClassVar[Phase]

    def deadline(self, job: Job) -> float:
        if job.phase is self.phase:
            raise ZeroDivisionError("a broken rule")
        return super().deadline(job)


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.RUNNING])
def test_a_broken_rule_is_its_callers_error_and_no_leak(phase: Phase) -> None:
    """Whoever calls under it is told what is broken; the books stay balanced."""

    class Broken(Moody):
        pass

    Broken.phase = phase
    with Server(echo, Broken(5), slots=1) as server:
        for _ in range(3):
            with pytest.raises(TimeoutsError, match="a broken rule") as caught:
                server.call(1)
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
        stats = server.stats()
        assert stats[:4] == (0, 0, 0, 1)
        assert stats.arrived == sum(stats.outcomes.values()) == 3


def test_wrong_arguments_are_the_callers_error() -> None:
    """As if the handler had been called directly, for plain calls and for streams."""
    with Server(echo, slots=1) as server, pytest.raises(TypeError, match="positional argument"):
        server.call(1, 2, 3)
    with Server(count, slots=1) as server:
        with pytest.raises(TypeError, match="positional argument"):
            list(server.call(1, 2, 3))
        assert server.stats().free == 1


def test_outcomes_are_not_mixed_up_under_a_storm_of_expiries() -> None:
    """Many waiting callers expire at one instant, each with its own error object."""
    clock = ManualClock()
    with Hang() as hang:
        limits = QueueTimeout(5) | ExecutionTimeout(50)
        with Server(hang.predict, limits, slots=1, clock=clock) as server:
            first = server.submit()
            hang.wait_for_entries(1)
            futures = [server.submit() for _ in range(200)]
            clock.advance(5)
            errors = [future.exception(GUARD) for future in futures]
            assert len({id(error) for error in errors}) == 200
            hang.release()
            first.result(GUARD)


def test_an_outcome_shows_itself() -> None:
    """For the log and the debugger."""
    assert repr(Outcome(3)) == "Outcome(value=3)"
    assert repr(Outcome(error=KeyError(1))) == "Outcome(error=KeyError(1))"


def test_a_callback_that_ends_the_world_ends_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """SystemExit from a future's callback: the next job still starts, on the same one thread."""
    entered = threading.Event()

    def leave(_: Future[Any]) -> None:
        raise SystemExit(3)

    with Hang(1) as hang, Server(run, slots=1) as server:
        first = server.submit(hang.predict)
        first.add_done_callback(leave)
        second = server.submit(entered.set)
        hang.release()
        assert first.result(GUARD) == 1
        assert entered.wait(GUARD)
        second.result(GUARD)
        assert server.stats().free == 1
    assert "was told the end of" in caplog.text


def test_eager_tasks_of_others_do_not_pile_up() -> None:
    """With an eager factory each end of a job would start the next one further down one stack."""

    async def work(number: int) -> int:
        return number

    async def main() -> list[int]:
        factory = getattr(asyncio, "eager_task_factory", None)
        asyncio.get_running_loop().set_task_factory(factory or plain_factory)
        async with Server(work, GatewayTimeout(60), slots=1) as server:
            answers = await asyncio.gather(*(server.acall(n) for n in range(900)))
            assert server.stats().outcomes == {"completed": 900}
            return answers

    assert asyncio.run(main()) == list(range(900))


def plain_factory(loop: Any, work: Any, **options: Any) -> Any:
    return asyncio.Task(work, loop=loop, **options)


def test_many_withdrawals_at_once_are_no_recursion() -> None:
    """They are taken from the inbox in a row, not one inside the other."""
    with Hang() as hang, Server(run, slots=1, capacity=5_000) as server:
        server.submit(hang.predict)
        futures = [server.submit(run) for _ in range(3_000)]
        shell = server._shell
        shell.read(lambda: [future.cancel() for future in futures])
        assert server.stats().outcomes == {"withdrawn": 3_000}
        hang.release()


def test_a_discipline_that_makes_no_queue_is_refused() -> None:
    """At construction, with the name of what is missing."""
    with pytest.raises(TypeError, match=r"discipline must make queues with push; .* makes 5"):
        Server(run, discipline=lambda: 5)  # type: ignore[arg-type, return-value]


def test_a_discipline_that_fails_answers_all_who_wait() -> None:
    """Nobody can say who is next, so all of them are told why; the server goes on."""

    class Forgetful(FIFO):
        def pop(self) -> Job:
            raise LookupError("whose turn is it?")

    with Hang(1) as hang, Server(run, slots=1, discipline=Forgetful) as server:
        first = server.submit(hang.predict)
        others = [server.submit(run) for _ in range(2)]
        hang.release()
        assert first.result(GUARD) == 1
        for future in others:
            error = future.exception(GUARD)
            assert isinstance(error, PolicyFailed)
            assert isinstance(error.__cause__, LookupError)
        assert server.call(lambda: 2) == 2


def test_observers_may_come_from_a_generator() -> None:
    """They are looked at once, and kept."""
    recorder = Recorder()
    with Server(run, observers=(o for o in [recorder])) as server:
        server.call(lambda: 1)
    assert [fact.hook for fact in recorder.facts] == ["arrived", "started", "answered"]


def test_work_whose_caller_has_left_has_no_time_left() -> None:
    """So a checkpoint ends it, though no deadline has passed."""
    begun, left = threading.Event(), threading.Event()
    seen: Future[Any] = Future()

    def work() -> None:
        begun.set()
        left.wait(GUARD)
        try:
            checkpoint()
        except BaseException as error:
            seen.set_result((remaining(), type(error)))

    with Server(work, GatewayTimeout(60)) as server:
        future = server.submit()
        assert begun.wait(GUARD)
        assert future.cancel()
        left.set()
        assert seen.result(GUARD) == (0.0, Withdrawn)


def test_a_stream_that_is_left_is_closed_at_once() -> None:
    """Its cleanup runs in the worker and does not wait for somebody to drop the generator."""
    kept: list[Any] = []
    closed = threading.Event()

    class Items:
        def __init__(self) -> None:
            kept.append(self)

        def __iter__(self) -> Items:
            return self

        def __next__(self) -> int:
            return 1

        def close(self) -> None:
            closed.set()

    def stream() -> Iterator[int]:
        yield 0

    with Server(stream) as server:
        items = server.callers.iterate(Items, (), {})
        assert next(items) == 1
        items.close()
        assert closed.wait(GUARD)
