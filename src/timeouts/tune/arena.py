"""Where rules are measured: each of them on all loads, by simulation, once.

Law: how many processes there are changes how long it takes and nothing else.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from types import TracebackType
from typing import NamedTuple, Self

from timeouts.serve.admissions import ADMISSIONS
from timeouts.serve.disciplines import DISCIPLINES
from timeouts.sim.report import Report
from timeouts.sim.run import simulate
from timeouts.tune.rule import Rule
from timeouts.tune.task import Task


class Seen(NamedTuple):
    """What came of a rule at one load.

    Attributes:
        came: requests, by windows of the trace.
        answered: how many of them were answered in time.
        limit: the best possible goodput without knowing sizes, per second.
        duration: seconds in which they came.
    """

    came: tuple[int, ...]
    answered: tuple[int, ...]
    limit: float
    duration: float


Measured = tuple[Seen, ...]
"""What came of a rule at each load."""


class Arena:
    """Measures rules.

    Args:
        task: what they are measured on.
        processes: how many simulate at once.
        told: is called after each simulation, with how many there have been.
    """

    def __init__(
        self, task: Task, processes: int = 1, told: Callable[[int], object] = lambda _: None
    ) -> None:
        self.task = task
        self._processes = processes
        self._told = told
        self._known: dict[Rule, Measured] = {}
        self._exit = ExitStack()
        self._executor: Executor | None = None

    def __enter__(self) -> Self:
        """Start the processes, if it takes more than this one."""
        if self._processes > 1:
            with ExitStack() as begun:  # which is undone if a Ctrl-C comes here
                self._executor = begun.enter_context(self._pool())
                with _undisturbed():
                    for _ in range(self._processes):
                        self._executor.submit(int)
                self._exit = begun.pop_all()
        return self

    def _pool(self) -> ProcessPoolExecutor:
        spawn = get_context("spawn")  # threads of the progress bar make forks unsafe
        return ProcessPoolExecutor(self._processes, spawn, _prepare, (self.task,))

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """End the processes; what has not begun is dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        self._exit.close()

    def measure(self, rules: Iterable[Rule]) -> list[Measured]:
        """Return what comes of each rule."""
        wanted = list(rules)
        new = [rule for rule in dict.fromkeys(wanted) if rule not in self._known]
        for rule, measured in zip(new, self._simulated(new), strict=True):
            self._known[rule] = measured
            self._told(len(self._known))
        return [self._known[rule] for rule in wanted]

    def _simulated(self, rules: Sequence[Rule]) -> Iterable[Measured]:
        if self._executor is None:
            return (measured(self.task, rule) for rule in rules)
        return self._executor.map(_measured_there, rules)


def measured(task: Task, rule: Rule) -> Measured:
    """Simulate a rule at all loads."""
    return tuple(
        _seen(
            simulate(
                trace,
                rule.limits,
                discipline=DISCIPLINES[rule.discipline],
                admission=ADMISSIONS[rule.admission],
                slots=rule.slots,
                capacity=task.capacity,
                stop=task.stop,
                seed=task.seed,
            )
        )
        for trace in task.traces
    )


def _seen(report: Report) -> Seen:
    came, answered = zip(*report.timeline, strict=True)
    return Seen(came, answered, report.limit.goodput, report.duration)


@contextmanager
def _undisturbed() -> Generator[None]:
    """Put off a Ctrl-C, and keep it from processes that are started meanwhile: they inherit what is blocked."""
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover - Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_task: list[Task] = []
"""In a process that simulates: what for."""


def _prepare(task: Task) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it too, and ends its pool
    _task[:] = [task]


def _measured_there(rule: Rule) -> Measured:
    return measured(_task[0], rule)
