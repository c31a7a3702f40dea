"""Only workers of this pool are signalled, and none after its burial: from then on its pid may be anybody's."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.processes.house import House, pid_of_worker
from timeouts import GatewayTimeoutError, WorkerLost
from timeouts.testing import hostile
from timeouts.workers.process.nursery import Nursery

pytestmark = pytest.mark.realtime


class Fact(NamedTuple):
    """What was done about a process."""

    what: str
    pid: int


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Fact]]:
    """What this process does about its workers, in order: "born", "signalled", "buried"."""
    noted: list[Fact] = []
    spawn, order = Nursery.spawn, Nursery._order

    def noting(signalling: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def signalled(pid: int, which: int) -> None:
            noted.append(Fact("signalled", pid))
            signalling(pid, which)

        return signalled

    async def born(self: Nursery, number: int, fds: list[int]) -> int:
        pid = await spawn(self, number, fds)
        noted.append(Fact("born", pid))
        return pid

    def ordered(self: Nursery, what: str, argument: int, fds: list[int] | None = None) -> None:
        if what == "bury":
            noted.append(Fact("buried", argument))
        order(self, what, argument, fds)

    monkeypatch.setattr(os, "kill", noting(os.kill))
    monkeypatch.setattr(os, "killpg", noting(os.killpg))
    monkeypatch.setattr(Nursery, "spawn", born)
    monkeypatch.setattr(Nursery, "_order", ordered)
    yield noted
    living: set[int] = set()
    for what, pid in noted:
        if what == "born":
            living.add(pid)
        assert pid in living, f"{pid} was {what}, but is no living worker of this pool: {noted}"
        if what == "buried":
            living.remove(pid)


def kill_from_outside(pid: int) -> None:
    """As somebody else does it, whom nobody notes."""
    watched = os.pidfd_open(pid)
    signal.pidfd_send_signal(watched, signal.SIGKILL)
    os.close(watched)


def test_nobody_else_is_signalled(facts: list[Fact]) -> None:
    """Whatever ends a worker: a limit, a crash, a kill from outside, too many jobs, the close."""
    house = House(term_grace=0.02, max_jobs=4)
    try:
        for _ in range(4):
            house.settle()
            with pytest.raises(GatewayTimeoutError):
                house.server.call(hostile.ignores_sigterm, budget=0.2)
            with pytest.raises(WorkerLost):
                house.server.call(hostile.exits)
            house.settle()
            victim = min(house.pids())
            kill_from_outside(victim)
            house.notice({victim})
            house.settle()
            for _ in range(10):
                house.server.call(pid_of_worker)
    finally:
        house.close()
    assert {fact.what for fact in facts} == {"born", "signalled", "buried"}


def test_one_that_is_buried_is_left_alone(facts: list[Fact]) -> None:
    """Whoever still has it in hand cannot signal it."""
    house = House(slots=1)
    try:
        house.settle()
        staff: Any = house.server._shell.pool._staff  # type: ignore[attr-defined]
        (worker,) = staff._workers.values()
        with pytest.raises(WorkerLost):
            house.server.call(hostile.exits)
        house.settle()
        assert Fact("buried", worker.pid) in facts
        before = list(facts)
        for act in (worker.kill, worker.terminate, worker.dump):
            act()
        assert facts == before
    finally:
        house.close()
