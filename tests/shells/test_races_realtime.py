"""Everything at once, on the real clock: one reply each, and afterwards nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.shells.recorder import GUARD, Recorder
from timeouts import (
    DeadlineExceeded,
    EarliestDeadlineFirst,
    ExecutionTimeout,
    GatewayTimeout,
    Job,
    Observer,
    Outcome,
    QueueTimeout,
    Server,
    TimeoutsError,
)

pytestmark = pytest.mark.realtime

JOBS = 10_000


def echo(value: int) -> int:
    return value


async def aecho(value: int) -> int:
    return value


class Counting(Observer):
    """Counts the answers and the late ends of each job; cheap, for many jobs."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        self.answers.append(job.key)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Threads and open files are the same afterwards."""
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - threads:
        thread.join(GUARD)
    assert set(threading.enumerate()) == threads
    assert open_files() == files


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def books_are_closed(server: Server, arrived: int) -> Counter[str]:
    """Every job has one outcome, and nothing waits or runs."""
    stats = server.stats()
    assert (stats.waiting, stats.running) == (0, 0)
    assert stats.arrived == sum(stats.outcomes.values()) == arrived
    return Counter(stats.outcomes)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("handler", [echo, aecho])
def test_ten_thousand_jobs_from_fifty_threads(handler: Callable[[int], Any]) -> None:
    """Blocking calls; each gets its own value back, and one answer."""
    counting = Counting()
    limits = GatewayTimeout(60) | QueueTimeout(20) | ExecutionTimeout(30)
    each = JOBS // 50
    server = Server(handler, limits, slots=8, observers=[counting])

    def work(first: int) -> bool:
        return all(server.call(first + n) == first + n for n in range(each))

    with ThreadPoolExecutor(50) as callers, server:
        assert all(callers.map(work, range(0, JOBS, each)))
    assert books_are_closed(server, JOBS) == {"completed": JOBS}
    assert len(counting.answers) == len(set(counting.answers)) == JOBS


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("handler", [echo, aecho])
def test_ten_thousand_jobs_from_five_thousand_coroutines(handler: Callable[[int], Any]) -> None:
    """Awaited calls; no task is left on the loop."""
    counting = Counting()
    limits = GatewayTimeout(60) | ExecutionTimeout(30)

    async def twice(server: Server, n: int) -> bool:
        return bool(await server.acall(n) == n and await server.acall(-n) == -n)

    async def main() -> Server:
        async with Server(handler, limits, slots=16, capacity=JOBS, observers=[counting]) as server:
            calls = [twice(server, n) for n in range(JOBS // 2)]
            assert all(await asyncio.gather(*calls))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return server

    assert books_are_closed(asyncio.run(main()), JOBS) == {"completed": JOBS}
    assert len(counting.answers) == len(set(counting.answers)) == JOBS


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("discipline", [None, EarliestDeadlineFirst])
def test_expiry_completion_withdrawal_and_close_race(discipline: Any) -> None:
    """Work that takes as long as it may, callers who leave, budgets of every length, then a close."""
    recorder = Recorder()

    def napping(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    options = {} if discipline is None else {"discipline": discipline}
    server = Server(
        napping,
        GatewayTimeout(0.006) | QueueTimeout(0.004) | ExecutionTimeout(0.002),
        slots=4,
        capacity=40,
        observers=[recorder],
        **options,
    )
    futures: list[Future[float]] = []

    def caller(seed: int) -> int:
        mine, arrived = random.Random(seed), 0
        for _ in range(60):
            nap, budget = mine.choice([0, 0.001, 0.002, 0.003]), mine.choice([None, 0.001, 0.005])
            arrived += 1
            if mine.random() < 0.5:
                with contextlib.suppress(TimeoutsError):
                    assert server.call(nap, budget=budget) == nap
                continue
            future = server.submit(nap, budget=budget)
            futures.append(future)
            if mine.random() < 0.5:
                future.cancel()
        return arrived

    with ThreadPoolExecutor(12) as callers:
        running = [callers.submit(caller, seed) for seed in range(12)]
        running[0].result(GUARD)
        server.close()
        arrived = sum(future.result(GUARD) for future in running)
    for future in futures:
        with contextlib.suppress(TimeoutsError, CancelledError):
            future.result(GUARD)
    books_are_closed(server, arrived)
    answered = [fact.job for fact in recorder.of("answered")]
    assert len(answered) == len(set(answered)) == arrived
    told_early = sum(job.error is not None and job.started < math.inf for job in answered)
    recorder.wait_for("late", told_early)
    assert server.stats().abandoned == 0


@pytest.mark.usefixtures("nothing_left")
def test_cancellations_race_with_completions_in_tasks() -> None:
    """Callers are cancelled at any point of their call; the slots all come back."""
    random_ = random.Random(2)

    async def hops(count: int) -> int:
        for _ in range(count):
            await asyncio.sleep(0)
        return count

    async def main() -> Server:
        async with Server(hops, ExecutionTimeout(30), slots=5, capacity=10_000) as server:
            tasks = []
            for _ in range(1500):
                tasks.append(asyncio.create_task(server.acall(random_.randrange(6))))
                for _ in range(random_.randrange(3)):
                    await asyncio.sleep(0)
                if random_.random() < 0.5:
                    random_.choice(tasks[-20:]).cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.adrain()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert server.stats()[:4] == (0, 0, 0, 5)
        return server

    server = asyncio.run(main())
    stats = server.stats()
    assert stats.arrived == sum(stats.outcomes.values())


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("handler", [echo, aecho])
def test_close_races_with_arrivals(handler: Callable[[int], Any]) -> None:
    """Forty servers, each closed in the middle of a burst: all answered, no thread left."""
    for _ in range(40):
        server = Server(handler, GatewayTimeout(30), slots=2)
        start = threading.Barrier(5)

        def burst(server: Server = server, start: threading.Barrier = start) -> None:
            start.wait(GUARD)
            for n in range(5):
                with contextlib.suppress(TimeoutsError):
                    assert server.call(n) == n

        threads = [threading.Thread(target=burst) for _ in range(4)]
        for thread in threads:
            thread.start()
        start.wait(GUARD)
        server.close()
        for thread in threads:
            thread.join(GUARD)
            assert not thread.is_alive()
        books_are_closed(server, 20)


@pytest.mark.usefixtures("nothing_left")
def test_dropped_streams_race_with_everything() -> None:
    """Streams left in the middle, by the collector or by close(), in many threads."""
    recorder = Recorder()

    def numbers() -> Generator[int, None, None]:
        yield from range(4)

    def consume(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(40):
            items = server.call()
            for _, item in zip(range(mine.randrange(5)), items, strict=False):
                assert item < 4
            if mine.random() < 0.5:
                items.close()

    with Server(numbers, GatewayTimeout(30), slots=3, observers=[recorder]) as server:
        with ThreadPoolExecutor(6) as consumers:
            list(consumers.map(consume, range(6)))
        gc.collect()
        recorder.wait_for("answered", server.stats().arrived)
        assert server.drain()
    books_are_closed(server, server.stats().arrived)


def test_threads_and_coroutines_share_a_server_and_expire_on_time() -> None:
    """The thread workers' other half: awaiting callers on a real loop, told within a tenth of 1 s."""
    release = threading.Event()

    async def main() -> list[float]:
        began = time.monotonic()
        late = []
        async with Server(release.wait, ExecutionTimeout(0.05), slots=20) as server:
            for call in [asyncio.ensure_future(server.acall()) for _ in range(20)]:
                with pytest.raises(DeadlineExceeded):
                    await call
                late.append(time.monotonic() - began - 0.05)
            release.set()
        return late

    assert max(asyncio.run(main())) < 1
