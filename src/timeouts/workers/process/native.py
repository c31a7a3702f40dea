"""What the kernel offers beyond `os`, and what stands in for it elsewhere; which, is chosen at import.

| | Linux | elsewhere |
|---|---|---|
| a death is noticed by | a pidfd | the template's SIGCHLD |
| orphans of a killed worker | are adopted by the template, and killed | die with their process group; those who left it survive |
| the server is killed | a pidfd of it wakes the keeper | the end of a pipe wakes the keeper |
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

LINUX = sys.platform == "linux"
PIDFDS = hasattr(os, "pidfd_open")
DUMP_SIGNAL: int = signal.SIGRTMAX - 2 if hasattr(signal, "SIGRTMAX") else signal.SIGUSR2
"""Makes a worker write the stacks of its threads; one that no library is known to use."""

_P_PID = 1
_WEXITED = 4
_WNOWAIT = 0x01000000 if LINUX else 0x20
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def watch_process(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a process dies, where the kernel has such."""
    if not PIDFDS:
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that forbids it
        return None


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the processes whose parent this one is, the dead among them; none where none can be seen."""
    me = os.getpid()
    try:
        listed = Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii")
    except OSError:  # not every kernel has it
        return {pid for pid, parent in _parents() if parent == me}
    return {int(pid) for pid in listed.split()}


def has_died(pid: int) -> bool:
    """Tell whether a child has died, and leave it to be buried.

    Raises:
        ChildProcessError: there is no such child.
    """
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return _has_died_elsewhere(pid)


def _has_died_elsewhere(pid: int) -> bool:
    """Ask the C library: Python on macOS has no `os.waitid` before 3.13."""
    info = (ctypes.c_int * 64)()  # a siginfo_t is smaller, and begins with the signal's number
    options = _WEXITED | os.WNOHANG | _WNOWAIT
    if ctypes.CDLL(None, use_errno=True).waitid(_P_PID, pid, ctypes.byref(info), options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return info[0] == signal.SIGCHLD


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (folder / "stat").read_bytes()
            yield int(folder.name), int(stat[stat.rindex(b")") + 2 :].split()[1])


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
