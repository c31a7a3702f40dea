"""An executor that is driven by hand, and a limited executor on top of it, with time in the hands of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, ClassVar

from tests.shells.recorder import Recorder
from timeouts import Policy, Stack
from timeouts.adapters.executor import LimitedExecutor
from timeouts.testing import ManualClock


class Work:
    """What was submitted to the inner executor."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> None:
        self.future: Future[Any] = Future()
        self.fn = fn
        self.args = args
        self.kwargs = kwargs

    def begin(self) -> bool:
        """Have a worker take it; return whether it may run."""
        return self.future.set_running_or_notify_cancel()

    def end(self, value: Any = None, error: BaseException | None = None) -> None:
        """Say how it ended."""
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)

    def run(self) -> None:
        """Do what a worker of this process does."""
        assert self.begin()
        try:
            value = self.fn(*self.args, **self.kwargs)
        except BaseException as error:
            self.end(error=error)
        else:
            self.end(value)
        del self  # the error's traceback keeps this frame, and the future the error


class HandExecutor(Executor):
    """An executor whose workers are the test.

    Attributes:
        works: all that was submitted.
        refusal: what `submit` raises.
        lock: held while something is submitted, as that of a `ThreadPoolExecutor` is; not re-entrant.
        submitters: the threads that submitted.
        shut: the arguments `wait` of each `shutdown`.
    """

    def __init__(self, workers: int = 1) -> None:
        self._max_workers = workers
        self.works: list[Work] = []
        self.refusal: Exception | None = None
        self.lock = threading.Lock()
        self.submitters: list[threading.Thread] = []
        self.shut: list[bool] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self.lock:
            if self.refusal is not None:
                raise self.refusal
            work = Work(fn, args, kwargs)
            self.submitters.append(threading.current_thread())
            self.works.append(work)
            return work.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self.lock:
            self.shut.append(wait)

    def busy(self) -> list[Work]:
        """Return what has been submitted and not ended."""
        return [work for work in self.works if not work.future.done()]


class Bench:
    """A limited executor on a hand-driven one."""

    made: ClassVar[list[Bench]] = []

    def __init__(self, limits: Policy | Stack, *, workers: int = 1, **options: Any) -> None:
        self.clock = ManualClock()
        self.recorder = Recorder()
        self.inner = HandExecutor(workers)
        self.executor: LimitedExecutor = limits.wrap(
            self.inner, clock=self.clock, observers=[self.recorder], **options
        )
        self.submit = self.executor.submit
        self.made.append(self)

    def close(self) -> None:
        """Leave no thread behind."""
        self.executor.server.close()

    def at(self, instant: float) -> None:
        """Move time on; the timer may look too, but nobody has to wait for it."""
        self.clock.advance_to(instant)
        self.executor.server.shell.tick(instant)

    def books(self) -> tuple[int, int, int]:
        """Return how many wait, run and are abandoned, once the books are found to balance."""
        stats = self.executor.server.stats()
        assert stats.running + stats.abandoned + stats.free == stats.slots
        assert stats.arrived == sum(stats.outcomes.values()) + stats.waiting + stats.running
        assert len(self.inner.busy()) <= stats.slots
        return stats.waiting, stats.running, stats.abandoned

    def outcomes(self) -> dict[str, int]:
        """Return the counts of outcomes."""
        return dict(self.executor.server.stats().outcomes)


def error_of(future: Future[Any], kind: type[BaseException]) -> Any:
    """Return the error of a future that has one by now, of just this class."""
    error = future.exception(0)
    assert type(error) is kind, error
    return error
