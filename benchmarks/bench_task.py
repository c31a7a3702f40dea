"""A guarded `async def` against `asyncio.wait_for` and `asyncio.timeout`.

Before Python 3.12 `wait_for` made a task of what it awaited, as a guarded call still does; since then
it awaits in the caller's own task, which is what `asyncio.timeout` does in every version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from measure import Subject, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, guard

LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)


async def handler(x: int) -> int:
    """Do nothing: what is left is what the call costs."""
    return x


async def with_timeout(x: int) -> int:
    async with asyncio.timeout(10):
        return await handler(x)


async def with_task(x: int) -> int:
    async with asyncio.timeout(10):
        return await asyncio.create_task(handler(x))


def on(runner: asyncio.Runner, call: Callable[[int], Awaitable[int]], count: int) -> Subject:
    """Make a subject of one caller on a loop."""

    async def calls(count: int) -> None:
        for x in range(count):
            assert await call(x) == x

    return per_operation(lambda count: runner.run(calls(count)), count)


def main() -> None:
    quick = is_quick(__doc__)
    print_header("an `async def`, three policies")
    count, rounds = (10, 1) if quick else (800, 60)
    guarded = guard(LIMITS)(handler)
    with asyncio.Runner() as runner:
        subjects = {
            "wait_for": on(runner, lambda x: asyncio.wait_for(handler(x), 10), count),
            "timeout": on(runner, with_timeout, count),
            "timeout, in a task": on(runner, with_task, count),
            "guarded": on(runner, guarded, count),
        }
        print_costs(take_turns(subjects, rounds), most_times={"guarded": 2.5})
    guarded.close()


if __name__ == "__main__":
    main()
