"""Actors that are called, misbehave, are killed and replaced: what their callers see, and what is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from tests.cluster import ways
from tests.cluster.hall import PATIENCE, Hall, actors, eventually
from tests.processes.house import Logged, wait_for_deaths
from tests.shells.recorder import GUARD, error_of
from timeouts import (
    ExecutionTimeout,
    FirstItemTimeout,
    FirstItemTimeoutError,
    GatewayTimeoutError,
    Job,
    Observer,
    PayloadError,
    RayWorkers,
    Server,
    SoftTimeout,
    WorkerLost,
    remaining,
)
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness
from timeouts.workers.process.answers import RemoteTraceback
from timeouts.workers.ray import staff

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.usefixtures("cluster"),
    pytest.mark.timeout(120),  # the first test waits for a whole cluster to start
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the collector
]


@pytest.fixture(scope="module")
def shared(cluster: Any) -> Iterator[Hall]:
    """Give the same server to all cases of the module that need no other."""
    hall = Hall(ExecutionTimeout(30))
    yield hall
    hall.close()


@pytest.fixture
def hall(shared: Hall) -> Iterator[Hall]:
    """Leave the shared server as it was found."""
    shared.settle()
    yield shared
    shared.settle()


# Ways to call.


def test_three_ways_to_call(hall: Hall) -> None:
    """A blocked thread, a coroutine, a future: each in an actor, which is no part of this process."""

    async def await_it() -> Any:
        return await hall.server.acall(ways.where)

    pids = {
        hall.server.call(ways.where)[0],
        asyncio.run(await_it())[0],
        hall.server.submit(ways.where).result(GUARD)[0],
    }
    assert pids <= hall.pids()
    assert os.getpid() not in pids


def test_what_has_no_name_is_copied(hall: Hall) -> None:
    """Ray copies lambdas and closures; so they are handlers, arguments and results."""
    seven = 7
    assert hall.server.call(lambda x: x + seven, 1) == 8
    assert hall.server.call(lambda: lambda x: x + seven)(2) == 9


def test_guards_are_told_by_what_they_guard() -> None:
    """A guarded function, and a method of an object that is sent along."""
    with ways.guarded.server, ways.Model.scale.server:
        double, pid = ways.guarded(4)
        assert double == 8
        assert pid != os.getpid()
        assert ways.Model(3).scale(5) == 15


def test_a_handler_knows_the_callers_budget(hall: Hall) -> None:
    """It travels as a duration."""
    assert 3 < hall.server.call(remaining, budget=5) <= 5


def test_references_stay_references(hall: Hall) -> None:
    """What is in Ray's object store already is named, not sent; also on the way back."""
    known = ray.put([1, 2])

    def add(inside: dict[str, Any]) -> Any:
        return {"sum": ray.put(sum(ray.get(inside["numbers"])))}

    assert ray.get(hall.server.call(add, {"numbers": known})["sum"]) == 3


def test_a_soft_limit_lets_a_handler_end_by_itself() -> None:
    """As in worker processes."""

    def search() -> str:
        try:
            hostile.sleeps()
        except SoftTimeout:
            return "what there is"

    with Server(search, ExecutionTimeout(60, soft=0.5), workers="ray") as server:
        assert server.call() == "what there is"


# Errors and payloads.


def test_an_error_brings_the_traceback_from_over_there(hall: Hall) -> None:
    with pytest.raises(KeyError) as caught:
        hall.server.call(hostile.raises, KeyError("k"))
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in raises" in str(caught.value.__cause__)


class Own(Exception):
    """The error of a script: nobody else could import it."""


