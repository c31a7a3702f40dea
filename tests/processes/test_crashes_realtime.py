"""Processes die: a worker, the template, the keeper, the server itself. Each takes only its own with it.

The scripts are programs of a user's, in a Python of their own, whose end is looked at from outside.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes.house import (
    Hold,
    House,
    Logged,
    Script,
    descendants_of,
    is_alive,
    is_there,
    pid_of_worker,
    wait_for_deaths,
)
from tests.shells.recorder import GUARD
from timeouts import ExecutionTimeout, GatewayTimeoutError, Server, WorkerLost
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness
from timeouts.workers.process import native
from timeouts.workers.process.birth import START_METHODS

pytestmark = pytest.mark.realtime

DEATHS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    # name: the handler, its arguments, and what its caller is told
    "exits": (hostile.exits, (3,), "exit code 3"),
    "exits_well": (hostile.exits, (0,), "exit code 0"),
    "segfaults": (hostile.segfaults, (), "killed by SIGSEGV"),
    "killed": (hostile.kills_itself, (), "killed by SIGKILL (from outside, or by the kernel"),
    "terminated": (hostile.kills_itself, (signal.SIGTERM,), "killed by SIGTERM"),
    "closes_descriptors": (hostile.closes_descriptors, (), "exit code 1"),
}
CASES = list(itertools.product(START_METHODS, DEATHS))


@pytest.mark.parametrize(("method", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_a_crash_is_told_to_its_caller_alone(
    houses: Callable[..., House], method: str, name: str, tmp_path: Path
) -> None:
    """At once, though there is no limit at all; with the cause; the neighbour works on."""
    handler, args, told = DEATHS[name]
    house = houses(start_method=method)
    neighbour = Hold(house.server, tmp_path / "neighbour")

    def crash() -> None:
        with pytest.raises(WorkerLost) as caught:
            house.server.submit(handler, *args).result(GUARD)
        assert told in str(caught.value)
        assert (caught.value.started, caught.value.work) == (True, "killed")

    assert house.counted(crash) == {"failed": 1}
    survivor = neighbour.let_go()
    house.settle()
    assert survivor in house.pids()
    assert {house.server.call(pid_of_worker) for _ in range(4)} <= house.pids()


def test_a_crash_is_told_within_milliseconds(houses: Callable[..., House]) -> None:
    """The fastest of some: on a busy machine the others say how busy it was; who polls is never so fast."""
    house = houses(start_method="fork")
    fastest = GUARD
    for _ in range(10):
        house.settle()
        began = time.monotonic()
        with pytest.raises(WorkerLost):
            house.server.call(hostile.exits)
        fastest = min(fastest, time.monotonic() - began)
    assert fastest < 0.05
    house.settle()


def test_last_words_are_told(houses: Callable[..., House]) -> None:
    """The last lines of standard error, also after megabytes; of a segfault, the stack."""
    house = houses(start_method="fork")
    with pytest.raises(WorkerLost, match=r"last words were:\nno model in /models\nbye") as caught:
        house.server.call(hostile.exits, last_words="no model in /models\nbye\n")
    assert "bye" in str(caught.value)
    assert house.server.call(hostile.shouts, 2) > 2**20
    with pytest.raises(WorkerLost, match=r"Segmentation fault(.|\n)* in segfaults"):
        house.server.call(hostile.segfaults)
    house.settle()


def test_all_who_call_are_told_of_a_crash(houses: Callable[..., House]) -> None:
    """A blocked thread, a coroutine, a future."""
    house = houses(start_method="fork")

    async def await_it() -> None:
        await house.server.acall(hostile.exits)

    with pytest.raises(WorkerLost):
        house.server.call(hostile.exits)
    with pytest.raises(WorkerLost):
        asyncio.run(await_it())
    with pytest.raises(WorkerLost):
        house.server.submit(hostile.exits).result(GUARD)
    house.settle()


def test_who_waits_does_not_notice_a_crash(houses: Callable[..., House]) -> None:
    """Crashes between good calls, all queued at once: each gets its own answer, and only its own."""
    house = houses(start_method="fork")
    futures = [
        house.server.submit(hostile.exits if number % 5 == 0 else pid_of_worker)
        for number in range(20)
    ]
    lost = [isinstance(future.exception(GUARD), WorkerLost) for future in futures]
    assert lost == [number % 5 == 0 for number in range(20)]
    house.settle()


def test_a_crash_leaves_no_orphans(houses: Callable[..., House], witness: Witness) -> None:
    """Who kills a worker from outside has killed what it had started, too."""
    house = houses(start_method="fork")
    future = house.server.submit(hostile.forks_daemon, witness.path)
    pids = {sighting.word or "": sighting.pid for sighting in witness.wait(2)}
    worker = next(iter(house.pids() & {s.pid for s in witness.seen()}))
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="SIGKILL"):
        future.result(GUARD)
    assert pids
    assert [s.pid for s in witness.seen() if is_there(s.pid)] == []
    house.settle()


def test_a_worker_killed_while_it_sends_is_lost(
    houses: Callable[..., House], witness: Witness
) -> None:
    """64 MB on their way: whatever had come over, the next answers are whole."""
    house = houses(start_method="fork")
    for _ in range(5):
        witness.forget()
        future = house.server.submit(hostile.sends, 64, witness.path)
        (worker,) = witness.wait(1)
        os.kill(worker.pid, signal.SIGKILL)
        error = future.exception(GUARD)
        assert error is None or isinstance(error, WorkerLost)
        assert house.server.call(hostile.sends, 1) == bytes(1 << 20)
    house.settle()


def test_idle_workers_that_are_killed_are_replaced(
    houses: Callable[..., House], logged: Logged
) -> None:
    """Nobody notices: the books know nothing of it, and the next calls are served."""
    house = houses(start_method="fork")
    before = house.pids()

    def kill_and_call() -> None:
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for pid in before:
            logged.wait_for(f"pid {pid}> was lost", "SIGKILL (from outside")
        house.settle()
        assert house.server.call(pid_of_worker) not in before

    assert house.counted(kill_and_call) == {"completed": 1}
    assert not house.pids() & before


def test_a_call_to_a_worker_that_has_just_died_never_started(houses: Callable[..., House]) -> None:
    """Before the server knows: it is sent again to another, or its caller is told that a retry is safe."""
    house = houses(start_method="fork")
    for _ in range(10):
        before = house.pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for_deaths(before)
        try:
            assert house.server.call(pid_of_worker) not in before
        except WorkerLost as error:
            assert (error.started, error.work) == (False, "never started")  # noqa: PT017 - either may happen
        house.notice(before)
        house.settle()


@pytest.mark.parametrize("whose", ["template", "keeper"])
def test_the_workers_makers_are_replaced(
    houses: Callable[..., House], whose: str, logged: Logged, witness: Witness
) -> None:
    """With their workers, and the calls on these; who calls next is served by new ones."""
    house = houses(start_method="fork")
    future = house.server.submit(hostile.escapes_session, witness.path)
    below = {sighting.pid for sighting in witness.wait(2)}
    workers = house.pids()
    before = {house.keeper(), house.template(), *workers, *below}
    os.kill(getattr(house, whose)(), signal.SIGKILL)
    try:
        with pytest.raises(WorkerLost):
            future.result(GUARD)
        for pid in workers:
            logged.wait_for(f"pid {pid}> was lost")
        house.settle()
        assert house.server.call(pid_of_worker) not in before
        house.settle()
        logged.wait_for("the template process of run has died")
    finally:
        if whose == "keeper":  # who fled from everything below it has nobody left to see to him
            for pid in below - workers:
                os.kill(pid, signal.SIGKILL)
    wait_for_deaths(before)


def test_deaths_are_noticed_without_pidfds(
    monkeypatch: pytest.MonkeyPatch, witness: Witness
) -> None:
    """As on macOS: the template tells of its workers', and its own ends them all."""
    monkeypatch.setattr(native, "watch_process", lambda _: None)
    house = House()
    try:
        house.settle()
        with pytest.raises(GatewayTimeoutError):
            house.server.call(hostile.spins, budget=0.2)
        house.settle()
        with pytest.raises(WorkerLost, match="exit code 3"):
            house.server.call(hostile.exits)
        house.settle()
        future = house.server.submit(hostile.sleeps, witness.path)
        witness.wait(1)
        before = house.pids()
        os.kill(house.template(), signal.SIGKILL)
        assert isinstance(future.exception(GUARD), WorkerLost)
        house.settle()
        assert not house.pids() & before
    finally:
        house.close()


