"""What arrives at a server and how long it takes, in a file that `timeouts simulate` and `timeouts tune` read.

Laws:
- Every arrival is in it, also one that was refused or has expired in the queue: it is load all the same.
- A run that was stopped is told from one that came to its end: it is only known to take longer. One that never
  began is a run stopped at 0.
- A run that nobody could stop is told by its end, however long after its answer that came.
"""

from __future__ import annotations

import math
import weakref
from asyncio import CancelledError
from collections.abc import Hashable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from timeouts.errors import TimeoutsError
from timeouts.job import DONE, Job
from timeouts.observe.observer import Observer
from timeouts.observe.trace_file import Row, TraceFile
from timeouts.options import whole_number
from timeouts.outcome import Outcome

if TYPE_CHECKING:
    from timeouts.server import Server

LIMIT = 1_000_000


class TraceRecorder(Observer):
    """Record a trace: `Server(predict, limits, observers=[TraceRecorder("trace.jsonl")])`.

    The file has a line for each request: when it came, how long its work took or when that was stopped, and
    the budget and priority it brought. It is written some lines at a time, and to its end by `close()`, by leaving a
    `with` block, or when the process ends in good order.

    Args:
        path: the file.
        limit: how many requests are recorded at most; default 1,000,000, which is some 60 MB.
        overwrite: whether a file that is there already is replaced; default: it is refused.

    Raises:
        FileExistsError: the file is there already.
        OSError: the file cannot be made.
        TypeError, ValueError: `limit` or `overwrite` makes no sense.

    Cannot do: tell several servers apart, each needs a recorder of its own. Record in a child process that was
    forked after it was made. Save the last second when its process is killed. Tell the work of a stream from
    its consumer's pauses. When the disk is full it says so in the log, once, and records no more.
    """

    def __init__(self, path: str | Path, *, limit: int = LIMIT, overwrite: bool = False) -> None:
        whole_number("limit", limit, least=1)
        if not isinstance(overwrite, bool):
            raise TypeError(f"overwrite must be True or False; got {overwrite!r}")
        try:
            self._file = TraceFile(Path(path), limit, overwrite=overwrite)
        except FileExistsError:
            raise FileExistsError(
                f"{path} is there already: choose another name, or overwrite=True to replace it"
            ) from None
        self._runs_on = False
        self._unended: dict[Hashable, Row] = {}
        self._at_exit = weakref.finalize(self, _close, self._file, self._unended)

    def opened(self, server: Server) -> None:
        """Note what becomes of work that has expired."""
        self._runs_on = server.stop_mode == "abandon"

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """Record the job, unless its work goes on."""
        if not self._file.open:
            return
        if job.error is None:
            self._file.add(_row(job, now, stopped=_was_stopped(outcome)), now)
        elif self._runs_on and job.started < math.inf:
            self._unended[job.key] = _row(job, now, stopped=True)
            if job.phase is DONE:  # meanwhile: `late` tells it, or has done so before
                self._unended.pop(job.key, None)
        else:
            self._file.add(_row(job, now, stopped=True), now)

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        """Record a job whose work went on after its answer."""
        if self._runs_on and self._file.open:
            self._unended.pop(job.key, None)
            self._file.add(_row(job, now, stopped=_was_stopped(outcome)), now)

    def close(self) -> None:
        """Write what is left. Work that has not ended counts as stopped when its caller was told."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Record for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        self.close()


def _close(file: TraceFile, unended: dict[Hashable, Row]) -> None:
    """Write what is left; no method, or the recorder would live as long as its process."""
    while unended and file.open:
        row = unended.popitem()[1]
        file.add(row, row.arrived)
    file.close()


def _row(job: Job, now: float, *, stopped: bool) -> Row:
    service = max(0.0, now - job.started)  # which is no time at all where it never started
    return Row(job.arrived, service, stopped, job.deadline - job.arrived, job.priority)


def _was_stopped(outcome: Outcome) -> bool:
    """Tell a run that somebody has ended from one that came to its own end, if only by an error."""
    return isinstance(outcome.error, (CancelledError, TimeoutsError))
