"""How the laws are tried: many examples, the same ones on every run, the smallest failure told.

Law: whatever is wrong with a stranger's class comes out as an AssertionError in the law's words,
also when it is wrong only now and then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from timeouts.job import Job
from timeouts.testing.extra import hypothesis

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Case = TypeVar("Case")


def for_all(cases: SearchStrategy[Case], examples: int, law: Callable[[Case], None]) -> None:
    """Try a law on examples and raise the smallest failure."""

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        report_multiple_bugs=False,  # several at once would come as a group
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(cases)
    def holds(case: Case) -> None:
        law(case)

    try:
        holds()
    except hypothesis.errors.Flaky as flaky:
        raise _first(flaky) from None


def _first(flaky: Exception) -> BaseException:
    """Return the failure that did not happen again when it was tried again."""
    once = getattr(flaky, "exceptions", ())
    failures = [error for error in once if isinstance(error, AssertionError)]
    return failures[0] if failures else AssertionError(f"not the same answer twice: {flaky}")


def written(job: Job) -> str:
    """Write down what rules may look at: what a job is and what has happened to it so far."""
    fields = {name: getattr(job, name) for name in _SHOWN}
    told = [f"{name}={value:g}" for name, value in fields.items() if value not in (0, math.inf)]
    return f"Job({', '.join([repr(job.key), f'phase={job.phase.value}', *told])})"


_SHOWN = ("arrived", "started", "deadline", "priority", "items", "idle_since", "expires")


def state(job: Job) -> dict[str, object]:
    """Return everything that is written on a job."""
    return {name: getattr(job, name) for name in Job.__slots__}


def copied(job: Job) -> Job:
    """Return another job to which the very same has happened."""
    twin = Job(job.key)
    for name, value in state(job).items():
        setattr(twin, name, value)
    return twin


def untouched(before: dict[str, object], job: Job, law: str, who: str) -> None:
    """Raise if something has been written on a job since `before`."""
    changed = {name: value for name, value in state(job).items() if before[name] != value}
    if changed:
        raise AssertionError(f"{law}: {who} changed {changed} of {written(job)}; it may only read")
