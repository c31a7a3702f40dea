"""How workers come to be: what prepares them, what goes wrong then, how long they serve, what they can run."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import ways
from tests.processes.house import Logged, Script, descendants_of, pid_of_worker, wait_for_deaths
from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    ProcessWorkers,
    Server,
    Stack,
    StartupFailed,
    StartupTimeoutError,
)
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness
from timeouts.workers.process import charter, staff
from timeouts.workers.process.charter import Charter
from timeouts.workers.process.child import template

pytestmark = pytest.mark.realtime

# What prepares a worker.


def test_setup_runs_in_each_worker() -> None:
    """With its number, if it takes one."""
    with Server(ways.loaded, slots=2, workers=ProcessWorkers(setup=ways.load)) as server:
        seen = {tuple(future.result(GUARD)) for future in [server.submit() for _ in range(20)]}
    assert seen <= {(0,), (1,)}
    assert seen


def test_preload_runs_once_and_is_shared() -> None:
    """In a process that is neither the server nor a worker; also by the workers that come later."""
    with Server(ways.loaded_and_pid, slots=1, workers=ProcessWorkers(preload=ways.share)) as server:
        (first,), worker = server.call()
        assert first not in (worker, os.getpid())
        kill(server, worker)
        (again,), other = server.call()
        assert again == first
        assert other != worker


def kill(server: Server, worker: int) -> None:
    """Kill an idle worker, and wait until the server has another."""
    os.kill(worker, 9)
    pool: Any = server._shell.pool
    server._wait_until(lambda: worker not in pids(pool) and server._shell.core.free == 1, GUARD)


def pids(pool: Any) -> set[int]:
    return {worker.pid for worker in pool._staff._workers.values() if worker is not None}


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    # name: the options, and what callers are told
    "setup fails": (
        {"setup": ways.fail},
        r"setup failed in a worker: Traceback(.|\n)*in fail\n(.|\n)*no model in",
    ),
    "setup leaves": (
        {"setup": ways.leave},
        "setup failed in a worker: Traceback(.|\n)*SystemExit: no model",
    ),
    "setup exits": (
        {"setup": ways.exit_at_once},
        "it died: exit code 4; its last words were:\nno GPU here",
    ),
    "preload fails": (
        {"preload": ways.fail},
        r"Traceback(.|\n)*in fail\n(.|\n)*no model in /models",
    ),
    "preload leaves": ({"preload": ways.leave}, "Traceback(.|\n)*SystemExit: no model"),
    "preload exits": ({"preload": ways.exit_at_once}, "the template process has died"),
}


@pytest.mark.parametrize(("options", "told"), FAILURES.values(), ids=list(FAILURES))
def test_a_failed_start_is_told_with_its_traceback(options: dict[str, Any], told: str) -> None:
    """To who starts the server, and to all who call, at once; the next attempt waits."""
    server = Server(pid_of_worker, slots=2, workers=ProcessWorkers(**options))
    try:
        with pytest.raises(StartupFailed, match=told):
            server.start()
        with pytest.raises(StartupFailed, match=told) as caught:
            server.call()
        assert not caught.value.started
        assert caught.value.retry_after
        assert isinstance(server.submit().exception(GUARD), StartupFailed)
        stats = server.stats()
        assert (stats.arrived, stats.slots, stats.outcomes) == (2, 0, {"startup_failed": 2})
    finally:
        below = descendants(server)
        server.__exit__(KeyError, None, None)
    wait_for_deaths(below)


def descendants(server: Server) -> list[int]:
    nursery = server._shell.pool._staff._nursery  # type: ignore[attr-defined]
    return [] if nursery is None else [nursery._keeper.pid, *descendants_of(nursery._keeper.pid)]


@pytest.mark.parametrize("what", ["setup", "preload"])
def test_a_start_that_hangs_has_a_limit_of_its_own(what: str) -> None:
    """However long the limits of a request are."""
    workers = ProcessWorkers(startup_timeout=0.8, **{what: ways.hang})  # type: ignore[arg-type]
    server = Server(pid_of_worker, ExecutionTimeout(3600), slots=2, workers=workers)
    begun = time.monotonic()
    try:
        with pytest.raises(StartupTimeoutError, match=r"startup_timeout allows 0\.8 s"):
            server.call()
        assert time.monotonic() - begun < 10
        below = descendants(server)
    finally:
        server.__exit__(KeyError, None, None)
    wait_for_deaths(below)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_start_that_fails_twice_succeeds(
    method: Any, tmp_path: Path, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server tries again by itself, later each time, and serves from then on."""
    monkeypatch.setenv("ATTEMPTS", str(tmp_path / "attempts"))
    workers = ProcessWorkers(setup=ways.succeed_at_last, start_method=method)
    server = Server(pid_of_worker, slots=1, workers=workers)
    try:
        with pytest.raises(StartupFailed, match="attempt 1"):
            server.call()
        server._wait_until(lambda: server._shell.core.slots == 1, GUARD)
        assert server.call() != os.getpid()
        assert (tmp_path / "attempts").read_text() == "123"
        first = logged.wait_for("the next attempt is in 0.1 s", "attempt 1")
        second = logged.wait_for("the next attempt is in 0.2 s", "attempt 2")
        assert logged.lines.index(first) < logged.lines.index(second)
        assert server.start() is server
    finally:
        server.__exit__(None, None, None)


