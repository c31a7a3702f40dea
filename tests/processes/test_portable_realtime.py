"""The path for kernels without pidfds, parent-death signals, adopted orphans, memfds and /proc, forced on this one.

What it takes away is taken away in the server, the keeper, the template and spawned workers alike: each of them is a
Python that finds a `sitecustomize` first.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.processes.house import Script, descendants_of, is_alive, wait_for_deaths
from tests.shells.recorder import GUARD
from timeouts.workers.process import native
from timeouts.workers.process.birth import START_METHODS

pytestmark = pytest.mark.realtime

POORER = """
import os
del os.pidfd_open, os.memfd_create, os.waitid
from timeouts.workers.process import arena, native
native.LINUX = False
native.children = set
arena.new_file = arena._unlinked_file
"""


def poorer(text: str, tmp_path: Path, **options: Any) -> Script:
    """Start a program on a system that offers less."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(POORER)
    path = os.pathsep.join([str(site), *sys.path])
    return Script(text, tmp_path / "program.py", env={"PYTHONPATH": path}, **options)


PROGRAM = """
import os, signal, sys, time
from tests.processes.house import is_alive, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts import GatewayTimeoutError, ProcessWorkers, Server, StartupFailed, WorkerLost
from timeouts.testing import hostile
from timeouts.workers.process import native

def start_thread():
    import threading, time
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

def wait_for_deaths(pids):
    limit = time.monotonic() + GUARD
    while any(map(is_alive, pids)):
        assert time.monotonic() < limit, pids
        time.sleep(0.005)

def wait_until_known(server, dead):
    staff = server._shell.pool._staff
    limit = time.monotonic() + GUARD
    while any(worker is not None and worker.pid == dead for worker in staff._workers.values()):
        assert time.monotonic() < limit, dead
        time.sleep(0.005)

def main(method, path):
    assert not native.PIDFDS and native.watch_process(os.getpid()) is None
    workers = ProcessWorkers(start_method=method, term_grace=0.02)
    with hostile.Witness(path) as seen, Server(hostile.run, slots=2, workers=workers) as server:
        assert server.call(hostile.sends, 8) == bytes(8 << 20)
        for handler, processes in (
            (hostile.holds_gil, 1), (hostile.stops_itself, 1), (hostile.forks_grandchild, 2)
        ):
            seen.forget()
            future = server.submit(handler, seen.path)
            pids = {sighting.pid for sighting in seen.wait(processes)}
            future.cancel()
            wait_for_deaths(pids)
        for handler, told in ((hostile.exits, "exit code 3"), (hostile.kills_itself, "SIGKILL")):
            try:
                server.call(handler)
            except WorkerLost as error:
                assert told in str(error), error
            else:
                raise AssertionError(handler)
        idle = server.call(pid_of_worker)
        os.kill(idle, signal.SIGKILL)
        wait_for_deaths([idle])
        wait_until_known(server, idle)
        assert server.call(pid_of_worker) != idle
    if method == "fork":
        try:
            Server(hostile.run, slots=1, workers=ProcessWorkers(preload=start_thread)).start()
        except StartupFailed as error:
            assert "preload has started threads" in str(error)
        else:
            raise AssertionError("threads in preload")
    print("well")

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_work_is_stopped_and_deaths_are_noticed(method: str, tmp_path: Path) -> None:
    """Told by the template, and by nobody else."""
    arguments = (method, str(tmp_path / "fifo"))
    with poorer(PROGRAM, tmp_path, arguments=arguments) as script:
        code, out, err = script.end()
    assert (code, out) == (0, "well\n"), err


FAMILY = """
import time
from timeouts import ProcessWorkers, Server
from timeouts.testing import hostile

def main():
    server = Server(hostile.run, slots=3, workers=ProcessWorkers(start_method={method!r}, spares=1))
    server.start()
    with hostile.Witness({fifo!r}) as seen:
        for handler in (hostile.forks_grandchild, hostile.stops_itself, hostile.holds_gil):
            server.submit(handler, seen.path)
        seen.wait(4)
        print("ready", flush=True)
        time.sleep(60)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_nobody_survives_a_server_that_is_killed(method: str, tmp_path: Path) -> None:
    """But who has left the group of his worker, which is told in the documentation."""
    text = FAMILY.format(method=method, fifo=str(tmp_path / "fifo"))
    with poorer(text, tmp_path) as script:
        assert script.line() == "ready"
        below = descendants_of(script.pid)
        assert len(below) == 2 + 4 + 1  # keeper and template, workers, a grandchild
        script.process.kill()
        wait_for_deaths(below)


@pytest.mark.parametrize("ask", [native.has_died, native._has_died_elsewhere])
def test_a_death_is_seen_and_left_to_be_buried(ask: Any) -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    assert not ask(child)
    os.kill(child, signal.SIGKILL)
    limit = time.monotonic() + GUARD
    while not ask(child):
        assert time.monotonic() < limit
    assert ask(child)
    assert os.waitpid(child, 0)[0] == child
    with pytest.raises(ChildProcessError):
        ask(child)


CRASH = """
from timeouts import Server, WorkerLost
from timeouts.testing import hostile

def main():
    with Server(hostile.run, slots=1, workers="process") as server:
        for _ in range(2):
            try:
                server.call(hostile.exits)
            except WorkerLost as error:
                print(error)

if __name__ == "__main__":
    main()
"""


def test_deaths_are_noticed_without_waitid(tmp_path: Path) -> None:
    with poorer(CRASH, tmp_path) as script:
        code, out, err = script.end()
    assert (code, out) == (0, "the worker died while the job ran: exit code 3\n" * 2), err


PRELOAD = """
import sys, time
from timeouts import ProcessWorkers, Server

def load():
    print("loading", flush=True)
    time.sleep(60)

def main():
    Server(abs, slots=1, workers=ProcessWorkers(preload=load)).start()

if __name__ == "__main__":
    main()
"""


def test_a_template_that_hangs_in_preload_dies_with_the_server(tmp_path: Path) -> None:
    with poorer(PRELOAD, tmp_path) as script:
        assert script.line() == "loading"
        below = descendants_of(script.pid)
        assert len(below) == 2
        script.process.kill()
        wait_for_deaths(below)
        assert not any(map(is_alive, below))


UNREAD = """
import sys, time
from timeouts import Server
from timeouts.testing import hostile

def main():
    server = Server(hostile.run, slots=2, workers="process").start()
    with hostile.Witness(sys.argv[1]) as seen:
        for handler in (hostile.sleeps, hostile.holds_gil):
            server.submit(handler, seen.path)
        print(*(sighting.pid for sighting in seen.wait(2)), flush=True)
        time.sleep(60)

if __name__ == "__main__":
    main()
"""


def test_nobody_survives_a_server_that_had_not_heard_all(tmp_path: Path) -> None:
    with poorer(UNREAD, tmp_path, arguments=(str(tmp_path / "fifo"),)) as script:
        first, _ = script.numbers()
        below = descendants_of(script.pid)
        assert len(below) == 4, below
        os.kill(script.pid, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        select.select([], [], [], 0.5)  # the template tells of it, and nobody listens
        script.process.kill()
        wait_for_deaths(below)
