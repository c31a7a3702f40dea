"""What can be seen of a server: subclass `Observer` and override the hooks of interest.

Law: an observer only looks. What it raises is logged and changes nothing; a hook that nobody
overrides costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from timeouts.job import Job
from timeouts.outcome import Outcome

if TYPE_CHECKING:
    from timeouts.estimate import Advice
    from timeouts.server import Server

logger = logging.getLogger("timeouts")


class Observer:
    """Hooks, called outside the server's lock, in the thread in which the thing happened.

    `opened` comes before all others. `arrived` is a job's first; where threads race, its others may
    come in any order.

    `now` is the instant on the server's clock at which it was decided; the caller is told right after
    `answered`. Treat the job as read-only; a server's jobs carry the handler's `args` and `kwargs`.
    """

    def opened(self, server: Server) -> None:
        """A server was made with this observer. Keep no more than a weak reference to it."""

    def arrived(self, job: Job, now: float) -> None:
        """A job has arrived; it may have been refused, which `answered` then tells."""

    def started(self, job: Job, now: float) -> None:
        """A worker takes the job."""

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """The caller gets its one answer: a value, the handler's error, or an error of ours."""

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        """The work of an answered job has ended, like this; nobody receives it."""

    def killed(self, job: Job, pid: int, cause: str, seconds: float, now: float) -> None:
        """A worker process was stopped because of this job, and is proven dead.

        It took that many seconds from the decision. Not told of a server that is closed meanwhile.
        """

    def respawned(self, number: int, pid: int, seconds: float, now: float) -> None:
        """The place of a lost worker process is filled: `number` has a new one, which is ready.

        It took that many seconds from the proven death of the old one.
        """

    def learned(self, advice: Advice, now: float) -> None:
        """From now on jobs arrive under this advice, which `reserve="auto"` follows."""


HOOKS = ("opened", "arrived", "started", "answered", "late", "killed", "respawned", "learned")


class Announcer:
    """Calls a hook of all those observers that override it."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        (
            self.opened,
            self.arrived,
            self.started,
            self.answered,
            self.late,
            self.killed,
            self.respawned,
            self.learned,
        ) = (
            _announce([getattr(o, hook) for o in observers if _overrides(o, hook)])
            for hook in HOOKS
        )


def _overrides(observer: Observer, hook: str) -> bool:
    return getattr(type(observer), hook) is not getattr(Observer, hook)


def _announce(hooks: list[Callable[..., None]]) -> Callable[..., None] | None:
    if not hooks:
        return None

    def announce(*facts: Any) -> None:
        for hook in hooks:
            try:
                hook(*facts)
            except Exception:
                logger.exception("an observer failed: %r", hook)

    return announce
