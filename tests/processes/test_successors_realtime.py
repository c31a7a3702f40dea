"""Who comes after a worker that is stopped: born meanwhile, and idle until its place is free."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ways
from tests.processes.house import House, Logged, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts import ExecutionTimeout, ProcessWorkers, Server, StartupFailed
from timeouts.observe.observer import logger
from timeouts.testing import hostile
from timeouts.workers.process.nursery import Nursery

pytestmark = pytest.mark.realtime

STOPS = 6


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_a_successor_sets_nothing_up_before_the_other_is_gone(
    start_method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is code of the handler's module run: two models at once may be more than the memory holds."""
    seen = tmp_path / "seen"
    monkeypatch.setenv("SEEN", str(seen))
    bury = Nursery.bury

    async def bury_slowly(nursery: Nursery, pid: int) -> int | None:
        await asyncio.sleep(0.5)  # longer than a birth takes
        return await bury(nursery, pid)

    monkeypatch.setattr(Nursery, "bury", bury_slowly)
    workers = ProcessWorkers(setup=ways.look_for_others, start_method=start_method)
    with Server(hostile.run, ExecutionTimeout(0.05), slots=1, workers=workers) as server:
        for _ in range(STOPS):
            with pytest.raises(TimeoutError):
                server.call(hostile.sleeps)
            server._wait_until(lambda: server._shell.core.free == 1, GUARD)
    pids, others = zip(*(line.split(":") for line in seen.read_text().split()), strict=True)
    assert len(set(pids)) == STOPS + 1
    assert set(others) == {""}


def test_a_successor_that_finds_no_room_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be made beside the one that is stopped, one is made after it."""
    house = House(slots=1)
    house.settle()
    staff: Any = house.server._shell.pool.staff  # type: ignore[attr-defined]
    refused, spawn = [], Nursery.spawn

    async def scarce(nursery: Nursery, number: int, fds: list[int]) -> int:
        if staff._leaving:
            refused.append(number)
            raise StartupFailed("no more processes")
        return await spawn(nursery, number, fds)

    monkeypatch.setattr(Nursery, "spawn", scarce)
    logged = Logged()
    logger.addHandler(logged)
    try:
        for _ in range(STOPS):
            with pytest.raises(TimeoutError):
                house.server.call(hostile.sleeps, budget=0.05)
            assert house.server.call(pid_of_worker) != os.getpid()
        house.settle()
    finally:
        logger.removeHandler(logged)
        house.close()
    assert len(refused) == STOPS
    assert not [line for line in logged.lines if "no worker" in line]


def test_one_from_the_reserve_takes_over_and_the_reserve_is_filled_again() -> None:
    house = House(slots=1, spares=1)
    roster: Any = house.server._shell.pool.roster  # type: ignore[attr-defined]
    try:
        for _ in range(STOPS):
            house.settle()
            assert house.server._wait_until(lambda: len(roster.spares) == 1, GUARD)
            before = house.pids()
            with pytest.raises(TimeoutError):
                house.server.call(hostile.sleeps, budget=0.05)
            assert house.server.call(pid_of_worker) in before
    finally:
        house.close()