def test_an_error_of_a_script_is_caught_by_its_class(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is copied there and back, and is still the same class."""
    monkeypatch.setattr(Own, "__module__", "__main__")

    def raise_own() -> None:
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        hall.server.call(raise_own)


BAD: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    # name: the handler, its arguments, and what its caller is told
    "result": (
        hostile.gives_unpicklable,
        (),
        "the result of the handler cannot be sent back: TypeErr",
    ),
    "nested": (hostile.gives_nested, (), "the result of the handler cannot be sent back: "),
    "explosive": (
        hostile.gives_explosive,
        (SystemExit(3),),
        "arrived and cannot be loaded: SystemExit: 3",
    ),
    "error": (hostile.fails_unrebuildably, (), "Unrebuildable: it failed, because it is hostile"),
    "argument": (len, (threading.Lock(),), "the arguments of run cannot be sent to a Ray actor: "),
}


@pytest.mark.parametrize(("handler", "args", "told"), BAD.values(), ids=list(BAD))
def test_what_cannot_cross_is_its_own_callers_matter(
    hall: Hall, handler: Any, args: tuple[Any, ...], told: str
) -> None:
    """The actor lives on."""
    before = hall.pids()
    with pytest.raises(PayloadError, match=told):
        hall.server.call(handler, *args)
    assert hall.server.call(ways.where)[0] in before
    assert hall.pids() == before


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), hostile.Unspeakable()])
def test_any_error_is_the_callers(hall: Hall, error: BaseException) -> None:
    """Also one that would end a process, and one that has no message."""
    before = hall.pids()
    with pytest.raises(type(error)):
        hall.server.call(hostile.raises, error)
    assert hall.pids() == before


def test_a_large_array_is_not_copied_over_there(hall: Hall) -> None:
    """It is put once into the object store and read where it lies, and so read-only; so is a result."""
    array = np.arange(50 << 17, dtype=np.float64)  # 50 MiB
    writable, memory, last = hall.server.call(ways.look_at_memory, array)
    assert (writable, last) == (False, array[-1])
    assert "plasma" in memory
    doubled = hall.server.call(lambda x: x * 2, array[: 1 << 20])
    writable, memory, last = ways.look_at_memory(doubled)
    assert (writable, last) == (False, 2 * array[(1 << 20) - 1])
    assert "plasma" in memory


def test_the_object_store_forgets_what_a_job_was_sent(hall: Hall) -> None:
    """Twelve times a third of it: nothing is kept of the jobs before."""
    before = _spilled()
    array = np.zeros(30 << 17)
    for _ in range(12):
        assert hall.server.call(len, array) == len(array)
    gc.collect()
    assert _spilled() == before


def _spilled() -> str:
    from ray._private.internal_api import memory_summary

    summary: str = memory_summary(stats_only=True)
    return "\n".join(line for line in summary.splitlines() if "pilled" in line)


# Hanging and dying.


@pytest.mark.parametrize(
    "handler",
    [
        hostile.sleeps,
        hostile.spins,
        hostile.holds_gil,
        hostile.stops_itself,
        hostile.ignores_sigterm,
    ],
    ids=lambda handler: handler.__name__,
)
def test_what_hangs_is_killed(hall: Hall, witness: Witness, handler: Any) -> None:
    """The caller is told; the slot is given up only when the process has ended; another takes its place."""
    late = len(hall.recorder.of("late"))
    future = hall.server.submit(handler, witness.path, budget=1.5)
    ((pid, _),) = witness.wait(1)
    with pytest.raises(TimeoutError):
        future.result(GUARD)
    hall.recorder.wait_for("late", late + 1)
    wait_for_deaths([pid])
    hall.settle()
    assert pid not in hall.pids()
    error = error_of(hall.recorder.of("late")[-1])
    assert isinstance(error, WorkerLost)
    assert error.work == "killed"


class Watchful(Observer):
    """Looks at a process at the moment when it is told that it was killed."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool, str]] = []
        self.back = threading.Event()

    def killed(self, job: Job, pid: int, cause: str, took: float, now: float) -> None:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except OSError:
            state = "gone"
        self.seen.append((pid, state in {"gone", "Z", "X"}, cause))

    def respawned(self, number: int, pid: int, took: float, now: float) -> None:
        self.back.set()


@pytest.mark.parametrize("far", [False, True], ids=["near", "far"])
def test_a_kill_is_proven(monkeypatch: pytest.MonkeyPatch, witness: Witness, far: bool) -> None:
    """Told by the server itself on its own machine, and by a warden on another: the process has ended.

    A spare takes the slot in that moment, and itself has a successor.
    """
    if far:
        monkeypatch.setattr(staff, "whereabouts", lambda: "another machine")
    before, watchful = actors(), Watchful()
    workers = RayWorkers(spares=1)
    with Server(hostile.run, slots=1, workers=workers, observers=[watchful]) as server:
        eventually(lambda: server._shell.pool.roster.spares)  # type: ignore[attr-defined]
        assert ("Warden" in actors()) is far
        with pytest.raises(GatewayTimeoutError):
            server.call(hostile.stops_itself, witness.path, budget=1.5)
        assert server.call(ways.where)
        ((pid, _),) = witness.seen()
        assert watchful.seen == [(pid, True, "its actor was killed")]
        assert watchful.back.wait(PATIENCE)
    assert actors() == before


def test_where_nobody_sees_a_process_rays_word_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container of its own, say. The death of an idle one is noticed by the next call."""

    async def cannot(*_: object) -> bool:
        return False

    monkeypatch.setattr(staff, "whereabouts", lambda: "another machine")
    monkeypatch.setattr(staff.Staff, "_far", lambda *_: cannot)
    with Server(hostile.run, ExecutionTimeout(30), slots=1, workers="ray") as server:
        with pytest.raises(TimeoutError):
            server.call(hostile.sleeps, budget=0.3)
        pid = server.call(ways.where)[0]
        os.kill(pid, signal.SIGKILL)
        wait_for_deaths([pid])
        with pytest.raises(WorkerLost):
            server.call(ways.where)
        assert server.call(ways.where)[0] != pid


@pytest.mark.parametrize("name", ["exits", "segfaults"])
def test_a_crash_is_told_to_its_caller_alone(hall: Hall, name: str) -> None:
    """With what Ray knows of it; the neighbour lives on."""
    before = hall.pids()
    with pytest.raises(
        WorkerLost, match="the worker was lost while the job ran: The actor"
    ) as caught:
        hall.server.submit(getattr(hostile, name)).result(GUARD)
    assert (caught.value.started, caught.value.work) == (True, "killed")
    hall.settle()
    assert len(before & hall.pids()) == 1


def test_an_idle_actor_that_dies_is_replaced(hall: Hall, logged: Logged) -> None:
    """Before anybody is sent to it."""
    before = hall.pids()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    logged.wait_for(f"pid {victim}", "was lost")
    hall.settle()
    assert hall.pids() & before == before - {victim}


# Streams.


@pytest.mark.parametrize(("seconds", "survives"), [(0.0, True), (3600.0, False)])
def test_a_consumer_that_leaves_closes_the_generator(seconds: float, survives: bool) -> None:
    """In the actor, which serves the next; one that does not close in its grace is killed."""
    workers = RayWorkers(stream_grace=5.0 if survives else 0.2)
    with Server(ways.count_slowly, slots=1, workers=workers) as server:
        (before,) = server._shell.pool.roster.idle  # type: ignore[attr-defined]
        items = server.call(seconds)
        assert [next(items), next(items)] == [0, 1]
        items.close()
        assert next(server.call(0.0)) == 0
        assert before.gone is not survives


def test_a_stream_that_gives_nothing_is_killed() -> None:
    """Its first item has a limit."""

    def silent() -> Iterator[int]:
        yield hostile.sleeps()

    with Server(silent, FirstItemTimeout(0.2), slots=1, workers="ray") as server:
        with pytest.raises(FirstItemTimeoutError):
            next(server.call())
        assert server._wait_until(lambda: server._shell.core.free == 1, PATIENCE)


# How long they serve, and the end.


def test_an_actor_serves_so_many_jobs() -> None:
    with Server(ways.where, slots=1, workers=RayWorkers(max_jobs=2)) as server:
        pids = [server.call()[0] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_close_leaves_no_actor(witness: Witness) -> None:
    """Whatever they do."""
    hall = Hall(slots=2, spares=1)
    hall.settle()
    pids = hall.pids()
    for handler in (hostile.holds_gil, hostile.stops_itself):
        hall.server.submit(handler, witness.path)
    witness.wait(2)
    hall.server.__exit__(KeyError, None, None)
    wait_for_deaths(pids)
    assert hall.server._shell.pool.quiet


def test_limits_can_be_changed(hall: Hall) -> None:
    """What the handler is told of them goes with the next call."""
    try:
        hall.server.relimit(ExecutionTimeout(4))
        assert 2 < hall.server.call(remaining) <= 4
    finally:
        hall.server.relimit(ExecutionTimeout(30))
    assert hall.server.call(remaining) > 20
