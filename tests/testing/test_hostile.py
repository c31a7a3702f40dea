"""Hostile handlers hang until told otherwise, can be met at the door, and let go in the end."""

import asyncio
import contextlib
import inspect
import math
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from timeouts.testing import AsyncHang, Deadlock, Hang, hostile, run_virtual, settle


def test_a_hang_returns_only_when_released() -> None:
    """Every call of it, with whatever arguments."""
    with Hang(value=42) as hang, ThreadPoolExecutor() as pool:
        calls = [pool.submit(hang.predict, 1, x=2) for _ in range(3)]
        hang.wait_for_entries(3)
        assert (hang.entries, hang.exits) == (3, 0)
        assert not any(call.done() for call in calls)
        hang.release()
        hang.wait_for_exits(3)
        assert [call.result() for call in calls] == [42] * 3


def test_a_hang_stays_released() -> None:
    """Later calls go through."""
    hang = Hang(value=1)
    hang.release()
    assert hang.predict() == 1
    assert (hang.entries, hang.exits) == (1, 1)


def test_a_hang_can_end_in_an_error() -> None:
    """Also after its caller has gone."""
    hang = Hang(error=ZeroDivisionError("late"))
    hang.release()
    with pytest.raises(ZeroDivisionError, match="late"):
        hang.predict()


def test_leaving_its_block_releases_a_hang() -> None:
    """No thread outlives a test, not even a failing one."""
    with ThreadPoolExecutor() as pool:
        with contextlib.suppress(KeyError), Hang(value="out") as hang:
            call = pool.submit(hang.predict)
            hang.wait_for_entries(1)
            raise KeyError
        assert call.result() == "out"


def test_a_hang_that_nobody_releases_fails() -> None:
    """And so does a test that waits for calls which do not come."""
    hang = Hang(guard=0)
    with pytest.raises(Deadlock, match="never released; 1 began, 0 ended"):
        hang.predict()
    with pytest.raises(Deadlock, match="2 calls should begin; 1 began"):
        hang.wait_for_entries(2)
    with pytest.raises(Deadlock, match="2 calls should end; 1 began, 1 ended"):
        hang.wait_for_exits(2)


def test_a_hang_without_guard_hangs_for_ever() -> None:
    """Infinity is no limit for it."""
    with Hang(guard=math.inf) as hang, ThreadPoolExecutor() as pool:
        call = pool.submit(hang.predict)
        hang.wait_for_entries(1)
        hang.release()
        assert call.result() is None


def test_the_async_one_is_an_async_def() -> None:
    """Servers tell handlers apart by that."""
    assert inspect.iscoroutinefunction(AsyncHang().predict)
    assert not inspect.iscoroutinefunction(Hang().predict)


def test_an_async_hang_returns_only_when_released() -> None:
    """Every call of it, with whatever arguments."""

    async def main() -> None:
        with AsyncHang(value=42) as hang:
            calls = [asyncio.create_task(hang.predict(1, x=2)) for _ in range(3)]
            await hang.wait_for_entries(3)
            await settle()
            assert (hang.entries, hang.exits) == (3, 0)
            hang.release()
            await hang.wait_for_exits(3)
            assert await asyncio.gather(*calls) == [42] * 3
            assert await hang.predict() == 42

    run_virtual(main())


def test_an_async_hang_can_end_in_an_error() -> None:
    """Once released."""

    async def main() -> None:
        with AsyncHang(error=ZeroDivisionError()) as hang:
            hang.release()
            with pytest.raises(ZeroDivisionError):
                await hang.predict()

    run_virtual(main())


def test_an_async_hang_obeys_cancellation_by_default() -> None:
    """It is the well-behaved one."""

    async def main() -> None:
        hang = AsyncHang()
        call = asyncio.create_task(hang.predict())
        await hang.wait_for_entries(1)
        call.cancel()
        await hang.wait_for_exits(1)
        await asyncio.wait([call])
        assert call.cancelled()
        assert hang.cancellations == 1

    run_virtual(main())


def test_an_async_hang_ignores_as_many_cancellations_as_it_is_told() -> None:
    """Two are swallowed, the third is obeyed; the next call has its own count."""

    async def main() -> None:
        hang = AsyncHang(ignores=2)
        for calls in (1, 2):
            call = asyncio.create_task(hang.predict())
            await hang.wait_for_entries(calls)
            for cancelled in (1, 2, 3):
                assert not call.done()
                call.cancel()
                await hang.wait_for_cancellations(3 * (calls - 1) + cancelled)
            await asyncio.wait([call])
            assert call.cancelled()

    run_virtual(main())


def test_a_stubborn_one_ignores_all_cancellations() -> None:
    """Only its release ends it, with its value; the cancel count stays as it was left."""

    async def main() -> None:
        with AsyncHang(value="at last", ignores=math.inf) as hang:
            call = asyncio.create_task(hang.predict())
            await hang.wait_for_entries(1)
            for count in range(1, 11):
                call.cancel()
                await hang.wait_for_cancellations(count)
            assert call.cancelling() == 10
            hang.release()
            assert await call == "at last"

    run_virtual(main())


# Those of `timeouts.testing.hostile`: what is public, and what can be tried without a server.


PUBLIC = [name for name in hostile.__all__ if inspect.isfunction(getattr(hostile, name))]
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"


def test_hostile_names_are_sorted_and_all_that_there_are() -> None:
    """A handler that is added to a module is public, or private by its name."""
    modules = [import_module(f"timeouts.testing.hostile.{name}") for name in HOSTILE_MODULES]
    defined = {
        name
        for module in modules
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    assert list(hostile.__all__) == sorted(defined - {"tell"})


HOSTILE_MODULES = ["dying", "hang", "payload", "stubborn", "witness"]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_hostile_handler_is_documented(name: str) -> None:
    """In its own words, and in a table of the reference."""
    assert getattr(hostile, name).__doc__
    if name != "run":
        assert f"`{name}`" in REFERENCE.read_text()
