"""A loop whose time jumps: exactly to the next timer, never while somebody is ready, never into a hang."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from timeouts.gate import Gate
from timeouts.testing import Deadlock, Hang, LeakedTasks, VirtualLoop, run_virtual, settle


def on_loop(loop: VirtualLoop, main: Callable[[], object]) -> None:
    """Run a coroutine function on a given loop and close it, whatever happens."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())  # type: ignore[arg-type]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def test_time_jumps_to_the_next_timer() -> None:
    """A year is as short as a second, and the clock shows it exactly."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        seen = [loop.time()]
        for seconds in (1, 365 * 24 * 3600, 0.5):
            await asyncio.sleep(seconds)
            seen.append(loop.time())
        return seen

    assert run_virtual(main()) == [0, 1, 31_536_001, 31_536_001.5]


@pytest.mark.parametrize("start", [0, 0.1, 1e6, 1e9 + 0.1, 1e15])
def test_a_timer_fires_at_its_own_instant_to_the_last_bit(start: float) -> None:
    """Also where a nanosecond is less than the smallest step of a float."""
    instants = [start + gap for gap in (0.1, 0.1 + 0.2, 0.3, 1, 7)]
    seen = []

    async def main() -> None:
        loop = VirtualLoop.running()
        for instant in instants:
            loop.call_at(instant, lambda instant=instant: seen.append((instant, loop.time())))  # type: ignore[misc]
        await asyncio.sleep(10)

    on_loop(VirtualLoop(start), main)
    assert seen == [(instant, instant) for instant in sorted(instants)]


def test_equal_instants_fire_together_and_others_do_not() -> None:
    """A timer at 2 and one a hair later are two moments."""
    later = math.nextafter(2, 3)
    seen = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for instant in (later, 2, 2):
            loop.call_at(instant, lambda: seen.append(loop.time()))
        await asyncio.sleep(3)

    run_virtual(main())
    assert seen == [2, 2, later]


def test_no_time_passes_while_anybody_is_ready() -> None:
    """A timer due in a microsecond loses against a thousand turns of ready work."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1e-6, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return loop.time()

    assert run_virtual(main()) == 0


def test_cancelled_timers_are_not_jumped_to() -> None:
    """Not even a thousand of them, at which point asyncio rebuilds its heap."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        for timer in [loop.call_later(gap + 1, lambda: None) for gap in range(1000)]:
            timer.cancel()
        await asyncio.sleep(5000)
        return loop.time()

    assert run_virtual(main()) == 5000


def test_asyncio_s_own_timeouts_work() -> None:
    """`asyncio.timeout` fires at its instant and leaves longer work cancelled."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.sleep(1_000_000)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 3


def test_debug_mode_works() -> None:
    """asyncio's debug mode measures callbacks by the loop's clock, on which they take no time."""

    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        await asyncio.sleep(1)

    run_virtual(main())


# ── deadlock ─────────────────────────────────────────────────────────────────────────────────────


def test_a_deadlock_is_raised_and_names_who_waits() -> None:
    """The message has the instant, the tasks and the lines where they stand."""

    async def main() -> None:
        await asyncio.sleep(3)
        task = asyncio.create_task(asyncio.Event().wait(), name="the-other")
        await task

    with pytest.raises(Deadlock, match="at 3 nothing is ready and no timer is set") as caught:
        run_virtual(main())
    message = str(caught.value)
    assert "the-other: Event.wait" in message
    assert "main, line " in message
    assert "test_virtual_loop.py" in message


def test_a_deadlock_still_ends_everything_properly() -> None:
    """Tasks are cancelled, so their `finally` runs, and may still wait for timers."""
    ended = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            ended.append("main")

    with pytest.raises(Deadlock):
        run_virtual(main())
    assert ended == ["main"]


def test_a_timer_at_infinity_is_no_timer() -> None:
    """Never is not an instant to jump to."""

    async def main() -> None:
        asyncio.get_running_loop().call_at(math.inf, lambda: None)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(main())


def test_a_loop_with_nothing_to_do_at_all_is_a_deadlock() -> None:
    """Running for ever without any task would hang too."""
    loop = VirtualLoop()
    try:
        with pytest.raises(Deadlock, match="no task at all"):
            loop.run_forever()
    finally:
        loop.close()


