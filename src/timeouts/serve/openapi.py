"""The OpenAPI document of a gateway: what each route takes, gives, and may answer instead."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal

from pydantic import TypeAdapter

from timeouts.errors import Withdrawn
from timeouts.http.events import MEDIA_TYPE as EVENTS
from timeouts.http.openapi import PROBLEM, response
from timeouts.serve.endpoint import Endpoint
from timeouts.serve.parameters import hints_of
from timeouts.serve.payload import BYTES, JSON, NPY

_OF_REQUESTS = {400, 405, 408, 413, 415, 422, 500}
_ANY: dict[str, Any] = {}
_BINARY = {"type": "string", "format": "binary"}


def document(endpoints: dict[str, Endpoint]) -> dict[str, Any]:
    """Return the document."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    served = {path: {"post": _operation(one, schemas)} for path, one in endpoints.items()}
    looks = {
        path: {"get": {"summary": summary, "responses": _looks(path)}}
        for path, summary in _LOOKS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "timeouts", "version": version("timeouts")},
        "paths": served | looks,
        "components": {"schemas": schemas},
    }


_LOOKS = {
    "/live": "Whether the server lives",
    "/ready": "Whether it wants requests",
    "/stats": "The books of each route",
}


def _looks(path: str) -> dict[str, Any]:
    answers = {"200": {"description": "Yes", "content": {JSON: {"schema": {"type": "object"}}}}}
    if path == "/stats":
        return answers
    return answers | {"503": response(503, "Problem") | {"description": "No, and why not"}}


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    handler = endpoint.served.handler
    content = {JSON: {"schema": _schema(endpoint.parameters.model, schemas)}}
    if endpoint.parameters.only is not None:
        content |= {BYTES: {"schema": _BINARY}, NPY: {"schema": _BINARY}}
    return {
        "operationId": endpoint.served.path.strip("/"),
        "summary": (getattr(handler.function, "__doc__", "") or handler.name)
        .strip()
        .partition("\n")[0],
        "requestBody": {"content": content},
        "responses": {"200": _result(endpoint, schemas)}
        | {
            str(code): response(code, "Problem")
            for code in sorted(_OF_REQUESTS | _of_jobs(endpoint))
        },
    }


def _of_jobs(endpoint: Endpoint) -> set[int]:
    table = endpoint.statuses
    return {table[error].http for error in table if not issubclass(error, Withdrawn)}


def _result(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    handler = endpoint.served.handler
    if handler.is_stream:
        return {"description": "Events", "content": {EVENTS: _ANY}}
    hint = hints_of(handler.function).get("return", Any)
    content = {
        JSON: {"schema": _schema(hint, schemas, "serialization")},
        BYTES: {"schema": _BINARY},
        NPY: {"schema": _BINARY},
    }
    return {"description": "The result", "content": content}


def _schema(
    kind: Any, schemas: dict[str, Any], mode: Literal["validation", "serialization"] = "validation"
) -> dict[str, Any]:
    """Return the schema of a type, or one that allows anything, where pydantic knows none.

    The types that it refers to go among the others of the document.
    """
    try:
        schema = TypeAdapter(kind).json_schema(
            ref_template="#/components/schemas/{model}", mode=mode
        )
    except Exception:  # noqa: BLE001 - a type that has no schema is no fault
        return _ANY
    schemas.update(schema.pop("$defs", {}))
    return schema
