"""What the conformance suite needs of a worker kind: a bench on which a server is tried out.

A scenario is one `async def` that any bench can run. On a virtual loop its awaits are real; a bench
of threads on a manual clock blocks instead, and its coroutine runs through in one step. A further
kind (a cluster) joins the suite by writing a `Bench` and adding it to those in `conftest.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, ClassVar

import pytest

from tests.shells.interruptible import InterruptibleClock
from tests.shells.recorder import GUARD, Fact, Recorder
from timeouts import Policy, Server, Stack
from timeouts.testing import VirtualLoop, run_virtual, settle

Limits = Policy | Stack | None
Scenario = Callable[["Bench"], Coroutine[Any, Any, None]]
END: Any = "the end of the stream"


class Hold:
    """Work that hangs until it is released, then gives its value, or calls it, or raises its error."""

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error
        self.begun = threading.Event()
        self.told_to_stop = threading.Event()

    def release(self) -> None:
        """Let the work end."""
        raise NotImplementedError


def ending(value: Any, error: BaseException | None) -> Any:
    """Give the value or raise the error, as a hold does in the end."""
    if error is not None:
        raise error
    return value() if callable(value) else value


class ThreadHold(Hold):
    """A hold for `def` handlers."""

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        super().__init__(value, error)
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    def __call__(self) -> Any:
        """Hang."""
        self.begun.set()
        assert self._released.wait(GUARD)
        return ending(self.value, self.error)


class TaskHold(Hold):
    """A hold for `async def` handlers; it swallows its cancellations if it is `stubborn`."""

    def __init__(
        self, value: Any = None, error: BaseException | None = None, *, stubborn: bool = False
    ) -> None:
        super().__init__(value, error)
        self.stubborn = stubborn
        self._loop: asyncio.AbstractEventLoop | None = None
        self._released = asyncio.Event()

    def release(self) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # it was stopped, and its loop is closed
            self._loop.call_soon_threadsafe(self._released.set)

    async def __call__(self) -> Any:
        """Hang."""
        self._loop = asyncio.get_running_loop()
        self.begun.set()
        while not self._released.is_set():
            try:
                await self._released.wait()
            except asyncio.CancelledError:
                self.told_to_stop.set()
                if not self.stubborn:
                    raise
        return ending(self.value, self.error)


class Boom(Exception):
    """The handler's own error."""


def give(value: Any) -> Any:
    """Return a value, also one that would itself be called or raised."""
    return value


def predict(work: Any) -> Any:
    """Do what the work says: call it, raise it, or return it."""
    if isinstance(work, BaseException):
        raise work
    return work() if callable(work) else work


async def apredict(work: Any) -> Any:
    """Do the same as a coroutine."""
    done = predict(work)
    return await done if asyncio.iscoroutine(done) else done


class Script:
    """What a stream gives, one after the other, and notes about how far it came."""

    def __init__(self, *steps: Any, returns: Any = None) -> None:
        self.steps = steps
        self.returns = returns
        self._notes: list[str] = []

    def note(self, word: str) -> None:
        """Write a note."""
        self._notes.append(word)

    @property
    def notes(self) -> list[str]:
        """What was noted."""
        return self._notes

    @property
    def given(self) -> int:
        """How many items were produced."""
        return self.notes.count("given")

    @property
    def closed(self) -> bool:
        """Whether the generator was closed."""
        return "closed" in self.notes


def produce(script: Script) -> Generator[Any, None, Any]:
    """Give the items of a script."""
    try:
        for step in script.steps:
            item = predict(step)
            script.note("given")
            yield item
        return script.returns
    finally:
        script.note("closed")


async def aproduce(script: Script) -> AsyncGenerator[Any, None]:
    """Give the items of a script as a coroutine does."""
    try:
        for step in script.steps:
            item = await apredict(step)
            script.note("given")
            yield item
    finally:
        script.note("closed")


