"""The template: a process with one thread, which has loaded the model once and forks workers from it.

Laws:
- It forks only while no other thread and no CUDA context exists in it: what is forked beside a
  thread may wait for ever for a lock that the thread held.
- It buries a worker only when told to, so until then the worker's pid belongs to nobody else. It may be told
  before the worker is dead.
- A worker is gone when it and every process that descends from it has been buried. The template is
  the adoptive parent of orphans, and nobody but a dead worker leaves it any.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

from timeouts.workers.process import birth, charter, native
from timeouts.workers.process.child import pages, worker

GATHERING = 1.0  # seconds at most, once, for what every fork then saves
FDS = 5
"""Descriptors of a worker: its channel, its standard error, its dumps, and both ways of its post."""


def main(control: int, birth_fd: int) -> NoReturn:
    """Get ready, say so, and serve until the server lets go."""
    native.die_with_parent()
    native.adopt_orphans()
    for normal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(normal, signal.SIG_DFL)
    template = Template(socket.socket(fileno=control), birth_fd)
    code = 1
    try:
        template.get_ready()
        template.serve()
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is
        template.tell("failed", traceback.format_exc())
    finally:
        os._exit(code)


class Unsound(RuntimeError):
    """Forking would be unsound."""


class Template:
    """Forks and buries workers at the server's command."""

    def __init__(self, control: socket.socket, birth_fd: int) -> None:
        self._control = control
        self._birth_fd = birth_fd
        self._fds: deque[int] = deque()
        self._mine: set[int] = set()
        self._due: set[int] = set()
        self._dying: dict[int, int] = {}
        self._alarm, wakeup = os.pipe()
        os.set_blocking(self._alarm, False)
        os.set_blocking(wakeup, False)
        self._wakeup = wakeup
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self._tells = False

    def tell(self, *message: Any) -> None:
        """Tell the server."""
        with contextlib.suppress(OSError):  # it is gone
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def get_ready(self) -> None:
        """Learn what there is to know; load what workers are to share."""
        with open(self._birth_fd, "rb", closefd=False) as file:
            self._birth = birth.read(file.read())
        pages.forget_wish()
        self._charter: charter.Charter | None = None
        if self._birth.method == "fork":
            with self._birth.settling_in():
                self._charter = charter.read(self._birth.charter)
            if self._charter.preload is not None:
                self._charter.preload()
            _refuse_unsound(self._charter.preload)
            gc.collect()
            gc.freeze()  # a collection in a worker would copy every page it looks at
            pages.gather(GATHERING)
        elif self._birth.method == "forkserver":
            sys.path[:] = self._birth.code["sys_path"]
        self._mine |= native.children()  # the model's own helpers, if it has any
        self.tell("ready")

    def serve(self) -> None:
        """Obey until the server closes its end."""
        rest = b""
        while True:
            watched: list[Any] = [self._control, self._alarm]
            ready, _, _ = select.select(watched, [], [])
            if self._alarm in ready:
                os.read(self._alarm, 4096)
                self._reap()
                if self._tells:
                    self._report_deaths()
            if self._control in ready:
                try:
                    data, fds, _, _ = socket.recv_fds(self._control, 65536, 4 * FDS)
                except ConnectionResetError:  # the server died with something of ours unread
                    data, fds = b"", []
                if not data:
                    self._end()
                    return
                self._fds.extend(fds)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._obey(*json.loads(line))

    def _obey(self, order: str, argument: int) -> None:
        if order == "spawn":
            self._spawn(argument)
        elif order == "tell":
            self._tells = True
            self._report_deaths()
        else:
            self._due.add(argument)
            self._reap()

    def _spawn(self, number: int) -> None:
        fds = [self._fds.popleft() for _ in range(FDS)]
        try:
            pid = (
                self._exec(number, fds)
                if self._birth.method == "spawn"
                else self._fork(number, fds)
            )
        except OSError as why:  # no more processes, no more memory
            self.tell("unborn", number, f"{type(why).__name__}: {why}")
        else:
            self._mine.add(pid)
            self.tell("spawned", number, pid)
        for fd in fds:
            os.close(fd)

    def _fork(self, number: int, fds: list[int]) -> int:
        with warnings.catch_warnings():  # it has been found to be sound
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._leave_to_worker()
            worker.main(number, fds, self._birth, self._charter)
        return pid

    def _leave_to_worker(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._alarm, self._wakeup, self._birth_fd, *self._fds):
            os.close(fd)
        self._control.close()

    def _exec(self, number: int, fds: list[int]) -> int:
        given = [fds[1], *fds[:1], *fds[2:], self._birth_fd]
        places = [2, *range(3, 8)]
        # Moved out of the way first: a descriptor that stood in its place already would be closed there.
        moved = [_high(fd) for fd in given]
        command = self._birth.command(worker.__name__, worker.exec_main.__name__, number)
        try:
            return os.posix_spawn(
                command[0],
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, fd, place)
                    for fd, place in zip(moved, places, strict=True)
                ],
                setpgroup=0,
            )
        finally:
            for fd in moved:
                os.close(fd)

    def _reap(self) -> None:
        """Bury those who have died and whose burial was ordered, and all that they left behind."""
        for pid in tuple(self._due):
            died, status = os.waitpid(pid, os.WNOHANG)
            if died:
                self._due.discard(pid)
                self._mine.discard(pid)
                self._dying[pid] = os.waitstatus_to_exitcode(status)
        self._sweep()

    def _report_deaths(self) -> None:
        """Tell of those who have died, without burying them, where the kernel does not tell the server."""
        for pid in tuple(self._mine):
            with contextlib.suppress(ChildProcessError):
                if native.has_died(pid):
                    self.tell("died", pid)

    def _sweep(self) -> None:
        """Kill and bury those whom dead workers have left behind; when there are none, say who is gone."""
        if not self._dying:
            return
        while orphans := native.children() - self._mine:
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
            buried = [pid for pid in orphans if _bury(pid)]
            if not buried:
                return  # the next SIGCHLD goes on from here
        for pid, status in self._dying.items():
            self.tell("gone", pid, status)
        self._dying.clear()

    def _end(self) -> None:
        for pid in self._mine:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _nothing(*_: object) -> None:
    """A handler must be there, or the signal would not write to the wakeup descriptor."""


