"""Test an hour in a moment: time is an argument, so a test moves it and never sleeps."""

import asyncio
import math

from timeouts import ExecutionTimeout, GatewayTimeout, Server, TimeoutsError
from timeouts.testing import Hang, ManualClock, VirtualLoop, run_virtual


def test_a_hung_thread_is_answered_after_an_hour() -> None:
    """Threads: time stands still until the test moves it."""
    clock = ManualClock()
    with Hang() as hang, Server(hang.predict, GatewayTimeout(3600), clock=clock) as server:
        future = server.submit()
        hang.wait_for_entries(1)  # the handler hangs
        clock.wait_for_waiters(1, finite=True)  # the timer waits for the deadline
        clock.advance_to(math.nextafter(3600, 0))
        assert not future.done()
        clock.advance_to(3600)  # a deadline equal to now has passed
        error = future.exception(timeout=5)
        print(f"thread: {error}; {server.stats().abandoned} abandoned")


async def test_a_slow_task_is_cancelled_after_an_hour() -> None:
    """Coroutines: the loop jumps to the next timer."""

    async def predict() -> None:
        await asyncio.sleep(10_000)

    clock = VirtualLoop.running().clock
    async with Server(predict, ExecutionTimeout(3600), clock=clock) as server:
        try:
            await server.acall()
        except TimeoutsError as error:
            print(f"task: {error}, at {clock.now():g}")


if __name__ == "__main__":
    test_a_hung_thread_is_answered_after_an_hour()
    run_virtual(test_a_slow_task_is_cancelled_after_an_hour())

# prints:
#   thread: was not answered after ... s; GatewayTimeout allows 3600 s; 1 abandoned
#   task: ran for ... s; ExecutionTimeout allows 3600 s, at 3600
