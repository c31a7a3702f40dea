"""What holds for task workers only: cancellation is asked for, waited for, and left as it was."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.shells.bench import Bench, TaskBench
from tests.shells.recorder import GUARD, Recorder
from timeouts import (
    DeadlineExceeded,
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    GatewayTimeoutError,
    QueueTimeout,
    QueueTimeoutError,
    Server,
    WorkerLost,
    guard,
)
from timeouts.testing import AsyncHang, VirtualLoop, run_virtual, settle


async def echo(value: Any) -> Any:
    """Return the value after a turn of the loop."""
    await asyncio.sleep(0)
    return value


def cancelling() -> int:
    """Return how many cancellations the current task has been asked for."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def virtual(handler: Any, limits: Any = None, **options: Any) -> Server:
    """Return a server on the virtual loop's time."""
    return Server(handler, limits, clock=VirtualLoop.running().clock, **options)


@pytest.mark.parametrize("limit", [ExecutionTimeout(5), GatewayTimeout(5), QueueTimeout(5)])
def test_an_expiry_leaves_the_callers_cancel_count(limit: Any) -> None:
    """A timeout is an exception, never a cancellation of the caller's own task."""

    async def main() -> None:
        with AsyncHang() as hang:
            async with virtual(hang.predict, limit, slots=1) as server:
                first = asyncio.create_task(server.acall())
                await settle()
                if isinstance(limit, QueueTimeout):
                    with pytest.raises(QueueTimeoutError):
                        await server.acall()
                    hang.release()
                    await first
                else:
                    with pytest.raises(DeadlineExceeded):
                        await first
                    with pytest.raises(DeadlineExceeded):
                        await server.acall()
                assert cancelling() == 0

    run_virtual(main())


def test_a_callers_cancellation_stays_pending_as_it_was() -> None:
    """A task that was cancelled and goes on has the same count after a timed-out call."""

    async def main() -> None:
        async def stubborn() -> int:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(100)
            with AsyncHang() as hang:
                async with virtual(hang.predict, ExecutionTimeout(5)) as server:
                    with pytest.raises(ExecutionTimeoutError):
                        await server.acall()
            return cancelling()

        task = asyncio.create_task(stubborn())
        await settle()
        task.cancel()
        assert await task == 1

    run_virtual(main())


def test_inside_asyncio_timeout_the_tighter_one_wins() -> None:
    """asyncio's own timeout is a withdrawal to us; ours passes through it unharmed."""

    async def main() -> None:
        with AsyncHang() as hang:
            async with virtual(hang.predict, ExecutionTimeout(5)) as server:
                with pytest.raises(TimeoutError) as theirs:
                    async with asyncio.timeout(3):
                        await server.acall()
                assert type(theirs.value) is TimeoutError
                await settle()
                assert dict(server.stats().outcomes) == {"withdrawn": 1}
                with pytest.raises(ExecutionTimeoutError):
                    async with asyncio.timeout(30):
                        await server.acall()
                assert cancelling() == 0
                await settle()
                assert server.stats().abandoned == 0

    run_virtual(main())


def test_inside_a_task_group() -> None:
    """One call that expires cancels its siblings, which withdraw."""

    async def main() -> None:
        with AsyncHang() as hang:
            async with virtual(hang.predict, GatewayTimeout(30)) as server:

                async def calls() -> None:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(server.acall(budget=5))
                        group.create_task(server.acall())
                        group.create_task(server.acall())

                with pytest.raises(ExceptionGroup) as caught:
                    await calls()
                (error,) = caught.value.exceptions
                assert isinstance(error, GatewayTimeoutError)
                await settle()
                assert dict(server.stats().outcomes) == {"gateway_timeout": 1, "withdrawn": 2}
                assert server.stats().abandoned == 0
                assert VirtualLoop.running().time() == 5

    run_virtual(main())


def test_a_handler_that_swallows_its_cancellation_is_told_on_time() -> None:
    """The caller at 5; the slot is held, and counted as abandoned, until the handler gives in."""

    async def main() -> None:
        with AsyncHang("late", ignores=1) as hang:
            async with virtual(hang.predict, ExecutionTimeout(5), slots=1) as server:
                with pytest.raises(ExecutionTimeoutError) as caught:
                    await server.acall()
                assert VirtualLoop.running().time() == 5
                assert caught.value.work == "still running"
                assert server.stats()[:4] == (0, 0, 1, 0)
                waiting = asyncio.create_task(server.acall())
                await settle()
                assert server.stats().waiting == 1
                hang.release()
                assert await waiting == "late"
                assert str(caught.value.work) == "stopped"

    run_virtual(main())


def test_a_task_is_cancelled_once() -> None:
    """Withdrawal, expiry and close of one job ask its handler to stop a single time."""

    async def main() -> None:
        with AsyncHang(ignores=9) as hang:
            async with virtual(hang.predict, ExecutionTimeout(5)) as server:
                task = asyncio.create_task(server.acall())
                await hang.wait_for_entries(1)
                task.cancel()
                await hang.wait_for_cancellations(1)
                await asyncio.sleep(10)
                server.close()
                await settle()
                assert hang.cancellations == 1
                hang.release()

    run_virtual(main())


