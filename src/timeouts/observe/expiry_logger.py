"""One line in the log for each expired job: which rule, and the number that it really enforced.

Law: `limit` is the effective value. Where the caller's budget was tighter than the configured limit,
the line names the budget and its number, never the default.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from timeouts.errors import TimeoutsError
from timeouts.job import Job
from timeouts.observe import facts
from timeouts.observe.observer import Observer
from timeouts.outcome import Outcome

logger = logging.getLogger("timeouts.expired")


class ExpiryLogger(Observer):
    """Log each expired job, WARNING on logger `timeouts.expired`, as `key=value` pairs.

    The same fields are attributes of the record (`extra=`), so a JSON formatter finds them. Those that
    a problem document has too have the same names.

    Cannot do: wait for the end of the work; `work` says what was known when the caller was told. Be
    faster than its log handler, which the caller waits for: let it be a `QueueHandler`.
    """

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - the error says it
        """Log an expiry."""
        error = facts.expiry(job, outcome)
        if error is not None and logger.isEnabledFor(logging.WARNING):
            fields = _fields(job, outcome, error)
            logger.warning("expired %s", _written(fields), extra=fields)


def _fields(job: Job, outcome: Outcome, error: TimeoutsError) -> dict[str, Any]:
    return {
        "policy": type(error.policy).__name__,
        "limit": error.limit,
        "elapsed": round(error.elapsed, 6),
        "started": error.started,
        "work": facts.work_name(job, outcome),
        "key": job.key,
        "budget": facts.finite(round(job.deadline - job.arrived, 9)),
        "error": error.name,
        "rule": error.policy.rule(error.limit),
    }


def _written(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    plain = text.isprintable() and not set(' ="\\') & set(text) and text
    return text if plain else json.dumps(text, ensure_ascii=False)
