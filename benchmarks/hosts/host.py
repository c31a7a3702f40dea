"""What a host is to the comparison: something that can be started, alone or under limits, and asked.

All hosts run one job at a time: a model on a device.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, Protocol

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Stack

WHOLE = 30.0


class Setting(NamedTuple):
    """The limits of one start, in seconds; a host alone sets what it has a name for."""

    queue: float
    execution: float
    whole: float = WHOLE

    def limits(self) -> Stack:
        """Return the three limits."""
        return (
            GatewayTimeout(self.whole) | QueueTimeout(self.queue) | ExecutionTimeout(self.execution)
        )

    def words(self) -> list[str]:
        """Return it as arguments of a command."""
        return [str(self.queue), str(self.execution), str(self.whole)]

    @classmethod
    def read(cls, words: list[str]) -> Setting:
        """Read what `words` has written."""
        return cls(*map(float, words))


class Answer(NamedTuple):
    """What a caller was told, and when.

    Attributes:
        word: an HTTP status, a gRPC code or the name of an exception; empty where no answer came.
        at: the instant.
    """

    word: str
    at: float = inf


class Caller(Protocol):
    """Asks a running host; from any thread."""

    def ask(self, do: str, mark: str = "", patience: float = 30.0) -> Answer:
        """Have something done, and wait for the answer, at most for so many seconds."""
        ...


@dataclass(frozen=True)
class Host:
    """A host in two variants.

    Attributes:
        name: by which it is chosen, and the stem of its file.
        title: the heading of its column.
        packages: those whose versions matter.
        page: the page of the docs that shows its table.
        alone: starts it alone, with what it has of the setting by itself.
        limited: starts it under the setting's limits.
        ok: the word of an answer in time.
        bar: the most microseconds that the limits may add to a quick request.
        note: what a reader must know of the variants.
        place: which of several tables of its page is its own.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    page: str
    alone: Callable[[Setting], AbstractContextManager[Caller]]
    limited: Callable[[Setting], AbstractContextManager[Caller]]
    ok: str = "200"
    bar: float = 300.0
    note: str = ""
    place: str = ""
