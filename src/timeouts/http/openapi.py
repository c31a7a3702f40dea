"""Our answers in an OpenAPI document: what a route may answer instead of its own.

Law: the codes are those of the table that answers, so an overridden one is told as it will come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timeouts.errors import TimeoutsError
from timeouts.http.problem import MEDIA_TYPE, phrase
from timeouts.statuses import HANDLER_FAILED, Statuses

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "policy": {"type": ["string", "null"]},
        "limit": {"type": ["number", "null"]},
        "elapsed": {"type": "number"},
        "started": {"type": "boolean"},
        "work": {"enum": ["never started", "still running", "stopped", "killed"]},
        "retry_after": {"type": "number"},
    },
}
"""The schema of a problem document."""

RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until a retry is worth it, where they can be estimated",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def response(code: int, schema: str) -> dict[str, Any]:
    """Return what a document says of an answer that is a problem.

    Args:
        code: its status.
        schema: the name under which the document has `PROBLEM`.
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": phrase(code), "content": content}


def responses(
    errors: Iterable[type[TimeoutsError]], statuses: Statuses, schema: str
) -> dict[int, dict[str, Any]]:
    """Return the answers that tell some errors, by their code."""
    told: dict[int, dict[str, Any]] = {}
    for error in errors:
        code = statuses.get(error, HANDLER_FAILED).http
        answer = told.setdefault(code, response(code, schema))
        if hasattr(error, "retry_after"):
            answer["headers"] = RETRY_AFTER
    return told