# The end of the server itself.

FAMILY = """
import os, signal, sys, threading, time
from timeouts import ExecutionTimeout, ProcessWorkers, Server
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness

def main():
    server = Server(hostile.run, slots=3, workers=ProcessWorkers(start_method={method!r}, spares=1))
    server.start()
    with Witness({fifo!r}) as seen:
        for handler in (hostile.forks_daemon, hostile.escapes_session, hostile.holds_gil):
            server.submit(handler, seen.path)
        seen.wait(5)
        print("ready", flush=True)
        {end}

if __name__ == "__main__":
    main()
"""


def family(tmp_path: Path, end: str, method: str = "fork", **options: Any) -> Script:
    """Start a server with hung calls on all its workers, which ends in this way when it is told to."""
    text = FAMILY.format(method=method, fifo=str(tmp_path / "fifo"), end=end)
    return Script(text, tmp_path / "program.py", **options)


@pytest.mark.parametrize("method", START_METHODS)
def test_nobody_survives_a_server_that_is_killed(method: str, tmp_path: Path) -> None:
    """Keeper, template, workers busy and idle, grandchildren in sessions of their own, daemons."""
    with family(tmp_path, "time.sleep(60)", method) as script:
        assert script.line() == "ready"
        below = descendants_of(script.pid)
        assert len(below) == 2 + 4 + 2  # keeper and template, workers, grandchildren
        script.process.kill()
        wait_for_deaths(below)


