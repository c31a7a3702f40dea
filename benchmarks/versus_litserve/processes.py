"""The processes of a server, found by a mark that each of them inherits in its environment.

Law: a signal goes to a process that has been seen to carry the mark, by a handle taken before that.
Parents will not do: a process whose parent has died belongs to nobody.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

MARK = "VERSUS_LITSERVE_SERVER"
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def marked(mark: str) -> set[int]:
    """Return the ids of the living processes that carry the mark."""
    return {int(pid.name) for pid in PROC.glob("[0-9]*") if carries(int(pid.name), mark)}


def carries(pid: int, mark: str) -> bool:
    """Tell whether a process is alive and carries the mark."""
    needle = f"\0{MARK}={mark}\0".encode()
    try:  # a zombie's environment is empty
        return needle in b"\0" + (PROC / str(pid) / "environ").read_bytes()
    except OSError:  # it has ended, or is none of ours
        return False


def cpu_seconds(pids: set[int]) -> float:
    """Return the processor time that these processes have had."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime
    return ticks / TICKS


def forget_peaks(pids: set[int]) -> None:
    """Have the kernel measure the peaks of memory from now on."""
    for pid in pids:
        with suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text("5")


def peak_megabytes(pids: set[int]) -> float:
    """Return the sum of the most memory that each of these processes had resident."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            status = (PROC / str(pid) / "status").read_text()
            kilobytes += int(status.partition("VmHWM:")[2].split()[0])
    return kilobytes * 1024 / 1e6


def end_all(mark: str) -> None:
    """Kill every process that carries the mark, and see that none is left.

    Raises:
        RuntimeError: some live on.
    """
    end = monotonic() + 10.0
    while left := marked(mark):
        if monotonic() > end:
            raise RuntimeError(f"processes {sorted(left)} cannot be ended")
        for pid in left:
            with _handle(pid) as handle:
                if handle is not None and carries(pid, mark):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
        sleep(0.05)


@contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        with suppress(ProcessLookupError):
            yield handle
    finally:
        os.close(handle)
