"""One table from errors to status codes, looked up along the class's MRO, so a subclass inherits.

Codes differ between houses (for a queue that was too slow LitServe says 504, Triton 503), so the
table is a value: `STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from timeouts import errors


class Status(NamedTuple):
    """An HTTP status code and the name of a gRPC one."""

    http: int
    grpc: str


class Statuses(Mapping[type[BaseException], Status]):
    """An immutable table of statuses by exception class; `of` looks along the MRO."""

    def __init__(self, rows: Mapping[type[BaseException], Status]) -> None:
        for cls, status in rows.items():
            if not isinstance(status, Status):
                raise TypeError(
                    f'a row must be a Status, such as Status(504, "DEADLINE_EXCEEDED"); '
                    f"got {status!r} for {cls!r}"
                )
        self._rows = dict(rows)

    def __getitem__(self, cls: type[BaseException]) -> Status:
        """Return the row of `cls` or of its nearest base."""
        for base in cls.__mro__:
            if base in self._rows:
                return self._rows[base]
        raise KeyError(cls)

    def __iter__(self) -> Iterator[type[BaseException]]:
        """Iterate over the classes that have a row of their own."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def of(self, error: BaseException) -> Status:
        """Return the status for an error; one that no row covers is the handler's own: 500, INTERNAL."""
        return self.get(type(error), HANDLER_FAILED)

    def override(self, rows: Mapping[type[BaseException], Status]) -> Statuses:
        """Return a new table in which `rows` replace or extend these."""
        return Statuses({**self._rows, **rows})

    def __repr__(self) -> str:
        """Show the rows."""
        return f"Statuses({self._rows!r})"


HANDLER_FAILED = Status(500, "INTERNAL")

STATUSES = Statuses(
    {
        errors.QueueFull: Status(429, "RESOURCE_EXHAUSTED"),
        errors.Rejected: Status(503, "UNAVAILABLE"),
        errors.DeadlineExceeded: Status(504, "DEADLINE_EXCEEDED"),
        errors.WorkerLost: Status(502, "INTERNAL"),
        errors.ServerClosed: Status(503, "UNAVAILABLE"),
        errors.PayloadError: HANDLER_FAILED,
        errors.PolicyFailed: HANDLER_FAILED,
        errors.Withdrawn: Status(499, "CANCELLED"),
    }
)
