"""Kinds of workers: one protocol, one file each."""

from __future__ import annotations

from collections.abc import Callable

from timeouts.handler import Handler
from timeouts.workers.base import Pool, Shell, StopMode, WorkerKind
from timeouts.workers.task import TaskWorkers
from timeouts.workers.thread import ThreadWorkers

KINDS: dict[str, Callable[[], WorkerKind]] = {"task": TaskWorkers, "thread": ThreadWorkers}


def worker_kind(workers: str | WorkerKind | None, handler: Handler) -> WorkerKind:
    """Return the kind that was named, or the one that fits the handler."""
    if workers is None:
        return TaskWorkers() if handler.is_async else ThreadWorkers()
    if not isinstance(workers, str):
        return workers
    if workers not in KINDS:
        known = ", ".join(map(repr, KINDS))
        raise ValueError(f"workers must be one of {known} or a WorkerKind; got {workers!r}")
    return KINDS[workers]()


__all__ = ["Pool", "Shell", "StopMode", "TaskWorkers", "ThreadWorkers", "WorkerKind", "worker_kind"]
