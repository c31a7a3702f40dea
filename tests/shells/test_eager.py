"""From Python 3.12 on, the work of an `acall` that finds a free slot begins at once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from timeouts import ExecutionTimeout, ExecutionTimeoutError, Server, guard
from timeouts.testing import VirtualLoop, run_virtual, settle

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks before 3.12")


def test_work_begins_before_the_caller_suspends() -> None:
    """As in a direct await: work that never suspends is done without a turn of the loop."""

    async def main() -> None:
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1

        asyncio.get_running_loop().call_soon(count)
        assert await guard(ExecutionTimeout(5))(_double)(2) == 4
        assert turns == 0

    run_virtual(main())


def test_work_has_a_task_of_its_own() -> None:
    """Eager or not, what expires is the work's task and never its caller's."""

    async def which() -> Any:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        return before

    async def main() -> None:
        server = Server(which, clock=VirtualLoop.running().clock)
        assert await server.acall() is not asyncio.current_task()

    run_virtual(main())


def test_work_that_is_granted_a_slot_later_begins_on_a_turn_of_its_own() -> None:
    """A long queue of jobs that never suspend must not pile up on one stack."""

    async def main() -> None:
        server = Server(_double, slots=1, capacity=2000)
        got = await asyncio.gather(*(server.acall(n) for n in range(2000)))
        assert got == [2 * n for n in range(2000)]

    run_virtual(main())


def test_nested_calls_do_not_pile_up_on_one_stack() -> None:
    """A guarded function that calls itself goes as deep as it did without eager tasks."""

    @guard(ExecutionTimeout(5))
    async def down(n: int) -> int:
        return await down(n - 1) + 1 if n else 0

    run_virtual(_value(down, 300))


def test_a_deadline_that_passes_in_the_first_step_cancels_the_work() -> None:
    """Whoever lets time pass then finds no task to cancel yet."""

    async def main() -> None:
        loop = VirtualLoop.running()
        cancelled = False

        async def work() -> None:
            nonlocal cancelled
            server._shell.tick(loop.time() + 5)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled = True
                raise

        server = Server(work, ExecutionTimeout(5), clock=loop.clock, slots=1)
        with pytest.raises(ExecutionTimeoutError):
            await server.acall()
        await settle()
        assert cancelled
        assert server.stats().free == 1

    run_virtual(main())


async def _double(x: int) -> int:
    return 2 * x


async def _value(function: Any, x: int) -> None:
    assert await function(x) == x
