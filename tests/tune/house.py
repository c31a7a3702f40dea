"""Traces whose best limits are known, and what is found on them."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from timeouts.sim import Client, Exponential, Kill, Poisson, Scenario, Service, Stuck, Trace
from timeouts.tune import Finding, Task, find
from timeouts.tune.arena import Arena

SLOTS = 4
MEAN = 0.05
EXPONENTIAL = Exponential(MEAN)
HANGING = Stuck(EXPONENTIAL, 0.02)


def trace(load: float, service: Service, seconds: float, *, slots: int = SLOTS) -> Trace:
    """Draw what arrives at some slots under a load."""
    asked = Scenario(Poisson(load * slots / MEAN), service, Client(), duration=seconds)
    return Trace.of(asked.requests(0))


def write(path: Path, asked: Trace, **more: Any) -> Path:
    """Write a trace as a file."""
    with path.open("w") as file:
        for request in asked.recorded:
            work = None if request.work == math.inf else request.work
            file.write(json.dumps({"arrival": request.arrived, "service": work, **more}) + "\n")
    return path


def found(task: Task) -> Finding:
    """Tune in this process."""
    with Arena(task) as arena:
        return find(arena)


@cache
def overload() -> Finding:
    """Twice of what four slots can do, and threads."""
    return found(Task(trace(2, EXPONENTIAL, 32), 0.5, (SLOTS,)))


@cache
def hanging() -> Finding:
    """Two in a hundred hang, and a kill costs a second."""
    return found(Task(trace(0.7, HANGING, 310, slots=1), 5.0, (1,), stop=Kill(1.0)))


@cache
def light() -> Finding:
    """Enough for everybody."""
    return found(Task(trace(0.3, EXPONENTIAL, 70), 0.5, (SLOTS,)))
