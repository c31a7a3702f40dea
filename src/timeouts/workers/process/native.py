"""What the kernel offers beyond `os`, and what stands in for it elsewhere.

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
DUMP_SIGNAL: int = signal.SIGRTMAX - 2 if hasattr(signal, "SIGRTMAX") else signal.SIGUSR2
"""Makes a worker write the stacks of its threads; one that no library is known to use."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def watch_process(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a process dies, where the kernel has such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, an old kernel, or a sandbox that forbids it
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


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (folder / "stat").read_bytes()
            yield int(folder.name), int(stat[stat.rindex(b")") + 2 :].split()[1])


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
