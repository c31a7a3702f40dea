"""Rounds of whatever may happen to a server, at random: `python -m tests.processes.rounds SEED COUNT`.

Law: after every round the books balance, every caller has had his own answer or an error that fits what
was done, and all slots are free again. When all servers are closed, this process is as it was before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tests.processes.house import children_of
from tests.shells.recorder import GUARD
from timeouts import (
    DeadlineExceeded,
    ProcessWorkers,
    QueueTimeout,
    Rejected,
    Server,
    ShuttingDown,
    WorkerLost,
)
from timeouts.testing import hostile
from timeouts.workers.process.channel import Worker

EACH = 250  # rounds between opening and closing: what costs most is to open
LARGE = 200_000  # bytes: through shared memory
HUNG = (hostile.spins, hostile.holds_gil, hostile.stops_itself, hostile.forks_daemon)
TINY = 0.02  # seconds


def count(until: int, hang_at: int | None = None) -> Iterator[int]:
    """Count; hang on the way."""
    for number in range(until):
        if number == hang_at:
            hostile.spins()
        yield number


def echo(token: int, size: int = 0) -> tuple[int, bytes]:
    """Return what was given."""
    return token, bytes(size)


class Rounds:
    """Two small servers, one of single results and one of streams, and what is done to them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.done: Counter[str] = Counter()
        self.told: Counter[str] = Counter()

    def play(self, rounds: int) -> None:
        """Play so many rounds, on fresh servers now and then."""
        for start in range(0, rounds, EACH):
            self.open()
            for _ in range(min(EACH, rounds - start)):
                self.round()
            self.close()

    def open(self) -> None:
        """Open both servers."""
        workers = ProcessWorkers(
            spares=self.chance.choice([0, 0, 1]), max_jobs=self.chance.choice([None, 7])
        )
        slots = self.chance.choice([1, 2])
        self.server = Server(hostile.run, QueueTimeout(GUARD), slots=slots, workers=workers)
        self.streams = Server(
            count, slots=1, workers=ProcessWorkers(stream_grace=self.chance.choice([0, 0.05]))
        )
        self.server.start()
        self.streams.start()

    def close(self) -> None:
        """Close them, in the middle of work or after it."""
        futures: list[Future[Any]] = []
        if self.chance.random() < 0.5:
            futures = [self.server.submit(self.chance.choice(HUNG)) for _ in range(3)]
            self.server.close()
        for server in (self.server, self.streams):
            server.__exit__(None, None, None)
            assert server._shell.pool.quiet
        for future in futures:
            assert isinstance(future.exception(GUARD), (ShuttingDown, WorkerLost))

    def round(self) -> None:
        """Do one thing, and see that all is well afterwards."""
        act = self.chance.choice(ACTS)
        self.done[act.__name__] += 1
        act(self)
        for server in (self.server, self.streams):
            settle(server)

    # What may happen.

    def call(self) -> None:
        token, size = self.chance.random(), self.chance.choice([0, 0, LARGE])
        assert self.server.call(echo, token, size) == (token, bytes(size))

    def acall(self) -> None:
        async def main() -> None:
            tokens = list(range(self.chance.randrange(1, 6)))
            answers = await asyncio.gather(*(self.server.acall(echo, t) for t in tokens))
            assert [token for token, _ in answers] == tokens

        asyncio.run(main())

    def acall_cancelled(self) -> None:
        async def main() -> None:
            task = asyncio.create_task(self.server.acall(self.chance.choice(HUNG)))
            await asyncio.sleep(0)
            await self.server.acall(echo, 1) if self.server._slots > 1 else None
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

        asyncio.run(main())

    def submit(self) -> None:
        futures = [self.server.submit(echo, token, LARGE) for token in range(5)]
        assert [future.result(GUARD)[0] for future in futures] == list(range(5))

    def submit_and_cancel(self) -> None:
        futures = [self.server.submit(echo, token) for token in range(6)]
        left = [
            future for future in futures if not (self.chance.random() < 0.5 and future.cancel())
        ]
        for future in left:
            assert future.result(GUARD)[0] == futures.index(future)

    def cancel_a_hung_one(self) -> None:
        future = self.server.submit(self.chance.choice(HUNG))
        waiting = self.server.submit(echo, 8)
        assert future.cancel()
        assert waiting.result(GUARD)[0] == 8

    def expire(self) -> None:
        try:
            self.server.call(self.chance.choice(HUNG), budget=TINY)
        except (DeadlineExceeded, Rejected) as error:
            self.tell(error)

    def expire_narrowly(self) -> None:
        try:
            assert self.server.call(echo, 5, LARGE, budget=0.0005)[0] == 5
        except (DeadlineExceeded, Rejected) as error:
            self.tell(error)

    def expire_in_a_coroutine(self) -> None:
        async def main() -> None:
            hung = self.server.acall(self.chance.choice(HUNG), budget=TINY)
            good = self.server.acall(echo, 9)
            told: Any = await asyncio.gather(hung, good, return_exceptions=True)
            error, answer = told
            assert isinstance(error, (DeadlineExceeded, Rejected)), error
            assert isinstance(answer, tuple), answer
            self.tell(error)

        asyncio.run(main())

    def crash(self) -> None:
        try:
            self.server.call(self.chance.choice([hostile.exits, hostile.kills_itself]))
        except WorkerLost as error:
            self.tell(error)

    def kill_from_outside(self) -> None:
        futures = [self.server.submit(echo, token, LARGE) for token in range(6)]
        staff: Any = self.server._shell.pool._staff  # type: ignore[attr-defined]
        # One that is still starting would be another story: a start that fails.
        ready = [w for w in list(staff._workers.values()) if w is not None and not w.stopping]
        victim = self.chance.choice(ready) if ready else None
        if victim is not None:
            os.kill(victim.pid, signal.SIGKILL)
        for token, future in enumerate(futures):
            error = future.exception(GUARD)
            assert error is None or isinstance(error, WorkerLost), error
            self.tell(error)
            assert error or future.result()[0] == token
        if victim is not None:  # its death is for this round, not for the next
            asyncio.run_coroutine_threadsafe(buried(victim), victim.loop).result(GUARD)

    def from_threads(self) -> None:
        wrong: list[object] = []

        def work(token: int) -> None:
            for _ in range(3):
                try:
                    if self.server.call(echo, token)[0] != token:
                        wrong.append(token)
                    self.server.call(hostile.spins, budget=TINY)
                except (DeadlineExceeded, Rejected) as error:
                    self.tell(error)
                except BaseException as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(token,)) for token in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def stream(self) -> None:
        assert list(self.streams.call(5)) == [0, 1, 2, 3, 4]

    def stop_a_stream(self) -> None:
        items = self.streams.call(1000)
        for number in range(self.chance.randrange(1, 4)):
            assert next(items) == number
        items.close()

    def expire_a_stream(self) -> None:
        try:
            assert list(self.streams.call(5, hang_at=2, budget=TINY)) == []
        except (DeadlineExceeded, Rejected) as error:
            self.tell(error)

    def cancel_a_stream(self) -> None:
        async def main() -> None:
            items = self.streams.acall(5, hang_at=1)
            assert await anext(items) == 0
            waits = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0)
            waits.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waits
            await items.aclose()

        asyncio.run(main())

    def tell(self, error: BaseException | None) -> None:
        self.told[type(error).__name__] += 1


