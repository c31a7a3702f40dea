"""Kinds of workers: one protocol, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from timeouts.handler import Handler
from timeouts.workers.base import Pool, Shell, StopMode, WorkerKind
from timeouts.workers.process.kind import ProcessWorkers
from timeouts.workers.ray.kind import RayWorkers
from timeouts.workers.task import TaskWorkers
from timeouts.workers.thread import ThreadWorkers

KINDS: dict[str, Callable[[], WorkerKind]] = {
    "task": TaskWorkers,
    "thread": ThreadWorkers,
    "process": ProcessWorkers,
    "ray": RayWorkers,
}

_CHOICE = " or ".join(map(repr, KINDS)) + ", or an object such as ThreadWorkers(max_abandoned=8)"


def worker_kind(workers: str | WorkerKind | None, handler: Handler) -> WorkerKind:
    """Return the kind that was named, or the one that fits the handler."""
    if workers is None:
        return TaskWorkers() if handler.is_async else ThreadWorkers()
    if not isinstance(workers, str):
        return _checked(workers)
    if workers not in KINDS:
        raise ValueError(f"workers must be {_CHOICE}; got {workers!r}")
    return KINDS[workers]()


def _checked(workers: Any) -> WorkerKind:
    if isinstance(workers, type):
        raise TypeError(f"workers must be an instance, {workers.__name__}(), not the class")
    if not (hasattr(workers, "open") and hasattr(workers, "stop_mode")):
        raise TypeError(f"workers must be {_CHOICE}; got {workers!r}")
    return cast("WorkerKind", workers)


__all__ = [
    "Pool",
    "ProcessWorkers",
    "RayWorkers",
    "Shell",
    "StopMode",
    "TaskWorkers",
    "ThreadWorkers",
    "WorkerKind",
    "worker_kind",
]