def test_the_wait_between_attempts_has_a_cap(
    tmp_path: Path, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fourth attempt would have to wait for four times as long as the first."""
    monkeypatch.setattr(staff, "LONGEST_DELAY", 0.15)
    server = Server(pid_of_worker, slots=1, workers=ProcessWorkers(setup=ways.fail))
    try:
        with pytest.raises(StartupFailed, match="no model in /models"):
            server.call()
        logged.wait_for("the next attempt is in 0.1 s")
        logged.wait_for("the next attempt is in 0.15 s")
        for _ in range(3):
            logged.lines.clear()
            logged.wait_for("the next attempt is in 0.15 s", "in fail")
        with pytest.raises(StartupFailed) as caught:
            server.call()
        assert caught.value.retry_after == 0.15
    finally:
        server.__exit__(None, None, None)


def test_a_start_that_dies_is_no_storm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that die on their way in are replaced no faster than others that fail, and never twice."""
    monkeypatch.setenv("ATTEMPTS", str(tmp_path / "attempts"))
    server = Server(pid_of_worker, slots=2, workers=ProcessWorkers(setup=ways.die_at_first))
    try:
        server._shell.pool.open()
        server._wait_until(lambda: server._shell.core.slots == 2, GUARD)
        assert len(pids(server._shell.pool)) == 2
        attempts = len((tmp_path / "attempts").read_text())
        assert attempts == 6 + 2
        assert server.call() in pids(server._shell.pool)
    finally:
        server.__exit__(None, None, None)


def test_what_cannot_be_opened_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No descriptors are left, say: callers are told why, nothing leaks, and it ends when they are back."""
    from timeouts.workers.process import arena

    real, left = arena.new_file, [OSError(24, "Too many open files")] * 2

    def new_file() -> int:
        if left:
            raise left.pop()
        return real()

    monkeypatch.setattr(arena, "new_file", new_file)
    server = Server(pid_of_worker, slots=1, workers=ProcessWorkers())
    try:
        with pytest.raises(StartupFailed, match="Too many open files"):
            server.start()
        server._wait_until(lambda: server._shell.core.slots == 1, GUARD)
        assert server.call()
    finally:
        server.__exit__(None, None, None)


# What must not be forked.


@pytest.mark.parametrize(
    ("preload", "told"),
    [
        (ways.start_thread, r"preload has started threads \(feeder\)"),
        (ways.start_raw_thread, r"preload has started .*threads"),
        (ways.start_native_thread, "preload has started 1 native threads"),
    ],
    ids=["threading", "_thread", "native"],
)
def test_threads_in_preload_are_refused(preload: Callable[[], None], told: str) -> None:
    """With what to do instead."""
    with (
        pytest.raises(StartupFailed, match=told) as caught,
        Server(pid_of_worker, slots=1, workers=ProcessWorkers(preload=preload)),
    ):
        pass
    for advice in ("setup=", 'start_method="forkserver" or "spawn"'):
        assert advice in str(caught.value)


@pytest.mark.parametrize("preload", [ways.end_thread, ways.multiply])
def test_threads_that_a_fork_survives_are_none(preload: Callable[[], None]) -> None:
    """Those that have ended, and those that end themselves for a fork, as OpenBLAS's do."""
    with Server(ways.loaded, slots=1, workers=ProcessWorkers(preload=preload)) as server:
        assert server.call() == ([27000000.0] if preload is ways.multiply else [])


def test_cuda_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch says of it is believed, and refused with what to do instead."""
    used = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True))
    unused = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", unused)
    assert not template._cuda_in_use()
    monkeypatch.setitem(sys.modules, "torch", used)
    assert template._cuda_in_use()
    monkeypatch.setattr(sys, "_current_frames", lambda: {1: None})
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])
    with pytest.raises(template.Unsound, match=r"initialised CUDA(.|\n)*setup=(.|\n)*spares=1"):
        template._refuse_unsound(ways.multiply)


def test_an_open_gpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has opened it: a descriptor of the driver's is enough."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not template._cuda_in_use()
    monkeypatch.setattr(Path, "readlink", lambda _: Path("/dev/nvidiactl"))
    assert template._cuda_in_use()


# How long a worker serves.


def test_a_worker_serves_so_many_jobs() -> None:
    """Then another takes its place, and nobody notices."""
    with Server(os.getpid, slots=1, workers=ProcessWorkers(max_jobs=3)) as server:
        served = [server.call() for _ in range(9)]
        assert [served.count(pid) for pid in dict.fromkeys(served)] == [3, 3, 3]
        assert server.stats().outcomes == {"completed": 9}


def test_a_worker_that_has_grown_is_replaced() -> None:
    """After its job."""
    with Server(ways.grow, slots=1, workers=ProcessWorkers(max_memory=150 << 20)) as server:
        small = server.call(0)
        assert server.call(0) == small
        assert server.call(200) == small
        assert server.call(0) != small


def test_a_spare_takes_the_place_of_one_that_is_lost(witness: Witness) -> None:
    """It was there before, ready."""
    workers = ProcessWorkers(spares=1)
    with Server(hostile.run, slots=1, workers=workers) as server:
        pool: Any = server._shell.pool
        while not pool.roster.spares:  # nobody rings when one has come
            server._wait_until(lambda: bool(pool.roster.spares), 0.01)
        before = pids(pool)
        assert len(before) == 2
        first = server.call(os.getpid)
        with pytest.raises(Exception, match="budget"):
            server.call(hostile.sleeps, budget=0.2)
        assert {first, server.call(os.getpid)} == before


# What workers can run.


@pytest.mark.parametrize(
    "handler",
    [
        ways.double,
        ways.Model(2),
        ways.Model(2).method,
        ways.Model.static,
        ways.Model.of_class,
        functools.partial(ways.double, factor=2),
        functools.partial(ways.Model(2).method),
        (2).__mul__,
    ],
    ids=["function", "object", "method", "static", "class", "partial", "partial method", "builtin"],
)
def test_it_can_be_found_or_rebuilt(handler: Callable[[int], int]) -> None:
    """As a worker reads it."""
    written = Charter(handler, None, None, Stack()).write()
    assert charter.read(written).handler(21) == 42


@pytest.mark.parametrize("handler", [ways.Model(2), ways.Model.static], ids=["object", "static"])
def test_it_can_be_run(handler: Callable[[int], int]) -> None:
    """In a worker."""
    with Server(handler, slots=1, workers="process") as server:
        assert server.call(21) == 42


def test_what_is_guarded_can_be_run() -> None:
    """Its module's own name stands for the guard, in the worker as well; no worker starts workers."""
    try:
        assert ways.guarded(21) == (42, True)
        assert ways.guarded.submit(21).result(GUARD) == (42, True)
        assert [ways.Model(n).guarded_method(2) for n in (1, 2)] == [2, 4]
    finally:
        ways.guarded.close()
        ways.Model.guarded_method.close()


def test_lambdas_are_copied_where_that_is_possible() -> None:
    """With cloudpickle."""
    pytest.importorskip("cloudpickle")
    factor = 2
    with Server(lambda number: number * factor, slots=1, workers=ProcessWorkers()) as server:
        assert server.call(21) == 42


def test_lambdas_are_refused_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cloudpickle, and with what to do."""
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with (
        pytest.raises(TypeError, match=r"handler .*<lambda>.* cannot be sent(.|\n)*cloudpickle"),
        Server(lambda number: number, slots=1, workers=ProcessWorkers()),
    ):
        pass


def test_what_nobody_can_copy_is_refused() -> None:
    """With cloudpickle, too, as a TypeError that names it."""
    pytest.importorskip("cloudpickle")
    lock = threading.Lock()
    with (
        pytest.raises(
            TypeError, match=r"setup functools.* cannot be sent to a worker process: cannot pickle"
        ),
        Server(ways.double, slots=1, workers=ProcessWorkers(setup=functools.partial(id, lock))),
    ):
        pass


PROGRAM = """
from timeouts import Server

def double(number):
    return number * 2

def main():
    with Server(double, slots=1, workers="process") as server:
        print(server.call(21))
"""
GUARDED = PROGRAM + '\nif __name__ == "__main__":\n    main()\n'


def test_a_program_with_a_main_guard_works(tmp_path: Path) -> None:
    with Script(GUARDED, tmp_path / "program.py") as script:
        assert script.end() == (0, "42\n", "")


def test_a_program_without_one_is_told_so(tmp_path: Path) -> None:
    """At once, with what to write."""
    with Script(PROGRAM + "\nmain()\n", tmp_path / "program.py") as script:
        code, out, err = script.end()
    assert (code, out) == (1, "")
    assert "worker processes cannot be started by what one of them imports" in err
    assert 'under `if __name__ == "__main__":`' in err
    assert "StartupFailed" in err


CALLED_BY_ITS_OWN_IMPORT = """
from timeouts import guard

@guard(slots=1, workers="process")
def double(number):
    return number * 2

answer = double(21)
"""


def test_a_module_that_calls_its_guard_as_it_is_imported_is_told_so(tmp_path: Path) -> None:
    """Each worker would import it, and so start workers of its own, which would import it."""
    (tmp_path / "its_own.py").write_text(CALLED_BY_ITS_OWN_IMPORT)
    with Script("import its_own\n", tmp_path / "program.py") as script:
        code, out, err = script.end()
    assert (code, out) == (1, "")
    assert "cannot be started by what one of them imports: put it into a function" in err


def test_a_command_line_works_by_copy(tmp_path: Path) -> None:
    """`python -c` has no file to run again."""
    pytest.importorskip("cloudpickle")
    with Script(GUARDED) as script:
        assert script.end() == (0, "42\n", "")


def test_a_command_line_without_cloudpickle_is_told(tmp_path: Path) -> None:
    (tmp_path / "cloudpickle.py").write_text("raise ImportError")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    with Script(GUARDED, env={"PYTHONPATH": path}) as script:
        code, out, err = script.end()
    assert (code, out) == (1, "")
    assert "cannot be sent to a worker process: it was defined in a session that has no file" in err
    assert "cloudpickle" in err
