"""An observer that writes down every fact, and on which a test can wait for one without polling."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from timeouts import Job, Observer, Outcome

GUARD = 20.0
"""Real seconds after which a blocked test is a failed test."""


class Fact(NamedTuple):
    """One thing that a server was seen to do."""

    hook: str
    job: Job
    now: float
    outcome: Outcome | None = None


class Recorder(Observer):
    """Writes down what is seen, in order."""

    def __init__(self, tell: Callable[[], object] = lambda: None) -> None:
        self.facts: list[Fact] = []
        self._tell = tell
        self._changed = threading.Condition()

    def arrived(self, job: Job, now: float) -> None:
        self._note(Fact("arrived", job, now))

    def started(self, job: Job, now: float) -> None:
        self._note(Fact("started", job, now))

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        self._note(Fact("answered", job, now, outcome))

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        self._note(Fact("late", job, now, outcome))

    def of(self, hook: str) -> list[Fact]:
        """Return the facts of one hook."""
        with self._changed:
            return [fact for fact in self.facts if fact.hook == hook]

    def wait_for(self, hook: str, count: int) -> None:
        """Block until a hook has been called that often."""
        self._wait(
            lambda: sum(fact.hook == hook for fact in self.facts) >= count, f"{count} {hook}"
        )

    def _note(self, fact: Fact) -> None:
        with self._changed:
            self.facts.append(fact)
            self._changed.notify_all()
        self._tell()

    def _wait(self, come: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(come, GUARD):
                raise AssertionError(f"never seen: {what}; seen: {self.facts}")


def error_of(fact: Fact) -> Any:
    """Return the error that a fact speaks of."""
    assert fact.outcome is not None
    return fact.outcome.error
