"""Who calls is served without a thread of its own: a blocked thread listens itself, and so does an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.processes.house import House, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts import ExecutionTimeout, ExecutionTimeoutError, Server
from timeouts.testing import hostile
from timeouts.workers.process.pool import ProcessPool

pytestmark = pytest.mark.realtime

MANY = 1000


def square(number: int) -> int:
    """Hang where the number is negative."""
    return number * number if number >= 0 else hostile.spins()


@pytest.mark.parametrize("every", [0, 500], ids=["all well", "some hang"])
def test_a_thousand_coroutines_share_two_workers(every: int) -> None:
    """No thread comes for any of them; each gets its own answer, and those that hang are told."""
    numbers = [-n if every and n % every == 1 else n for n in range(1, MANY + 1)]
    threads: set[int] = set()
    # While the loop starts a thousand tasks it hears nobody, and the first answers wait: no tight limit.
    workers = Server(square, ExecutionTimeout(3), slots=2, capacity=MANY, workers="process")

    async def ask(number: int) -> int | None:
        try:
            return await workers.acall(number)  # type: ignore[no-any-return]
        except ExecutionTimeoutError:
            return None
        finally:
            threads.add(threading.active_count())

    async def main() -> list[int | None]:
        async with workers:
            before = threading.active_count()
            answers = await asyncio.gather(*map(ask, numbers))
            assert threads == {before}
            return answers

    assert asyncio.run(main()) == [n * n if n >= 0 else None for n in numbers]
    told = Counter("completed" if number >= 0 else "execution_timeout" for number in numbers)
    assert workers.stats().outcomes == told


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads in which answers were heard."""
    heard: set[int] = set()
    hear = ProcessPool.hear

    def noting(self: ProcessPool, worker: Any, frames: Any) -> None:
        heard.add(threading.get_ident())
        hear(self, worker, frames)

    monkeypatch.setattr(ProcessPool, "hear", noting)
    return heard


def test_who_calls_hears_his_answer_himself(houses: Callable[..., House], ears: set[int]) -> None:
    """In the thread that blocks, and in the thread of the loop that awaits; only a future needs another."""
    house = houses(start_method="fork")
    for _ in range(50):
        house.server.call(pid_of_worker)
    assert ears == {threading.get_ident()}

    async def main() -> None:
        for _ in range(50):
            await house.server.acall(pid_of_worker)

    asyncio.run(main())
    assert ears == {threading.get_ident()}
    house.server.submit(pid_of_worker).result(GUARD)
    assert len(ears) == 2