def never_eager(loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Make tasks as the loop does by itself; where users make them, none of ours begins at once."""
    return asyncio.Task(work, loop=loop, **options)


def test_a_handler_cancelled_before_its_first_step_runs_no_line() -> None:
    """Closed between the making of its task and the task's first step: the slot is free."""

    async def main() -> None:
        with AsyncHang() as hang:
            server = virtual(hang.predict, slots=1)
            asyncio.get_running_loop().set_task_factory(never_eager)
            caller = asyncio.create_task(server.acall())
            await asyncio.sleep(0)  # the caller's first step makes the handler's task
            assert server.stats().running == 1
            server.close()
            with pytest.raises(WorkerLost):
                await caller
            await settle()
            assert hang.entries == 0
            assert server.stats()[:4] == (0, 0, 0, 1)

    run_virtual(main())


def test_a_handlers_task_cancelled_from_outside_answers_its_caller() -> None:
    """Before its first step or after it, whoever cancels all tasks leaks no slot."""

    async def main() -> None:
        for turns in (1, 2, 3):
            with AsyncHang() as hang:
                server = virtual(hang.predict, slots=1)
                mine = asyncio.create_task(server.acall())
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in asyncio.all_tasks():
                    if task not in (mine, asyncio.current_task()):
                        task.cancel()
                if turns == 1:  # the handler's task may not exist yet
                    mine.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await mine
                await settle()
                assert server.stats().free == 1
                server.close()

    run_virtual(main())


@pytest.mark.parametrize("begun", [False, True])
def test_a_task_cancelled_from_outside_says_whether_it_had_begun(begun: bool) -> None:
    """The holder of a future is not told of work that stopped where no line of it ever ran."""

    async def main() -> None:
        with AsyncHang() as hang:
            async with virtual(hang.predict) as server:
                before = asyncio.all_tasks()
                future = server.submit()
                if begun:
                    await hang.wait_for_entries(1)
                (task,) = asyncio.all_tasks() - before
                task.cancel()
                await settle()
                lost = future.exception(0)
                assert isinstance(lost, WorkerLost)
                assert (lost.started, lost.work) == (
                    (True, "stopped") if begun else (False, "never started")
                )
                assert hang.entries == begun

    run_virtual(main())


def test_the_end_of_a_loop_leaks_no_slot() -> None:
    """asyncio.run cancels what is left; another run on the same server finds all slots free."""

    async def leave_hanging(server: Server, count: int) -> None:
        for _ in range(count):
            asyncio.ensure_future(server.acall())  # noqa: RUF006
        for _ in range(count):
            await asyncio.sleep(0)

    async def forever() -> None:
        await asyncio.Event().wait()

    server = Server(forever, slots=2)
    for count in (1, 2, 5):
        asyncio.run(leave_hanging(server, count))
        assert server.stats()[:4] == (0, 0, 0, 2)
    server.close()


def test_a_loop_that_is_closed_with_everything_pending_leaks_no_slot() -> None:
    """Nobody cancels anything; the call's coroutine is dropped, its job withdrawn, its slot free."""

    async def forever() -> None:
        await asyncio.Event().wait()

    server = Server(forever, slots=1)
    loop = asyncio.new_event_loop()
    call = server.acall()
    task = loop.create_task(call)
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    assert server.stats().running == 1
    loop.close()
    call.close()
    assert server.stats()[:4] == (0, 0, 0, 1)
    assert dict(server.stats().outcomes) == {"withdrawn": 1}
    for left in (task, *asyncio.all_tasks(loop)):
        left._log_destroy_pending = False  # type: ignore[attr-defined]
    server.close()
    del task, left
    gc.collect()


# Callers without a loop.


@pytest.mark.parametrize("entered", [False, True])
def test_threads_may_call_an_async_handler(entered: bool) -> None:
    """On the loop of `async with`, or on one of the server's own."""

    async def where() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    async def main() -> None:
        async with Server(where) as server:
            seen = await asyncio.to_thread(server.call)
            assert seen == threading.get_ident()
            future = await asyncio.to_thread(server.submit)
            assert await asyncio.wrap_future(future) == threading.get_ident()

    if entered:
        asyncio.run(main())
        return
    with Server(where) as server:
        first = server.call()
        assert first != threading.get_ident()
        assert server.submit().result(GUARD) == first


def test_work_is_cancelled_on_the_loop_that_it_runs_on() -> None:
    """Submitted before the server was entered on another loop, which is home to what comes later."""
    recorder = Recorder()
    begun = threading.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    server = Server(forever, observers=[recorder])
    future = server.submit()
    assert begun.wait(GUARD)

    async def main() -> None:
        async with server:
            future.cancel()
            await asyncio.to_thread(recorder.wait_for, "late", 1)

    asyncio.run(main())
    assert server.stats().abandoned == 0


def test_a_call_that_would_block_its_own_loop_is_refused() -> None:
    """The error says what to write instead, and nothing has arrived."""

    async def main() -> None:
        async with Server(echo) as server:
            with pytest.raises(RuntimeError, match=r"call\(\) would block .* echo .*await acall"):
                server.call(1)
            assert server.stats().arrived == 0
            assert await server.acall(1) == 1

    asyncio.run(main())


def test_a_stream_that_would_block_its_own_loop_is_refused() -> None:
    """At the first item, since nothing happens before it."""

    async def items() -> AsyncGenerator[int, None]:
        yield 1

    async def main() -> None:
        async with Server(items) as server:
            with pytest.raises(RuntimeError, match="would block"):
                next(server.call())
            assert [item async for item in server.acall()] == [1]

    asyncio.run(main())


def test_a_handler_that_blocks_on_its_own_server_is_refused() -> None:
    """Recursion by call() from the server's own loop would wait for itself for ever."""

    async def recurse(depth: int) -> Any:
        return server.call(depth - 1) if depth else "bottom"

    with Server(recurse) as server, pytest.raises(RuntimeError, match="would block"):
        server.call(1, budget=1)


def test_a_handler_may_await_its_own_server() -> None:
    """Recursion by acall is a call like any other, under the tightest deadline of all."""

    async def recurse(depth: int) -> Any:
        return await server.acall(depth - 1) if depth else "bottom"

    with Server(recurse) as server:
        assert server.call(20) == "bottom"


def test_a_with_block_inside_a_loop_is_refused() -> None:
    """Leaving it could not wait for tasks of the same loop: the message names `async with`."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="write `async with` for <Server of echo"):
            Server(echo).__enter__()

    asyncio.run(main())


def test_leaving_by_an_exception_closes_at_once() -> None:
    """Who runs has lost his worker; the block's own exception goes on."""

    async def main() -> None:
        with AsyncHang() as hang:
            server = virtual(hang.predict)
            task = asyncio.create_task(server.acall())

            async def block() -> None:
                async with server:
                    await hang.wait_for_entries(1)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await block()
            assert server.stats().abandoned == 0
            with pytest.raises(WorkerLost):
                await task

    run_virtual(main())


def test_leaving_waits_for_what_runs() -> None:
    """Up to the drain's limit, in the loop's own time."""

    async def main() -> None:
        async def slow() -> str:
            await asyncio.sleep(20)
            return "done"

        async with virtual(slow, drain_timeout=30) as server:
            task = asyncio.create_task(server.acall())
            await settle()
        assert VirtualLoop.running().time() == 20
        assert await task == "done"

    run_virtual(main())


def test_several_loops_share_one_server() -> None:
    """Each caller's work runs on its own loop; slots and books are common."""

    async def where(value: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return value, threading.get_ident()

    async def many(server: Server) -> None:
        calls = [server.acall(value) for value in range(50)]
        assert await asyncio.gather(*calls) == [(v, threading.get_ident()) for v in range(50)]

    server = Server(where, GatewayTimeout(60), slots=3)
    with ThreadPoolExecutor(4) as threads:
        for running in [threads.submit(asyncio.run, many(server)) for _ in range(4)]:
            running.result(GUARD)
    stats = server.stats()
    assert (stats.arrived, dict(stats.outcomes), stats.free) == (200, {"completed": 200}, 3)
    server.close()


VARIABLE = contextvars.ContextVar("VARIABLE", default="nobody's")


def test_a_handler_sees_its_callers_context_variables() -> None:
    """And what it sets stays its own."""

    async def look_and_set() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("the handler's")
        return seen

    async def main() -> None:
        VARIABLE.set("the caller's")
        async with Server(look_and_set) as server:
            assert await server.acall() == "the caller's"
            assert VARIABLE.get() == "the caller's"

    asyncio.run(main())


def test_code_that_outlives_its_job_is_under_no_limit() -> None:
    """A background task that the handler started has all the time in the world afterwards."""
    from timeouts import remaining

    async def main() -> None:
        seen: list[float] = []
        background: list[asyncio.Task[None]] = []

        async def look() -> None:
            seen.append(remaining())
            await asyncio.sleep(100)
            seen.append(remaining())

        async def start() -> None:
            background.append(asyncio.create_task(look()))
            await asyncio.sleep(1)

        async with virtual(start, ExecutionTimeout(5)) as server:
            await server.acall()
            await background[0]
        assert seen == [5, float("inf")]

    run_virtual(main())


def test_nested_guards_share_the_tightest_deadline() -> None:
    """The inner one allows 30, the outer 5: the inner handler knows, and is stopped at 5."""
    told: list[Any] = []

    async def scenario(bench: Bench) -> None:
        @guard(GatewayTimeout(30), clock=VirtualLoop.running().clock)
        async def inner() -> None:
            from timeouts import remaining

            told.append(remaining())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(VirtualLoop.running().time())
                raise

        outer = await bench.call(inner)
        await bench.at(5)
        await outer.error(ExecutionTimeoutError)
        await settle()
        assert told == [5, 5]

    TaskBench.play(scenario, ExecutionTimeout(5))
