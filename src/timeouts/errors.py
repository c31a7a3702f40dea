"""Every error of this library, and what each says about the work.

TimeoutsError                                    HTTP  gRPC                 started?
├─ Rejected             (never ran: retry is safe; carries retry_after)
│  ├─ QueueFull                                  429   RESOURCE_EXHAUSTED   no
│  ├─ QueueTimeoutError   [TimeoutError]         503   UNAVAILABLE          no
│  ├─ WaitTooLong                                503   UNAVAILABLE          no
│  ├─ TooManyAbandoned                           503   UNAVAILABLE          no
│  ├─ StartupFailed                              503   UNAVAILABLE          no
│  │  └─ StartupTimeoutError  [TimeoutError]     503   UNAVAILABLE          no
│  └─ ShuttingDown                               503   UNAVAILABLE          no
├─ DeadlineExceeded       [TimeoutError]
│  ├─ ExecutionTimeoutError                      504   DEADLINE_EXCEEDED    yes
│  ├─ GatewayTimeoutError                        504   DEADLINE_EXCEEDED    ask the error
│  ├─ FirstItemTimeoutError                      504   DEADLINE_EXCEEDED    ask the error
│  └─ IdleTimeoutError                           504   DEADLINE_EXCEEDED    yes
├─ WorkerLost                                    502   INTERNAL             yes
│  └─ ServerClosed                               503   UNAVAILABLE          yes
├─ PayloadError           [TypeError]            500   INTERNAL             ask the error
├─ PolicyFailed         (a stranger's own bug)   500   INTERNAL             ask the error
└─ Withdrawn            (the caller left)        499   CANCELLED            ask the error

The codes are data, in `statuses.py`. Law: `started` is what really happened to the work, so
`not error.started` always means that a retry cannot run anything twice.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from timeouts.deadline import spoken

Work = Literal["never started", "still running", "stopped", "killed"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class TimeoutsError(Exception):
    """Base of all errors that this library raises on a caller.

    Args:
        message: a sentence; left out, it is written from the fields as "fact; rule".
        policy: the rule that fired, or None where no policy did (a full queue, a shutdown).
        limit: what the rule allows: seconds for a policy, a count for a bound.
        elapsed: how long the interval that the rule bounds had lasted, in seconds.
        started: whether the work had started.
        work: what is known of it now. It is kept up to date: `"still running"` becomes
            `"stopped"` or `"killed"` when the work is known to be over.
    """

    fact: ClassVar[str] = "took {elapsed} s"
    name: ClassVar[str] = "timeouts"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the outcome's name (`queue_timeout`) from the class's (`QueueTimeoutError`)."""
        super().__init_subclass__(**kwargs)
        cls.name = _CAMEL.sub("_", cls.__name__.removesuffix("Error")).lower()

    def __init__(
        self,
        message: str | None = None,
        *,
        policy: Any = None,
        limit: float | None = None,
        elapsed: float = 0.0,
        started: bool = False,
        work: Work = "never started",
    ) -> None:
        self.policy = policy
        self.limit = limit
        self.elapsed = elapsed
        self.started = started
        self.work: Work = work
        super().__init__(*(() if message is None else (message,)))

    def __str__(self) -> str:
        """Say the message, written only now: who counts errors does not read them."""
        return str(self.args[0]) if self.args else self._sentence()

    def __repr__(self) -> str:
        """Show the class and the message."""
        return f"{type(self).__name__}({str(self)!r})"

    def _sentence(self) -> str:
        fact = self.fact.format(elapsed=spoken(self.elapsed))
        rule = "no policy was broken" if self.policy is None else self.policy.rule(self.limit)
        return f"{fact}; {rule}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the message and the fields (exceptions pickle by their positional args alone)."""
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    cls: type[TimeoutsError], args: tuple[Any, ...], fields: dict[str, Any]
) -> TimeoutsError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class Rejected(TimeoutsError):
    """The work never ran, so a retry is safe.

    `retry_after` says in how many seconds it is worth one; None where nobody has estimated that.
    """

    retry_after: float | None = None


class QueueFull(Rejected):
    """As many jobs wait as `capacity` allows."""


class WaitTooLong(Rejected):
    """The job would have expired before it could be started, as far as that can be predicted."""


class QueueTimeoutError(Rejected, TimeoutError):
    """The job waited longer than its `QueueTimeout`."""

    fact = "waited {elapsed} s in the queue"


class TooManyAbandoned(Rejected):
    """As many abandoned jobs still run as `max_abandoned` allows: no new one is started beside them."""


class ShuttingDown(Rejected):
    """The server no longer takes work."""


class StartupFailed(Rejected):
    """No worker is ready, because starting one has failed; the message has the worker's traceback."""


class StartupTimeoutError(StartupFailed, TimeoutError):
    """No worker is ready, because starting one took longer than `startup_timeout`."""


class DeadlineExceeded(TimeoutsError, TimeoutError):
    """A deadline passed; whether the work had started is in `started`."""


class ExecutionTimeoutError(DeadlineExceeded):
    """The job ran longer than its `ExecutionTimeout`."""

    fact = "ran for {elapsed} s"


class GatewayTimeoutError(DeadlineExceeded):
    """The whole request took longer than its `GatewayTimeout` or its caller's budget."""

    fact = "was not answered after {elapsed} s"


class FirstItemTimeoutError(DeadlineExceeded):
    """A stream gave no first item within its `FirstItemTimeout`."""

    fact = "gave no first item in {elapsed} s"


class IdleTimeoutError(DeadlineExceeded):
    """A stream paused longer between two items than its `IdleTimeout`."""

    fact = "gave no further item in {elapsed} s"


class WorkerLost(TimeoutsError):
    """The worker was lost while the job ran."""


class ServerClosed(WorkerLost):
    """The server was closed while the job ran: come back to its successor, if it may run twice."""

    retry_after: float | None = None


class PayloadError(TimeoutsError, TypeError):
    """An argument, a result or an error cannot cross between the server and a worker process."""


class PolicyFailed(TimeoutsError):
    """A policy, a discipline or an admission rule raised, or gave nonsense, when it was asked about this job; see `__cause__`."""


class Withdrawn(TimeoutsError):
    """The caller left before the answer; seen in books and logs, never raised on that caller."""
