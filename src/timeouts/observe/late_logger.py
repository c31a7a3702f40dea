"""Late results and late exceptions, in the log: nothing is lost silently."""

from __future__ import annotations

from asyncio import CancelledError

from timeouts.errors import TimeoutsError, Withdrawn
from timeouts.job import Job
from timeouts.observe.observer import Observer, logger
from timeouts.outcome import Outcome


class LateLogger(Observer):
    """Log what becomes of work whose caller was answered already; every server has one.

    Logger `timeouts`: WARNING with the traceback for a late exception, INFO for a late result,
    DEBUG for work that was stopped as asked (cancelled, or by `checkpoint`).
    """

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        """Log one late end."""
        told = type(job.error).__name__
        after = now - job.started
        if outcome.error is None and isinstance(job.error, Withdrawn):
            logger.debug("%r ended after %.3g s: its caller had left", job, after)
        elif outcome.error is None:
            logger.info("%r returned after %.3g s, late: its caller had %s", job, after, told)
        elif isinstance(outcome.error, (CancelledError, TimeoutsError)):
            logger.debug("%r was stopped after %.3g s: its caller had %s", job, after, told)
        else:
            logger.warning(
                "%r raised after %.3g s, late: its caller had %s",
                job,
                after,
                told,
                exc_info=outcome.error,
            )