@pytest.mark.parametrize(
    ("end", "code"),
    [("return", 0), ("sys.exit(7)", 7), ("raise KeyError(8)", 1), ("os._exit(9)", 9)],
)
def test_a_server_ends_without_being_closed(end: str, code: int, tmp_path: Path) -> None:
    """At once, with its own exit code, whatever hangs; and nobody survives it."""
    with family(tmp_path, f"input()\n        {end}", stdin=subprocess.PIPE) as script:
        assert script.line() == "ready"
        below = descendants_of(script.pid)
        assert script.process.stdin is not None
        script.process.stdin.write("\n")
        script.process.stdin.flush()
        ended, out, err = script.end()
        assert (ended, out) == (code, "")
        assert err.strip().endswith("KeyError: 8" if code == 1 else "")
        assert len(below) == 8
        wait_for_deaths(below)


def test_ctrl_c_in_a_session_ends_cleanly(tmp_path: Path) -> None:
    """SIGINT goes to the whole group, as a terminal sends it; only the server hears it."""
    end = "server.call(hostile.sleeps)"
    with family(tmp_path, end, start_new_session=True) as script:
        assert script.line() == "ready"
        below = descendants_of(script.pid)
        os.killpg(script.pid, signal.SIGINT)
        code, _, err = script.end()
        assert code in (-signal.SIGINT, 130, 1)
        assert err.count("Traceback") == 1
        assert err.strip().endswith("KeyboardInterrupt")
        wait_for_deaths(below)


CTRL_C = """
import signal, sys, threading
from timeouts import Server
from timeouts.testing import hostile

def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever ran us may ignore it
    seen = hostile.Witness(sys.argv[1])
    threading.Thread(target=lambda: seen.wait(1) and print("ready", flush=True)).start()
    try:
        with Server(hostile.run, slots=2, workers="process") as server:
            server.call(hostile.sleeps, seen.path)
    except KeyboardInterrupt:
        print("interrupted", dict(server.stats().outcomes), flush=True)
    seen.close()

if __name__ == "__main__":
    main()
"""


