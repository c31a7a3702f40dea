"""How the laws are tried: many examples, the same ones on every run, the smallest failure told.

Law: whatever is wrong with a stranger's class comes out as an AssertionError in the law's words,
also when it is wrong only now and then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from timeouts.job import Job
from timeouts.testing.extra import Flaky, hypothesis

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Case = TypeVar("Case")


def for_all(
    cases: SearchStrategy[Case], examples: int, law: Callable[[Case], None], *, reduce: bool = True
) -> None:
    """Try a law on examples, the simplest first, and raise a failure; if asked to, the smallest."""
    phases = (hypothesis.Phase.generate, hypothesis.Phase.shrink)

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=(
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.data_too_large,
        ),
        phases=phases if reduce else phases[:1],
        report_multiple_bugs=False,  # several at once would come as a group
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(cases)
    def holds(case: Case) -> None:
        law(case)

    try:
        holds()
    except Flaky as flaky:
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
    tenant = [] if job.tenant is None else [f"tenant={job.tenant!r}"]
    return f"Job({', '.join([repr(job.key), f'phase={job.phase.value}', *tenant, *told])})"


_SHOWN = ("arrived", "started", "deadline", "priority", "items", "idle_since", "expires")


_FIELDS = sorted(Job.__slots__)
state: Callable[[Job], tuple[object, ...]] = attrgetter(*_FIELDS)
"""Return everything that is written on a job."""


def copied(job: Job) -> Job:
    """Return another job to which the very same has happened."""
    twin = Job(job.key)
    for name, value in zip(_FIELDS, state(job), strict=True):
        setattr(twin, name, value)
    return twin


def untouched(before: tuple[object, ...], job: Job, law: str, who: str) -> None:
    """Raise if something has been written on a job since `before`."""
    now = state(job)
    if now == before:
        return
    fields = zip(_FIELDS, before, now, strict=True)
    changed = {name: new for name, old, new in fields if old != new}
    raise AssertionError(f"{law}: {who} changed {changed} of {written(job)}; it may only read")
