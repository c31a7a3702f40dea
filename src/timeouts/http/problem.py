"""An error of ours as an HTTP answer: a problem document (RFC 9457), its status and its headers.

Laws:
- The document has the fields of the error, so a client need not parse a sentence: which rule, its
  limit, how long it took, whether the work had started (so whether a retry is safe), and what became
  of it.
- What is inside the server stays there: tracebacks and a policy's own bugs go to the log, not to
  callers.
"""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import Any, NamedTuple

from timeouts.errors import PayloadError, PolicyFailed, StartupFailed, TimeoutsError
from timeouts.observe.observer import logger
from timeouts.statuses import STATUSES, Statuses

MEDIA_TYPE = "application/problem+json"
_KEPT_INSIDE = (PayloadError, PolicyFailed, StartupFailed)
_PHRASES = {int(status): status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


class Answer(NamedTuple):
    """A whole HTTP answer; header names are in the usual spelling."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def problem(error: TimeoutsError, statuses: Statuses = STATUSES) -> Answer:
    """Return the answer that tells an error.

    Args:
        error: what happened.
        statuses: the table of codes.
    """
    return answer(statuses.of(error).http, details(error, statuses), retry_after(error))


def tell(error: TimeoutsError, statuses: Statuses = STATUSES) -> Answer:
    """Do as `problem`, and log an error whose cause is not for callers."""
    told = problem(error, statuses)
    if told.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("a request failed: %s", error, exc_info=error)
    return told


def plain_problem(status: int, detail: str, **fields: Any) -> Answer:
    """Return the answer for a fault that is no timeout: a malformed request, a handler's own error."""
    return answer(status, _document("about:blank", phrase(status), status, detail) | fields)


def details(error: TimeoutsError, statuses: Statuses = STATUSES) -> dict[str, Any]:
    """Return the problem document of an error as a dict that JSON can hold."""
    title = error.name.replace("_", " ").capitalize()
    kind = f"urn:timeouts:{error.name}"
    document = _document(kind, title, statuses.of(error).http, _told(error)) | {
        "error": error.name,
        "policy": None if error.policy is None else repr(error.policy),
        "limit": _finite(error.limit, None),
        "elapsed": _finite(error.elapsed, 6),
        "started": error.started,
        "work": error.work,
    }
    estimate = _finite(getattr(error, "retry_after", None), 3)
    return document if estimate is None else document | {"retry_after": estimate}


def answer(status: int, document: dict[str, Any], headers: list[tuple[str, str]] = []) -> Answer:  # noqa: B006 - never changed
    """Return a problem document as an answer."""
    body = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    fixed = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
    return Answer(status, [*fixed, *headers], body)


def retry_after(error: TimeoutsError) -> list[tuple[str, str]]:
    """Return a `Retry-After` header in whole seconds, or none where nobody has estimated it."""
    estimate = _finite(getattr(error, "retry_after", None), None)
    if estimate is None:
        return []
    return [("Retry-After", str(max(1, math.ceil(estimate))))]


def phrase(status: int) -> str:
    """Return what a status code is called."""
    return _PHRASES.get(status, "Unknown")


def _document(kind: str, title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": kind, "title": title, "status": status, "detail": detail}


def _told(error: TimeoutsError) -> str:
    if isinstance(error, _KEPT_INSIDE):
        return (type(error).__doc__ or "").partition("\n")[0].partition(";")[0].rstrip(".")
    return str(error)


def _finite(number: float | None, digits: int | None) -> float | None:
    """Return what JSON can hold: it has no infinity, and no nan."""
    if number is None or not math.isfinite(number):
        return None
    return number if digits is None else round(number, digits)