# ── settling ─────────────────────────────────────────────────────────────────────────────────────


def test_settling_waits_until_all_others_are_blocked() -> None:
    """However many turns they need, and without any time passing."""
    steps = []

    async def busy(name: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        steps.append(name)
        await asyncio.sleep(1)
        steps.append(f"{name} later")

    async def main() -> None:
        tasks = [asyncio.create_task(busy("a", 3)), asyncio.create_task(busy("b", 50))]
        await settle()
        assert steps == ["a", "b"]
        assert asyncio.get_running_loop().time() == 0
        await asyncio.gather(*tasks)
        assert steps[2:] == ["a later", "b later"]

    run_virtual(main())


def test_many_may_settle_and_one_may_give_up() -> None:
    """A cancelled one does not keep the others waiting."""

    async def main() -> None:
        quitter = asyncio.create_task(settle())
        others = [asyncio.create_task(settle()) for _ in range(3)]
        await asyncio.sleep(0)
        quitter.cancel()
        await asyncio.gather(*others)
        assert quitter.cancelled()

    run_virtual(main())


def test_a_settling_task_that_is_cancelled_in_its_last_moment_is_left_alone() -> None:
    """Its future is cancelled while the loop finds itself idle."""

    async def main() -> None:
        loop = VirtualLoop.running()
        waiting = asyncio.ensure_future(loop.settle())
        await asyncio.sleep(0)
        loop._settling[0].cancel()
        await settle()
        assert waiting.cancelled()

    run_virtual(main())


def test_settling_needs_a_virtual_loop() -> None:
    """On another loop nobody knows when all are blocked."""
    with pytest.raises(TypeError, match="the running loop must be a VirtualLoop"):
        asyncio.run(settle())


# ── how a run ends ───────────────────────────────────────────────────────────────────────────────


def test_a_task_left_behind_is_an_error() -> None:
    """It is named, and cancelled all the same."""
    ended = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main() -> set[asyncio.Task[None]]:
        return {asyncio.create_task(linger(), name="lingerer")}

    with pytest.raises(LeakedTasks, match=r"left tasks behind:\n  - lingerer: .*linger, line "):
        run_virtual(main())
    assert ended == [0]


def test_a_task_that_is_about_to_end_is_not_left_behind() -> None:
    """What needs only turns, no time, may end after the coroutine."""

    async def ending() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(ending())

    assert run_virtual(main()).done()


def test_leaving_tasks_behind_can_be_allowed() -> None:
    """Then they are cancelled quietly, as `asyncio.run` does."""

    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(1_000))

    assert run_virtual(main(), leaks_ok=True).cancelled()


def test_an_error_comes_out_as_itself() -> None:
    """It is not covered up by a complaint about the tasks it left behind."""

    async def main() -> None:
        left = asyncio.get_running_loop().create_task(asyncio.sleep(1_000))
        raise ZeroDivisionError(left)

    with pytest.raises(ZeroDivisionError):
        run_virtual(main())


def test_async_generators_are_closed() -> None:
    """As `asyncio.run` does."""
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    kept = numbers()

    async def main() -> int:
        return await anext(kept)

    assert run_virtual(main()) == 1
    assert closed == [True]


# ── threads ──────────────────────────────────────────────────────────────────────────────────────


def test_a_wake_from_a_thread_is_waited_for() -> None:
    """A loop without a timer blocks, really, until the thread comes."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(
            target=lambda: loop.call_soon_threadsafe(done.set_result, "from a thread")
        )
        thread.start()
        try:
            return await done
        finally:
            thread.join()

    for _ in range(50):
        assert run_virtual(main(), threads=True) == "from a thread"


def test_the_executor_works_and_is_shut_down() -> None:
    """No timer of asyncio's own shutdown jumps ahead of the threads."""

    async def main() -> int:
        return await asyncio.to_thread(threading.get_ident)

    before = threading.active_count()
    assert run_virtual(main(), threads=True) != threading.get_ident()
    assert threading.active_count() == before