def _bury(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    return True


def _high(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)


def _refuse_unsound(preload: object) -> None:
    """Refuse to fork from a process in which another thread or a CUDA context exists."""
    culprit = "preload" if preload is not None else "importing the handler's module"
    names = [
        thread.name for thread in threading.enumerate() if thread is not threading.main_thread()
    ]
    if names or len(sys._current_frames()) > 1:  # noqa: SLF001 - also threads that `threading` has not made
        raise Unsound(
            f"{culprit} has started threads ({', '.join(names) or 'not made by `threading`'}), and a "
            "process with threads cannot be forked safely: start them in setup=, which runs in each "
            'worker, or use start_method="forkserver" or "spawn"'
        )
    if _cuda_in_use():
        raise Unsound(
            f"{culprit} has initialised CUDA, which does not survive a fork: load the model to the "
            "CPU in preload=, or to the GPU in setup=, which runs in each worker; "
            "spares=1 keeps one loaded in reserve"
        )
    if left := _threads_that_survive_a_fork():
        raise Unsound(
            f"{culprit} has started {left} native threads (a pool of OpenMP's, say), and a process "
            "with threads cannot be forked safely: compute nothing in preload=, or with one thread "
            '(torch.set_num_threads(1)), or use setup=, or start_method="forkserver" or "spawn"'
        )


def _cuda_in_use() -> bool:
    for link in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith("/dev/nvidia"):
                return True
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _threads_that_survive_a_fork() -> int:
    """Count native threads after a trial fork: pools that know of forks (OpenBLAS's) end theirs for it."""
    if not native.LINUX or _native_threads() <= 1:
        return 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return _native_threads() - 1


def _native_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())
