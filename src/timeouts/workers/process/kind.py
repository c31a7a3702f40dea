"""`ProcessWorkers`: the choice of worker processes, with its options checked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from inspect import iscoroutinefunction, isgeneratorfunction
from typing import Any

from timeouts.deadline import Seconds, finite_seconds, seconds
from timeouts.handler import Handler
from timeouts.options import whole_number
from timeouts.stack import Stack
from timeouts.workers.base import Shell, StopMode
from timeouts.workers.process.birth import START_METHODS, StartMethod
from timeouts.workers.process.ladder import Ladder
from timeouts.workers.process.pool import ProcessPool


class ProcessWorkers:
    """Run a `def` handler in warm worker processes, which can really be stopped.

    On expiry the caller is answered at once; then the worker is stopped by a ladder (its stacks go
    into the log, SIGTERM if a grace is given, SIGKILL of its whole process group), proven dead, and
    replaced. Only then is the slot free.

    Args:
        setup: called in every worker before its first job, with the worker's number (from 0) if it
            takes an argument; for models that must not be forked, on a GPU for instance.
        preload: called once, in a process from which all workers are then forked: they share what it
            has loaded, and a replacement costs a fork and not a load. It must start no threads and
            not touch CUDA. Needs `start_method="fork"`.
        spares: how many more workers are kept ready to take the place of one that is lost; default 0.
        start_method: `"fork"` (default) from a template process that has imported the handler's
            module, never from the server itself, so threads there do no harm; `"forkserver"` from a
            process that has imported nothing of the user's; `"spawn"`, a new interpreter each.
        startup_timeout: seconds that `preload`, and each worker with its `setup`, may take; default
            60. None for no limit. It is no part of any request's limits.
        stacks: whether a worker that is stopped writes the stacks of its threads into the log
            (logger `timeouts`, WARNING) before it dies; default True. Takes about a millisecond.
        term_grace: seconds between SIGTERM and SIGKILL; default 0, no SIGTERM at all.
        stream_grace: seconds that a generator whose consumer has left may take to close before its
            worker is stopped; default 0.5.
        max_jobs: how many jobs a worker serves before it is replaced; default: no bound.
        max_memory: bytes of resident memory, what it shares with its template included, above which
            a worker is replaced after its job; default: no bound.

    Raises:
        TypeError, ValueError: an option makes no sense; the message names it and its value.

    Cannot do: run what cannot be pickled, share memory with the server, or pass on the caller's
    context variables. A server that is dropped without `close()` keeps its processes until the
    interpreter ends. Off Linux, descendants of a handler that left its process group survive it.
    """

    stop_mode: StopMode = "kill"
    max_abandoned: float = math.inf
    late_slots = True

    def __init__(
        self,
        *,
        setup: Callable[..., object] | None = None,
        preload: Callable[[], object] | None = None,
        spares: int = 0,
        start_method: StartMethod = "fork",
        startup_timeout: Seconds = 60.0,
        stacks: bool = True,
        term_grace: float = 0.0,
        stream_grace: float = 0.5,
        max_jobs: int | None = None,
        max_memory: int | None = None,
    ) -> None:
        self.setup = plain_function("setup", setup)
        self.preload = plain_function("preload", preload)
        self.spares = whole_number("spares", spares, least=0)
        if start_method not in START_METHODS:
            choice = ", ".join(map(repr, START_METHODS))
            raise ValueError(f"start_method must be one of {choice}; got {start_method!r}")
        self.start_method: StartMethod = start_method
        if preload is not None and start_method != "fork":
            raise ValueError(
                f'preload needs start_method="fork", because what it loads is shared by forking; '
                f"got {start_method!r}: use setup=, which runs in each worker"
            )
        self.startup_timeout = seconds(startup_timeout, "startup_timeout")
        self.ladder = Ladder(_flag("stacks", stacks), finite_seconds(term_grace, "term_grace"))
        self.stream_grace = finite_seconds(stream_grace, "stream_grace")
        self.max_jobs = None if max_jobs is None else whole_number("max_jobs", max_jobs, least=1)
        self.max_memory = (
            None if max_memory is None else whole_number("max_memory", max_memory, least=1)
        )

    @property
    def default_slots(self) -> float:
        """As many as there are cores."""
        return os.cpu_count() or 1

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:  # noqa: ARG002 - any will do
        """Refuse coroutine functions, unbounded slots, and systems that cannot fork."""
        if handler.is_async:
            raise TypeError(
                f"process workers run def handlers; {handler.name} is async: "
                'leave workers out, or use workers="task"'
            )
        if slots == math.inf:
            raise ValueError("slots must be a finite number for process workers; got inf")
        if not hasattr(os, "fork"):
            raise ValueError('workers="process" needs a POSIX system; use workers="thread" here')

    def open(self, shell: Shell, handler: Handler, slots: float) -> ProcessPool:
        """Make the pool; processes start with the first job, or with the server's `with` block."""
        return ProcessPool(shell, handler, int(slots), self)

    def __repr__(self) -> str:
        """Show what was chosen."""
        return f"ProcessWorkers({self.start_method})"


def plain_function(name: str, value: Any) -> Any:
    """Return a function that a worker can call, or None, or refuse what is neither."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function; got {value!r}")
    if iscoroutinefunction(value) or isgeneratorfunction(value):
        raise TypeError(f"{name} must be a plain function, or it would not run; got {value!r}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return value