def test_time_jumps_while_a_thread_hangs() -> None:
    """That is how a hung thread is timed out."""

    async def main() -> None:
        loop = VirtualLoop.running()
        with Hang(value="late") as hang:
            answer = loop.run_in_executor(None, hang.predict)
            await asyncio.wait([answer], timeout=5)
            assert (answer.done(), loop.time()) == (False, 5)
            hang.release()
            assert await answer == "late"

    run_virtual(main(), threads=True)


def test_a_loop_that_expects_no_threads_starts_none() -> None:
    """Whether its result came in time would be a matter of luck."""

    async def main() -> None:
        await asyncio.to_thread(lambda: None)

    with pytest.raises(RuntimeError, match="make it with threads=True"):
        run_virtual(main())


def test_threads_that_never_come_are_a_deadlock() -> None:
    """After the guard's real seconds; the message says that threads were waited for."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="no thread came in 0 real seconds"):
        on_loop(VirtualLoop(threads=True, guard=0), main)


# ── the loop's clock ─────────────────────────────────────────────────────────────────────────────


def test_the_clock_shows_the_loop_s_time() -> None:
    """Also before and after a jump."""

    async def main() -> tuple[float, float]:
        clock = VirtualLoop.running().clock
        before = clock.now()
        await asyncio.sleep(2.5)
        return before, clock.now()

    assert run_virtual(main()) == (0, 2.5)


def test_a_thread_waits_on_the_loop_s_time() -> None:
    """It wakes at its instant (False), and the loop has jumped there."""

    async def main() -> None:
        loop = VirtualLoop.running()
        waited = await asyncio.to_thread(loop.clock.wait, Gate(), 60)
        assert (waited, loop.time()) == (False, 60)

    run_virtual(main(), threads=True)


@pytest.mark.parametrize("until", [60, math.inf])
def test_a_ring_before_the_wait_is_not_lost(until: float) -> None:
    """The wait says so (True), and nobody jumps to an instant that need not be waited for."""

    async def main() -> None:
        loop, gate = VirtualLoop.running(), Gate()
        gate.ring()
        assert await asyncio.to_thread(loop.clock.wait, gate, until) is True
        await asyncio.sleep(100)
        assert loop.time() == 100

    run_virtual(main(), threads=True)


def test_a_ring_ends_a_thread_s_wait_on_the_loop_s_time() -> None:
    """It says so (True) while the loop is kept from jumping, and the instant is let go of."""

    async def main() -> None:
        loop, gate = VirtualLoop.running(), Gate()
        waiting = asyncio.ensure_future(asyncio.to_thread(loop.clock.wait, gate, 60))
        while loop._next_timer() != 60:  # noqa: ASYNC110 - turns, not time
            await asyncio.sleep(0)
        gate.ring()
        while not waiting.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert await waiting is True
        await settle()
        assert loop._next_timer() == math.inf

    run_virtual(main(), threads=True)


def test_the_loop_s_own_thread_may_not_block_on_its_time() -> None:
    """It would wait for itself."""

    async def main() -> None:
        VirtualLoop.running().clock.wait(Gate(), 1)

    with pytest.raises(RuntimeError, match="would block the loop"):
        run_virtual(main(), threads=True)


def test_no_thread_may_block_on_a_loop_that_expects_none() -> None:
    """The message says how to make one that does."""
    loop = VirtualLoop()
    try:
        with pytest.raises(RuntimeError, match="make it with threads=True"):
            loop.clock.wait(Gate(), 1)
    finally:
        loop.close()


def test_a_thread_that_nobody_wakes_fails() -> None:
    """Its loop does not run; after the guard's real seconds that is a deadlock."""
    loop = VirtualLoop(threads=True, guard=0)
    try:
        with pytest.raises(Deadlock, match="waits for the loop to reach 1"):
            loop.clock.wait(Gate(), 1)
    finally:
        loop.close()


def test_a_wait_outlives_its_loop() -> None:
    """Closing the loop meanwhile is no further error: the timers have gone with it."""
    loop = VirtualLoop(threads=True)

    class ClosesLoop(Gate):
        def wait(self, seconds: float = math.inf) -> bool:
            if seconds > 0:
                loop.close()
            return seconds > 0

    assert loop.clock.wait(ClosesLoop(), math.inf) is True