class Caller(ABC):
    """Somebody who has called and waits."""

    @abstractmethod
    async def outcome(self) -> Any:
        """Return what the caller got, be it an exception."""

    @abstractmethod
    def leave(self) -> None:
        """Make the caller leave, as a cancellation or Ctrl-C does."""

    async def value(self) -> Any:
        """Return the value that the caller got."""
        got = await self.outcome()
        if isinstance(got, BaseException):
            raise got
        return got

    async def error(self, kind: type[BaseException]) -> Any:
        """Return the error that the caller got, which must be of just this class."""
        got = await self.outcome()
        assert type(got) is kind, f"expected {kind.__name__}, the caller got {got!r}"
        return got


class Consumer(ABC):
    """Somebody who iterates over a stream."""

    @abstractmethod
    def ask(self) -> Caller:
        """Ask for the next item, without waiting for it; `END` is the answer at the end."""

    @abstractmethod
    async def close(self) -> None:
        """Stop iterating."""

    async def next(self) -> Any:
        """Ask for the next item and wait for it."""
        return await self.ask().value()


class Bench(ABC):
    """A server on which a scenario is played, with time in the hands of the test."""

    server: Server
    workers: ClassVar[str]
    stop_mode: ClassVar[str]
    is_async: ClassVar[bool]
    left: ClassVar[type[BaseException]]
    sync_streams: ClassVar[bool] = False
    far: ClassVar[bool] = False
    """Whether work is done elsewhere: what comes and goes is a copy, and time is real there."""

    def __init__(self, limits: Limits, *, stream: bool = False, **options: Any) -> None:
        self.recorder = Recorder(self._on_fact())
        observers = (*options.pop("observers", ()), self.recorder)
        options = {"slots": 1, "workers": self.workers, "clock": self._clock(), **options}
        handlers = (apredict, aproduce) if self.is_async else (predict, produce)
        self.server = Server(handlers[stream], limits, observers=observers, **options)

    @classmethod
    @abstractmethod
    def play(cls, scenario: Scenario, limits: Limits, **options: Any) -> None:
        """Play a scenario on a new bench, and close it; the books must balance at the end."""

    @abstractmethod
    def _clock(self) -> Any:
        """Make the clock."""

    def _on_fact(self) -> Callable[[], object]:
        """Return what the recorder calls when it has a new fact."""
        return lambda: None

    @abstractmethod
    def caller(self, work: Any, **options: Any) -> Caller:
        """Have a caller call."""

    @abstractmethod
    def consumer(self, script: Script, **options: Any) -> Consumer:
        """Have a consumer that is about to iterate."""

    @abstractmethod
    async def drain(self, seconds: float) -> Caller:
        """Begin to drain; no new work is taken from here on."""

    @abstractmethod
    async def at(self, instant: float) -> None:
        """Move time on."""

    @abstractmethod
    async def heard(self, hook: str, count: int) -> list[Fact]:
        """Wait until a hook has been called that often, and no more often; return the facts."""

    async def call(self, work: Any, **options: Any) -> Caller:
        """Have a caller call, and wait until the call has arrived."""
        arrivals = len(self.recorder.of("arrived"))
        caller = self.caller(work, **options)
        await self.heard("arrived", arrivals + 1)
        return caller

    async def running(self, work: Hold, **options: Any) -> Caller:
        """Have a caller call, and wait until its work has begun."""
        caller = await self.call(work, **options)
        await self.begun(work)
        return caller

    def hold(self, value: Any = None, error: BaseException | None = None) -> Hold:
        """Make work that hangs until released, or until it is stopped where that can be done."""
        return TaskHold(value, error) if self.is_async else ThreadHold(value, error)

    def stubborn(self, value: Any = None, error: BaseException | None = None) -> Hold:
        """Make work that hangs until released, and cannot be stopped."""
        if self.is_async:
            return TaskHold(value, error, stubborn=True)
        return ThreadHold(value, error)

    def script(self, *steps: Any, returns: Any = None) -> Script:
        """Make a script for a stream."""
        return Script(*steps, returns=returns)

    async def begun(self, work: Hold) -> None:
        """Wait until work has begun."""
        assert work.begun.wait(GUARD)

    def is_same(self, got: Any, sent: Any) -> bool:
        """Tell whether something came back as itself."""
        return got is sent

    def raised_by(self, error: BaseException) -> str:
        """Return the name of the function that raised an error, by its traceback."""
        return traceback.extract_tb(error.__traceback__)[-1].name

    def seconds(self, number: float) -> Any:
        """Return what a time that a handler saw must equal; where time is real, a little is gone."""
        return pytest.approx(number, abs=0.9) if self.far else number

    def clean_up(self) -> None:  # noqa: B027 - most have nothing to do
        """Leave nothing behind."""

    def books(self) -> tuple[int, int, int]:
        """Return how many wait, run and are abandoned, once the books are found to balance."""
        stats = self.server.stats()
        assert stats.running + stats.abandoned + stats.free == stats.slots
        assert stats.arrived == sum(stats.outcomes.values()) + stats.waiting + stats.running
        return stats.waiting, stats.running, stats.abandoned

    def outcomes(self) -> dict[str, int]:
        """Return the counts of outcomes."""
        return dict(self.server.stats().outcomes)

    def told_early(self) -> int:
        """Return how many callers were answered before their work had ended."""
        answered = [fact.job for fact in self.recorder.of("answered")]
        return sum(job.error is not None and job.started < math.inf for job in answered)

    def check_at_end(self) -> None:
        """Every job was answered once and only once, and nothing runs on."""
        answered = [fact.job for fact in self.recorder.of("answered")]
        assert len(answered) == len(set(answered)) == self.server.stats().arrived
        assert self.books() == (0, 0, 0)
        assert len(self.recorder.of("late")) == self.told_early()