def test_ctrl_c_at_a_terminal_ends_cleanly(tmp_path: Path) -> None:
    """A real terminal, a real ^C, a `with` block: one interrupt, no traceback of any worker's."""
    program = tmp_path / "program.py"
    program.write_text(CTRL_C)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", AT_TERMINAL, str(program), str(tmp_path / "fifo")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        os.close(theirs)
        try:
            seen = b""
            while b"\n" not in seen:
                seen += os.read(ours, 1024)
            below = descendants_of(process.pid)
            assert len(below) == 4
            os.write(ours, b"\x03")
            seen += read_to_the_end(ours)
        finally:
            os.close(ours)  # hangs up, which ends whoever still sits there
            code = process.wait(GUARD)
    assert code == 0, seen
    assert seen.decode().split() == ["ready", "^Cinterrupted", "{'withdrawn':", "1}"]
    wait_for_deaths(below)


AT_TERMINAL = """
import fcntl, sys, termios, runpy
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # it is the session's terminal from here on
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def read_to_the_end(terminal: int) -> bytes:
    seen = b""
    try:
        while data := os.read(terminal, 1024):
            seen += data
    except OSError:  # how a terminal ends on Linux
        pass
    return seen


# A fork of the server.

PIPED: dict[str, Any] = {"stdin": subprocess.PIPE}

FORK = """
import os, sys, threading
from timeouts import Server
from timeouts.testing import hostile

def main():
    seen = hostile.Witness(sys.argv[1])
    server = Server(hostile.run, slots=1, workers="process").start()
    (worker,) = {server.call(os.getpid) for _ in range(3)}
    server.submit(hostile.sleeps, seen.path)
    seen.wait(1)
    print("ready", flush=True)
    child = os.fork()
    if child == 0:
        with server:
            mine = server.call(os.getpid)
            print("child", os.getpid(), mine, mine != worker, flush=True)
            input()
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", server.stats().running, flush=True)
    server.close()

if __name__ == "__main__":
    main()
"""


def test_a_forked_server_has_workers_of_its_own(tmp_path: Path) -> None:
    """Its parent's serve on, and are left alone when it ends."""
    with Script(FORK, tmp_path / "program.py", arguments=(str(tmp_path / "fifo"),), **PIPED) as it:
        assert it.line() == "ready"
        assert it.line().split()[3] == "True"
        it.process.stdin.write("\n")  # type: ignore[union-attr]
        it.process.stdin.flush()  # type: ignore[union-attr]
        assert it.line() == "parent 1"
        assert it.end()[:2] == (0, "")


def test_a_fork_does_not_keep_its_parents_workers_alive(tmp_path: Path) -> None:
    """It holds copies of all descriptors; the keeper watches the server itself."""
    with Script(FORK, tmp_path / "program.py", arguments=(str(tmp_path / "fifo"),), **PIPED) as it:
        assert it.line() == "ready"
        _, child, mine, _ = it.line().split()
        theirs = set(descendants_of(it.pid)) - {int(child), *descendants_of(int(child))}
        assert len(theirs) == 3  # keeper, template, worker
        it.process.kill()
        wait_for_deaths(theirs)
        assert is_alive(int(mine))
        os.kill(int(child), signal.SIGKILL)
        wait_for_deaths([int(mine)])


def forks_and_returns(value: Any) -> tuple[int, Any]:
    """Forget `os._exit` in the child."""
    os.fork()
    return os.getpid(), value


def test_a_forked_child_that_returns_speaks_for_nobody() -> None:
    with Server(hostile.run, ExecutionTimeout(GUARD), slots=1, workers="process") as server:
        worker = server.call(pid_of_worker)
        for size in range(0, 400_000, 10_000):
            value = os.urandom(size)
            assert server.call(forks_and_returns, value) == (worker, value)
            assert server.call(len, value) == size