ACTS: list[Callable[[Rounds], None]] = [
    act
    for name, act in vars(Rounds).items()
    if callable(act) and name not in {"__init__", "play", "open", "close", "round", "tell"}
]


def settle(server: Server) -> None:
    """Wait until all slots are free; see the books balance."""
    core = server._shell.core
    assert server._wait_until(lambda: core.free == server._slots, GUARD), server.stats()
    stats = server.stats()
    assert (stats.waiting, stats.running, stats.abandoned) == (0, 0, 0), stats
    assert stats.arrived == sum(stats.outcomes.values()), stats


async def buried(worker: Worker) -> None:
    """Wait, on the loop of its pool, until a worker that was killed is gone."""
    await asyncio.shield(worker.died)
    while not worker.gone:  # noqa: ASYNC110 - a few turns; nothing is rung for a burial
        await asyncio.sleep(0)


def state() -> dict[str, object]:
    """Return what a process may leak."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(GUARD)
    gc.collect()
    return {
        "descriptors": sorted(kinds_of_descriptors()),
        "threads": [thread.name for thread in threading.enumerate()],
        "processes": children_of(os.getpid()),
        "shared memory": sorted(Path("/dev/shm").glob("*timeouts*")),
    }


def kinds_of_descriptors() -> Iterator[str]:
    """Give what each open descriptor is: a socket, a pipe, or the name of a file."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself
            yield str(link.readlink()).partition(":")[0]


def say(*words: object) -> None:
    """Print a line, at once."""
    print(*words, flush=True)  # noqa: T201 - for whoever started this


def main() -> None:
    """Play, after a warm-up that opens what a process keeps for good."""
    seed, rounds = int(sys.argv[1]), int(sys.argv[2])
    say("seed", seed)
    game = Rounds(random.Random(seed))
    game.play(2)
    before = state()
    game.play(rounds)
    say(dict(game.done), dict(game.told))
    after = state()
    assert after == before, f"{after}\nbefore: {before}"
    say("well")


if __name__ == "__main__":
    main()