class ThreadCaller(Caller):
    """A thread that calls; what it gets is in a future."""

    def __init__(self, clock: InterruptibleClock, function: Callable[[], Any]) -> None:
        self._clock = clock
        self._got: Future[Any] = Future()
        self._thread = threading.Thread(target=self._run, args=(function,))
        self._thread.start()

    def _run(self, function: Callable[[], Any]) -> None:
        try:
            got = function()
        except BaseException as error:
            got = error
        self._got.set_result(got)
        self._clock.look_again()

    def settled(self) -> None:
        """Block until the thread waits on the clock, or is done."""
        self._clock.wait_for_thread(self._thread, self._got.done)

    async def outcome(self) -> Any:
        got = self._got.result(GUARD)
        self._thread.join(GUARD)
        return got

    def leave(self) -> None:
        self._clock.interrupt(self._thread)


class ThreadConsumer(Consumer):
    """A generator, advanced by one thread after the other."""

    def __init__(self, clock: InterruptibleClock, items: Generator[Any, None, Any]) -> None:
        self._clock = clock
        self._items = items

    def ask(self) -> Caller:
        return ThreadCaller(self._clock, self._next)

    def _next(self) -> Any:
        try:
            return next(self._items)
        except StopIteration as end:
            return END if end.value is None else (END, end.value)

    async def close(self) -> None:
        self._items.close()


class BlockingBench(Bench):
    """Callers that block in threads, on a manual clock."""

    left = KeyboardInterrupt

    @classmethod
    def play(cls, scenario: Scenario, limits: Limits, **options: Any) -> None:
        bench = cls(limits, **options)
        try:
            with bench.server:
                _run_through(scenario(bench))
                bench.recorder.wait_for("late", bench.told_early())
                bench.check_at_end()
        finally:
            bench.clean_up()

    def _clock(self) -> InterruptibleClock:
        self.clock = InterruptibleClock()
        return self.clock

    def caller(self, work: Any, **options: Any) -> Caller:
        return ThreadCaller(self.clock, lambda: self.server.call(work, **options))

    def consumer(self, script: Script, **options: Any) -> Consumer:
        return ThreadConsumer(self.clock, self.server.call(script, **options))

    async def drain(self, seconds: float) -> Caller:
        caller = ThreadCaller(self.clock, lambda: self.server.drain(seconds))
        caller.settled()
        return caller

    async def at(self, instant: float) -> None:
        self.clock.advance_to(instant)

    async def heard(self, hook: str, count: int) -> list[Fact]:
        self.recorder.wait_for(hook, count)
        facts = self.recorder.of(hook)
        assert len(facts) == count
        return facts


