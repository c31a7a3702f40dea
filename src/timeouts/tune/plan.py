"""What `timeouts tune` is to do, put together from its options.

Law: whatever makes no sense is refused before anything runs, and the message names the option and its
value.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from timeouts.deadline import seconds
from timeouts.options import whole_number
from timeouts.serve.limits import blaming
from timeouts.sim.served import STOPS, Served, served
from timeouts.sim.trace import Trace
from timeouts.sim.words import numbers
from timeouts.sim.workers import Kill, Stop, checked_stop
from timeouts.stack import Stack
from timeouts.tune.stretches import shortened
from timeouts.tune.task import Task

WORKERS = {"cancel": "task", "abandon": "thread", "kill": "process"}
MOST_SLOTS = 1000
Said = Mapping[str, Any]


class Plan(NamedTuple):
    """A task, and what is not part of it.

    Attributes:
        task: what is to be tuned.
        name: what its trace is called.
        workers: the kind of workers that were spoken of; None for whatever serves by default.
        processes: how many simulate at once.
        write: the file to be written; None for none.
    """

    task: Task
    name: str
    workers: str | None
    processes: int
    write: Path | None


def plan(said: Said) -> Plan:
    """Put together what the options say.

    Raises:
        ValueError: something makes no sense; the message says what.
    """
    _check_target(said["write"], overwrite=said["overwrite"])
    against = said["against"]
    file = None if against is None else served(against, said["route"])
    known = file or Served(Stack(), None, None, None)
    stop = _stop(said, known)
    capacity = 1000 if known.capacity is None else known.capacity
    with blaming(str(against)):  # there is no option for it
        whole_number("capacity", capacity, least=0)
    trace = _trace(said)
    slots, loads, deadline = _slots(said, known), _loads(said["load"]), _deadline(said, trace)
    with blaming(str(said["trace"])):
        task = Task(
            trace,
            deadline,
            slots,
            against=None if file is None else file.limits,
            discipline=known.discipline if file else "fifo",
            admission=known.admission,
            stop=stop,
            capacity=capacity,
            loads=loads,
            seed=said["seed"],
        )
    return Plan(
        task, str(said["trace"]), _workers(said, known, stop), _processes(said), said["write"]
    )


def _trace(said: Said) -> Trace:
    with blaming("--trace"):
        try:
            return shortened(Trace.read(said["trace"]), said["jobs"])
        except OSError as why:
            raise ValueError(f"{said['trace']} cannot be read: {why.strerror}") from None


def _deadline(said: Said, trace: Trace) -> float:
    """Return the deadline that was said, or the longest budget where each request has one."""
    if said["deadline"] is not None:
        with blaming("--deadline"):
            deadline = seconds(said["deadline"], "it")
            if deadline == math.inf:
                raise ValueError(f"it must be a duration; got {said['deadline']!r}")
            return deadline
    longest = max(request.client.budget for request in trace.recorded)
    if longest == math.inf:
        raise ValueError(
            "--deadline is missing: after how many seconds is an answer worthless? "
            f"(not every request in {said['trace']} has a budget)"
        )
    return longest


def _slots(said: Said, file: Served) -> tuple[int, ...]:
    text = said["slots"] or (None if file.slots is None else str(file.slots))
    if text is None:
        raise ValueError("--slots is missing: how many may run at once? 4, or 1..8 to choose from")
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if found is None:
        raise ValueError(
            f"--slots must be a number such as 4, or a range such as 1..8; got {text!r}"
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= MOST_SLOTS:
        raise ValueError(f"--slots must go from 1 or more upwards, to {MOST_SLOTS}; got {text!r}")
    return tuple(range(first, last + 1))


def _loads(text: str) -> tuple[float, ...]:
    with blaming("--load"):
        loads = tuple(numbers(text))
        if not all(0 < load < math.inf for load in loads):
            raise ValueError(f"each load must be more than 0; got {text!r}")
    return loads


def _stop(said: Said, file: Served) -> Stop:
    recovery = said["recovery"]
    stop = said["stop"] or ("kill" if recovery is not None else file.stop or "abandon")
    if stop == "kill":
        with blaming("--recovery"):
            return Kill(seconds(recovery or "1s", "recovery", zero=True))
    if recovery is not None:
        raise ValueError(f"--recovery is for workers that are killed; these do {stop}")
    return checked_stop(str(stop))


def _workers(said: Said, file: Served, stop: Stop) -> str | None:
    if said["stop"] is None and said["recovery"] is None:
        return file.workers
    mode = "kill" if isinstance(stop, Kill) else stop
    return file.workers if file.workers and STOPS[file.workers] == mode else WORKERS[mode]


def _processes(said: Said) -> int:
    return said["processes"] or min(4, os.cpu_count() or 1)


def _check_target(file: Path | None, *, overwrite: bool) -> None:
    if file is None:
        if overwrite:
            raise ValueError("--overwrite is for --write, which is missing")
        return
    if file.exists() and not overwrite:
        raise ValueError(f"--write: {file} is there already; --overwrite replaces it")
    if file.is_dir() or not file.parent.is_dir():
        raise ValueError(f"--write: {file} cannot be written")
