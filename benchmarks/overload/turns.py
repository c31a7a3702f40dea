"""The servers take turns: each is loaded between two looks at what its workers can do just then.

Laws:
- What workers can do is how many a second patient clients have answered by the same server without
  limits. It is looked at before and after each load: the load is a multiple of what was seen before, and
  shares are of the mean, so that a machine that slows down meanwhile does not count against a server.
- A turn that the machine has spoilt, because the generator was late or others had much of the processors,
  is thrown away and taken again, and that is said; but only so often in all, or a busy machine would be
  measured for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from overload.counting import Counted, counted, read, services
from overload.lines import Lines
from overload.load import NEVER, offer, saturate, schedule
from overload.machine import Others
from overload.rows import PATIENCE, Row, without_limits
from overload.simulated import Setting, simulated
from overload.work import LOG
from timeouts.sim.report import quantile
from versus_litserve.serving import Serving, serving
from versus_litserve.subjects import Setup, Subject

LATEST = 0.02  # seconds: how late the generator may be, p99
OTHERS = 0.1  # the most that others may have of the processors
CLIENTS = 4  # patient ones for each worker
LOOK = 1.5  # seconds
SETUP = Setup()  # which our subjects do not need


@dataclass(frozen=True)
class Turn:
    """What one turn of a row has shown.

    Attributes:
        can: what the workers can do, per second.
        rate: what was offered, per second.
        run: what came of it.
        others: what share of the machine's processors others had.
        simulated: the goodput of the simulation; None where there is none.
    """

    can: float
    rate: float
    run: Counted
    others: float
    simulated: float | None = None

    @property
    def share(self) -> float:
        """The goodput as a share of what the workers can do."""
        return self.run.goodput / self.can

    @property
    def spoilt(self) -> str:
        """Why the turn should be taken again; empty if it need not."""
        late = quantile(self.run.late, 0.99) or 0.0
        if late > LATEST:
            return f"the generator was late by {late * 1e3:.0f} ms (p99)"
        return f"others had {self.others:.0%} of the machine" if self.others > OTHERS else ""


@dataclass
class Again:
    """How many more turns may be taken again."""

    left: int


@dataclass(frozen=True)
class Block:
    """All rows with so many workers, under one load after the other, each load in turn.

    Attributes:
        workers: of every server.
        loads: multiples of what they can do.
        seconds: of a load.
        seed: chooses the instants of arrival.
        again: how many more turns may be taken again, of this block and others.
        tell: says what happens.
    """

    workers: int
    loads: Sequence[float]
    seconds: float
    seed: int
    again: Again
    tell: Callable[[str], None]

    async def take(self, rows: Sequence[Row]) -> AsyncIterator[tuple[Row, float, Turn]]:
        """Take the turns, and yield what each has shown."""
        async with AsyncExitStack() as stack:
            patient = {
                server: await stack.enter_async_context(
                    _logging(without_limits(server, self.workers))
                )
                for server in dict.fromkeys(row.server for row in rows)
            }
            for load in self.loads:
                for row in rows:
                    yield row, load, await self._turn(row, load, patient[row.server])

    async def _turn(self, row: Row, load: float, patient: Logging) -> Turn:
        turn = await self._attempt(row, load, patient)
        while turn.spoilt and self.again.left:
            self.again.left -= 1
            self.tell(f"{row.name}, {load:g}x: {turn.spoilt}: thrown away and taken again")
            turn = await self._attempt(row, load, patient)
        if turn.spoilt:
            self.tell(f"{row.name}, {load:g}x: {turn.spoilt}: taken as it is")
        return turn

    async def _attempt(self, row: Row, load: float, patient: Logging) -> Turn:
        async with _logging(row.subject(self.workers)) as limited:
            await asyncio.gather(*(limited.lines.ask(NEVER) for _ in range(self.workers)))
            since = next(patient.numbers)
            before = await self._look(patient)
            others = Others(limited.processes | patient.processes)
            instants = schedule(load * before, self.seconds, self.seed)
            asked = await offer(limited.lines, instants, PATIENCE)
            had = others.share(limited.processes | patient.processes, self.seconds)
            can = (before + await self._look(patient)) / 2
            works = patient.services(since)
            run = counted(asked, read(limited.log), self.seconds, PATIENCE, self.workers)
        if row.limits is None:
            return Turn(can, load * before, run, had)
        setting = Setting(row.limits, self.workers, load * before, self.seconds, self.seed)
        return Turn(can, load * before, run, had, simulated(setting, run, works))

    async def _look(self, patient: Logging) -> float:
        return await saturate(patient.lines, CLIENTS * self.workers, LOOK, patient.numbers)


@dataclass(frozen=True)
class Logging:
    """A server that logs its work, connections to it, and numbers for its requests."""

    server: Serving
    lines: Lines
    log: Path
    numbers: Iterator[int]

    def services(self, since: int) -> list[float]:
        """Return how long its work has taken since a number."""
        return services({number: run for number, run in read(self.log).items() if number > since})

    @property
    def processes(self) -> set[int]:
        """Its processes, as of now."""
        return self.server.processes()


@asynccontextmanager
async def _logging(subject: Subject) -> AsyncIterator[Logging]:
    with _new_log() as log:
        async with serving(subject, SETUP) as server:
            lines = Lines(server.port)
            try:
                yield Logging(server, lines, log, count())
            finally:
                lines.close()


@contextmanager
def _new_log() -> Iterator[Path]:
    """Have the servers that are started now log to a file of its own."""
    with TemporaryDirectory(prefix="overload-") as folder:
        log = Path(folder, "log")
        log.touch()
        os.environ[LOG] = str(log)
        yield log
