"""An error of ours as the end of an RPC: a status code, its details, and trailing metadata.

Law: the metadata says what a client must know to retry: which rule, whether the work had started,
what became of it, and when a retry is worth it. `grpc-retry-pushback-ms` is gRPC's own word for that,
and its retry policies obey it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from timeouts.adapters.grpc.guest import grpc
from timeouts.errors import TimeoutsError
from timeouts.http.problem import details
from timeouts.statuses import HANDLER_FAILED, STATUSES, Status, Statuses

Metadata = tuple[tuple[str, str | bytes], ...]


class Answer(NamedTuple):
    """How an RPC ends."""

    code: Any
    details: str
    metadata: Metadata


def answer(error: TimeoutsError, statuses: Statuses = STATUSES, *, begun: bool = False) -> Answer:
    """Return how an RPC ends with an error.

    Args:
        error: what happened.
        statuses: the table of codes.
        begun: whether the handler had begun. An error may come out of it, of a guarded function
            that it calls and that never started; a retry would run the handler again all the same.
    """
    work = "stopped" if begun and error.work == "never started" else error.work
    facts = (
        ("timeouts-error", error.name),
        ("timeouts-started", str(begun or error.started).lower()),
        ("timeouts-work", work),
    )
    code = grpc.StatusCode[statuses.of(error).grpc]
    return Answer(code, details(error)["detail"], (*facts, *_pushback(error)))


def _pushback(error: TimeoutsError) -> Metadata:
    estimate = getattr(error, "retry_after", None)
    if estimate is None or not math.isfinite(estimate):  # a stranger's may be anything
        return ()
    return (("grpc-retry-pushback-ms", str(math.ceil(estimate * 1000))),)


def checked_statuses(statuses: object) -> Statuses:
    """Return the table, or refuse one that gRPC cannot speak."""
    if not isinstance(statuses, Statuses):
        raise TypeError(
            "statuses must be a Statuses, such as STATUSES.override({QueueFull: Status(...)}); "
            f"got {statuses!r}"
        )
    for cls in statuses:
        _check(cls, statuses[cls])
    return statuses


def _check(cls: type[BaseException], status: Status) -> None:
    if status.grpc not in grpc.StatusCode.__members__ or status.grpc == "OK":
        raise ValueError(
            f"statuses must name a gRPC code other than OK, such as {HANDLER_FAILED.grpc!r}; "
            f"got {status.grpc!r} for {cls.__name__}"
        )