class ThreadBench(BlockingBench):
    """Thread workers."""

    workers = "thread"
    stop_mode = "abandon"
    is_async = False
    sync_streams = True


class BlockingTaskBench(BlockingBench):
    """Task workers on the server's own loop, called from threads."""

    workers = "task"
    stop_mode = "cancel"
    is_async = True


class TaskCaller(Caller):
    """A task that calls."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self.task = asyncio.create_task(work)

    async def outcome(self) -> Any:
        await asyncio.wait([self.task])
        if self.task.cancelled():
            return asyncio.CancelledError()
        return self.task.exception() or self.task.result()

    def leave(self) -> None:
        self.task.cancel()


class TaskConsumer(Consumer):
    """An async generator, advanced by one task after the other."""

    def __init__(self, items: AsyncGenerator[Any, None]) -> None:
        self._items = items

    def ask(self) -> Caller:
        return TaskCaller(self._next())

    async def _next(self) -> Any:
        try:
            return await anext(self._items)
        except StopAsyncIteration:
            return END

    async def close(self) -> None:
        await self._items.aclose()


class TaskBench(Bench):
    """Task workers on a virtual loop, called from tasks."""

    workers = "task"
    stop_mode = "cancel"
    is_async = True
    left = asyncio.CancelledError

    @classmethod
    def play(cls, scenario: Scenario, limits: Limits, **options: Any) -> None:
        async def main() -> None:
            bench = cls(limits, **options)
            async with bench.server:
                await scenario(bench)
                await bench.heard("late", bench.told_early())
                bench.check_at_end()

        # A paused stream has the server's timer thread wait on its behalf.
        run_virtual(main(), threads=bool(options.get("stream")))

    def _clock(self) -> Any:
        return VirtualLoop.running().clock

    def _on_fact(self) -> Callable[[], object]:
        self._seen = asyncio.Event()
        return functools.partial(VirtualLoop.running().call_soon_threadsafe, self._seen.set)

    def caller(self, work: Any, **options: Any) -> Caller:
        return TaskCaller(self.server.acall(work, **options))

    def consumer(self, script: Script, **options: Any) -> Consumer:
        return TaskConsumer(self.server.acall(script, **options))

    async def drain(self, seconds: float) -> Caller:
        caller = TaskCaller(self.server.adrain(seconds))
        await settle()
        return caller

    async def at(self, instant: float) -> None:
        await asyncio.sleep(instant - VirtualLoop.running().time())
        await settle()

    async def begun(self, work: Hold) -> None:
        await settle()
        assert work.begun.is_set()

    async def heard(self, hook: str, count: int) -> list[Fact]:
        while len(self.recorder.of(hook)) < count:
            self._seen.clear()
            await self._seen.wait()
        await settle()
        facts = self.recorder.of(hook)
        assert len(facts) == count
        return facts


class ThreadFromTasksBench(TaskBench):
    """Thread workers, called from tasks.

    A virtual loop does not stand still for a thread, so no limits can be tried here.
    """

    workers = "thread"
    stop_mode = "abandon"
    is_async = False

    @classmethod
    def play(cls, scenario: Scenario, limits: Limits, **options: Any) -> None:
        assert limits is None

        async def main() -> None:
            bench = cls(limits, **options)
            try:
                async with bench.server:
                    await scenario(bench)
                    await bench.heard("late", bench.told_early())
                    bench.check_at_end()
            finally:
                bench.clean_up()

        run_virtual(main(), threads=True)

    async def begun(self, work: Hold) -> None:
        assert work.begun.wait(GUARD)


def _run_through(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never suspends, on no loop at all."""
    try:
        scenario.send(None)
    except StopIteration:
        return
    scenario.close()
    raise AssertionError("a scenario on blocking callers has nothing to suspend for")
