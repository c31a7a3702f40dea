"""Real workers that are killed, lost and replaced, as observers see it."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.shells.recorder import GUARD
from timeouts import ExecutionTimeout, ExecutionTimeoutError, Observer, ProcessWorkers, Server
from timeouts.observe import EventStream
from timeouts.observe.events import Answered, Event, Killed, Late, Respawned
from timeouts.testing import hostile
from timeouts.testing.hostile.witness import Witness

pytestmark = pytest.mark.realtime


class Seen:
    """The events of a server, to be waited for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._new: queue.Queue[Event] = queue.Queue()
        self.stream = EventStream(self._new.put)

    def wait_for(self, kind: type[Event], count: int = 1) -> Any:
        """Block until so many of a kind have been seen; return the last of them."""
        while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
            self.events.append(self._new.get(timeout=GUARD))
        return found[-1]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def server(seen: Seen) -> Generator[Server]:
    with Server(
        hostile.run,
        ExecutionTimeout(2),
        slots=1,
        workers=ProcessWorkers(stacks=False),
        observers=[seen.stream],
    ) as server:
        yield server


def test_a_worker_that_is_stopped_is_told_of_once_it_is_dead(
    server: Server, seen: Seen, tmp_path: Path
) -> None:
    """Which one, because of which job, how it died; then of the one in its place."""
    with Witness(tmp_path / "seen") as witness:
        with pytest.raises(ExecutionTimeoutError):
            server.call(hostile.spins, witness.path)
        (spinning,) = witness.wait(1)
    killed = seen.wait_for(Killed)
    assert (killed.job, killed.pid) == (1, spinning.pid)
    assert "SIGKILL" in killed.cause
    with pytest.raises(ProcessLookupError):
        os.kill(killed.pid, 0)
    answered, late = seen.wait_for(Answered), seen.wait_for(Late)
    assert (answered.work, late.work) == ("still running", "killed")
    assert 0 <= killed.seconds < GUARD
    assert answered.now <= killed.now - killed.seconds <= late.now <= killed.now

    respawned = seen.wait_for(Respawned)
    assert respawned.number == 0
    assert respawned.pid == server.call(os.getpid) != killed.pid
    assert 0 < respawned.seconds < GUARD
    assert killed.now <= respawned.now


def test_a_worker_that_dies_by_itself_was_not_killed(server: Server, seen: Seen) -> None:
    """It is replaced, which is told; the next that is stopped is told of as ever."""
    with pytest.raises(Exception, match="the worker died"):
        server.call(hostile.kills_itself, signal.SIGKILL)
    respawned = seen.wait_for(Respawned)
    assert "Killed" not in seen.kinds()
    with pytest.raises(ExecutionTimeoutError):
        server.call(hostile.sleeps)
    assert seen.wait_for(Killed).pid == respawned.pid


def test_the_first_workers_replace_nobody(
    server: Server, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    """To start is not to start again."""
    server.call(os.getpid)
    seen.wait_for(Answered)
    assert "Respawned" not in seen.kinds()
    assert [*caplog.get_records("setup"), *caplog.records] == []


def test_a_worker_that_has_had_enough_is_replaced_and_not_killed(seen: Seen) -> None:
    """`max_jobs` makes respawns, which are nobody's fault."""
    with Server(
        os.getpid, slots=1, workers=ProcessWorkers(max_jobs=1), observers=[seen.stream]
    ) as server:
        first = server.call()
        assert seen.wait_for(Respawned).pid != first
        assert "Killed" not in seen.kinds()


def test_an_observer_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The worker is replaced all the same."""
    seen = Seen()

    class Failing(Observer):
        def killed(self, *_: Any) -> None:
            raise LookupError("an observer's own bug")

        def respawned(self, *_: Any) -> None:
            raise LookupError("an observer's own bug")

    with Server(
        hostile.run,
        ExecutionTimeout(2),
        slots=1,
        workers="process",
        observers=[Failing(), seen.stream],
    ) as server:
        with pytest.raises(ExecutionTimeoutError):
            server.call(hostile.sleeps)
        assert seen.wait_for(Respawned).pid == server.call(os.getpid)
    failed = [r for r in caplog.records if r.getMessage().startswith("an observer failed")]
    assert len(failed) == 2
