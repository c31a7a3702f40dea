"""What is measured, a coroutine per row; see `Peer` for why they are coroutines.

Each makes its figures in a process of its own, which has measured nothing else before.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import Any

import numpy as np

from versus_peers import work
from versus_peers.peers.base import Peer
from versus_peers.peers.floors import KillFloor

MILLI, MICRO = 1e3, 1e6
LIMIT = 10.0  # of calls that are expected to succeed
SHORT = 0.1  # of calls that are not
HANG = 5.0
FLOOD_SECONDS = 2.0
NOTHING_LEFT = "nothing left"  # noted where everything is as it was before


@dataclass(frozen=True)
class Effort:
    """How much of everything one sample makes."""

    seed: int = 0
    calls_seconds: float = 1.5
    flood: int = 5_000
    floods: int = 3
    told: int = 20
    recoveries: int = 3
    half_seconds: float = 20.0
    arrays: int = 12
    kills: int = 2_000
    kills_seconds: float = 12.0  # where they come to an end before they are so many
    all_kills: bool = False  # however long they take

    @property
    def quick(self) -> Effort:
        """Just enough to see that it runs, and about where the figures are."""
        return replace(
            self,
            calls_seconds=0.4,
            flood=2_000,
            floods=1,
            told=6,
            recoveries=1,
            half_seconds=min(self.half_seconds, 4.0),
            arrays=5,
            kills=min(self.kills, 50),
            kills_seconds=4.0,
        )

    def part(self, share: float) -> Effort:
        """Return the effort for a peer that makes only a share of the calls, since each takes long."""
        return replace(
            self,
            floods=math.ceil(self.floods * share),
            told=math.ceil(self.told * share),
            recoveries=math.ceil(self.recoveries * share),
            half_seconds=self.half_seconds * share,
            arrays=math.ceil(self.arrays * share),
            kills_seconds=self.kills_seconds * share,
        )


@dataclass(frozen=True)
class Sample:
    """What one process has measured: figures of one kind, and what else is to be said."""

    figures: list[float]
    notes: dict[str, float | str] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self)


async def happy(peer: Peer, effort: Effort) -> Sample:
    """One caller, a call that does nothing, a limit in force: µs per call."""
    await peer.open(work.noop, slots=1, limits=(LIMIT,))
    for x in range(50):
        await peer.call(x, LIMIT)
    figures = []
    end = perf_counter() + effort.calls_seconds
    while (start := perf_counter()) < end:
        for x in range(50):
            assert await peer.call(x, LIMIT) == x
        figures.append((perf_counter() - start) / 50 * MICRO)
    return Sample(figures)


async def flight(peer: Peer, effort: Effort) -> Sample:
    """As many calls in flight as take two seconds, up to 5,000, two workers: calls per second."""
    await peer.open(work.noop, slots=2, limits=(LIMIT,))
    await peer.flood(range(20), LIMIT)
    start = perf_counter()
    await peer.flood(range(100), LIMIT)
    count = int(100 * FLOOD_SECONDS / (perf_counter() - start))
    count = min(max(count, 100), effort.flood)
    figures = []
    for _ in range(effort.floods):
        start = perf_counter()
        await peer.flood(range(count), LIMIT)
        figures.append(count / (perf_counter() - start))
    return Sample(figures, {"in flight": count})


async def told(peer: Peer, effort: Effort) -> Sample:
    """A limit of 0.1 to 0.2 s, work of 5 s: by how many ms the caller is told too late.

    The limits vary because 0.1 s itself beats in time with those who look every 0.1 s.
    """
    dice = Random(effort.seed)
    limits = [round(dice.uniform(SHORT, 2 * SHORT), 4) for _ in range(5)]
    await peer.open(work.hold, slots=1, limits=limits)
    figures = []
    for number in range(effort.told):
        limit = limits[number % len(limits)]
        await peer.ready(0, limit)  # so that nobody is told late because a worker had to start
        start = perf_counter()
        await _expires(peer.call(HANG, limit))
        figures.append((perf_counter() - start - limit) * MILLI)
        if not peer.stops:  # its worker is not to be had again
            await peer.close()
            await peer.open(work.hold, slots=1, limits=limits)
    return Sample(figures)


async def recovery(peer: Peer, effort: Effort) -> Sample:
    """One worker, which takes 1 s to load: ms from the expiry of a call to the next answer."""
    await peer.open(work.predict, slots=1, limits=(SHORT,), load=work.load)
    figures, same = [], 0
    for _ in range(effort.recoveries):
        before = await peer.ready(0, SHORT)
        sleep(0.2)  # noqa: ASYNC251 - nothing else runs; time enough to have a spare ready
        await _expires(peer.call(HANG, SHORT))
        start = perf_counter()
        after = await peer.ready(0, SHORT)
        figures.append((perf_counter() - start) * MILLI)
        same += before == after
    return Sample(figures, {"note": "not a new process"} if same else {})


async def half(peer: Peer, effort: Effort) -> Sample:
    """Four callers, two workers, every other call hangs: pairs of an answer and an expiry per s.

    The floor is what two workers can do that are killed and replaced in no time but the kill's.
    """
    if isinstance(peer, KillFloor):
        kill = peer.kill_seconds()
        return Sample([2 / (SHORT + kill)], {"note": f"kill {kill * MILLI:.2f} ms"})
    await peer.open(work.hold, slots=2, limits=(SHORT,))

    async def warm() -> None:
        await peer.ready(0.05, SHORT)

    await peer.together([warm] * 2)
    start = perf_counter() + 1.0  # a steady state by then
    end = start + effort.half_seconds
    books = {"answered": 0, "expired": 0, "wrong": 0}

    async def count(call: Awaitable[object], meant: str) -> None:
        try:
            await call
            became = "answered"
        except TimeoutError:
            became = "expired"
        except Exception as failure:  # noqa: BLE001 - whatever a peer makes of a neighbour's kill
            became = type(failure).__name__
        if start <= perf_counter() < end:
            books[meant if became == meant else "wrong"] += 1

    async def caller() -> None:
        while perf_counter() < end:
            await count(peer.call(HANG, SHORT), "expired")
            await count(peer.call(0, SHORT), "answered")

    await peer.together([caller] * 4)
    pairs = min(books["answered"], books["expired"])
    wrong = books["wrong"] / max(1, sum(books.values()))
    notes: dict[str, float | str] = {"note": f"{wrong:.0%} ended wrongly"} if wrong else {}
    return Sample([pairs / effort.half_seconds], notes | {"wrong": books["wrong"]})


async def array(peer: Peer, effort: Effort) -> Sample:
    """16 MB of float64 in and out, one caller: ms."""
    await peer.open(work.echo, slots=1, limits=(LIMIT,))
    sent = np.random.default_rng(effort.seed).random(2_000_000)
    figures = []
    for number in range(-3, effort.arrays):
        sent[[0, -1]] = number
        start = perf_counter()
        back = await peer.call(sent, LIMIT)
        seconds = perf_counter() - start
        assert back[0] == back[-1] == number
        assert back.nbytes == sent.nbytes
        if number >= 0:
            figures.append(seconds * MILLI)
        del back
    return Sample(figures)


async def kills(peer: Peer, effort: Effort) -> Sample:
    """A call that expires after 20 ms, a call that is answered: ms for both, above the 20 ms.

    The answer proves that there is a worker again. The notes say what is left behind by all of it.
    """
    limit, block = 0.02, 10
    await peer.open(work.hold, slots=1, limits=(limit,))
    await peer.ready(0, limit)
    for _ in range(3):
        await _expires(peer.call(HANG, limit))
        await peer.ready(0, limit)
    before = Books.taken()
    figures: list[float] = []
    end = perf_counter() + (float("inf") if effort.all_kills else effort.kills_seconds)
    while len(figures) * block < effort.kills and perf_counter() < end:
        start = perf_counter()
        for _ in range(block):
            await _expires(peer.call(HANG, limit))
            await peer.ready(0, limit)
        figures.append(((perf_counter() - start) / block - limit) * MILLI)
    after = Books.taken(like=before)
    left = before.differences(after)
    return Sample(figures, {"kills": len(figures) * block, "note": left or NOTHING_LEFT})


@dataclass(frozen=True)
class Books:
    """What this process holds."""

    fds: int
    threads: int
    children: int
    zombies: int
    shm: int
    mib: int

    @classmethod
    def taken(cls, like: Books | None = None) -> Books:
        """Take the books; wait a little for those that were taken before to be right again."""
        end = perf_counter() + 2.0
        while True:
            gc.collect()
            books = cls._now()
            if like is None or not like.differences(books) or perf_counter() > end:
                return books
            sleep(0.1)

    @classmethod
    def _now(cls) -> Books:
        states = _states_of_children()
        return cls(
            fds=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - one more is open the while
            threads=threading.active_count(),
            children=len(states),
            zombies=states.count("Z"),
            shm=sum(1 for _ in Path("/dev/shm").iterdir()),  # noqa: S108 - of all processes
            mib=int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20,
        )

    def differences(self, after: Books) -> str:
        """Say what is more than it was; more memory only if it is more than a little."""
        more = {
            name: getattr(after, name) - getattr(self, name)
            for name in ("fds", "threads", "children", "zombies", "shm")
        }
        grown = after.mib - self.mib
        more["MiB"] = grown if grown > 8 else 0
        return ", ".join(f"{n:+} {name}" for name, n in more.items() if n > 0)


def _states_of_children() -> str:
    """Return a letter per child of this process, as `ps` does."""
    me, states = str(os.getpid()), ""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it is gone
            continue
        states += state if parent == me else ""
    return states


async def _expires(call: Awaitable[object]) -> None:
    try:
        await call
    except TimeoutError:
        return
    raise RuntimeError("it did not expire")


ROWS: Mapping[str, Callable[[Peer, Effort], Coroutine[Any, Any, Sample]]] = {
    row.__name__: row for row in (happy, flight, told, recovery, half, array, kills)
}
