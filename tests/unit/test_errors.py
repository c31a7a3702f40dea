"""The errors: their tree, their names, their words, and that they survive a copy and a pipe."""

import builtins
import copy
import pickle
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from timeouts import errors
from timeouts.errors import (
    DeadlineExceeded,
    ExecutionTimeoutError,
    FirstItemTimeoutError,
    GatewayTimeoutError,
    IdleTimeoutError,
    PayloadError,
    PolicyFailed,
    QueueFull,
    QueueTimeoutError,
    Rejected,
    ServerClosed,
    ShuttingDown,
    StartupFailed,
    StartupTimeoutError,
    TimeoutsError,
    TooManyAbandoned,
    WaitTooLong,
    Withdrawn,
    WorkerLost,
)
from timeouts.policy import BUDGET, ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.statuses import HANDLER_FAILED, STATUSES, Status, Statuses


class Row(NamedTuple):
    """What is promised of one class."""

    cls: type[TimeoutsError]
    base: type[TimeoutsError]
    is_a_timeout_error: bool
    name: str
    http: int
    grpc: str


TREE = [
    Row(Rejected, TimeoutsError, False, "rejected", 503, "UNAVAILABLE"),
    Row(QueueFull, Rejected, False, "queue_full", 429, "RESOURCE_EXHAUSTED"),
    Row(QueueTimeoutError, Rejected, True, "queue_timeout", 503, "UNAVAILABLE"),
    Row(WaitTooLong, Rejected, False, "wait_too_long", 503, "UNAVAILABLE"),
    Row(TooManyAbandoned, Rejected, False, "too_many_abandoned", 503, "UNAVAILABLE"),
    Row(StartupFailed, Rejected, False, "startup_failed", 503, "UNAVAILABLE"),
    Row(StartupTimeoutError, StartupFailed, True, "startup_timeout", 503, "UNAVAILABLE"),
    Row(ShuttingDown, Rejected, False, "shutting_down", 503, "UNAVAILABLE"),
    Row(DeadlineExceeded, TimeoutsError, True, "deadline_exceeded", 504, "DEADLINE_EXCEEDED"),
    Row(
        ExecutionTimeoutError, DeadlineExceeded, True, "execution_timeout", 504, "DEADLINE_EXCEEDED"
    ),
    Row(GatewayTimeoutError, DeadlineExceeded, True, "gateway_timeout", 504, "DEADLINE_EXCEEDED"),
    Row(
        FirstItemTimeoutError,
        DeadlineExceeded,
        True,
        "first_item_timeout",
        504,
        "DEADLINE_EXCEEDED",
    ),
    Row(IdleTimeoutError, DeadlineExceeded, True, "idle_timeout", 504, "DEADLINE_EXCEEDED"),
    Row(WorkerLost, TimeoutsError, False, "worker_lost", 502, "INTERNAL"),
    Row(ServerClosed, WorkerLost, False, "server_closed", 503, "UNAVAILABLE"),
    Row(PayloadError, TimeoutsError, False, "payload", 500, "INTERNAL"),
    Row(PolicyFailed, TimeoutsError, False, "policy_failed", 500, "INTERNAL"),
    Row(Withdrawn, TimeoutsError, False, "withdrawn", 499, "CANCELLED"),
]


@pytest.mark.parametrize("row", TREE, ids=lambda row: row.name)
def test_the_tree(row: Row) -> None:
    """Each class has its base, its outcome's name and its codes."""
    assert row.cls.__bases__[0] is row.base
    assert issubclass(row.cls, builtins.TimeoutError) is row.is_a_timeout_error
    assert row.cls.name == row.name
    assert STATUSES.of(row.cls("x")) == (row.http, row.grpc)


def test_the_tree_is_complete() -> None:
    """No error class is missing from the table above, nor from the tree in the docstring."""
    found = {
        v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, TimeoutsError)
    }
    assert found == {row.cls for row in TREE} | {TimeoutsError}
    assert all(cls.__name__ in str(errors.__doc__) for cls in found)


def test_a_users_error_gets_a_name_and_a_code_from_its_place() -> None:
    """One class is enough."""

    class HTTPWarmUpTimeoutError(DeadlineExceeded):
        fact = "was cold for {elapsed} s"

    error = HTTPWarmUpTimeoutError(elapsed=1.2345)
    assert error.name == "httpwarm_up_timeout"
    assert str(error) == "was cold for 1.23 s; no policy was broken"
    assert STATUSES.of(error).http == 504


def test_fields_have_honest_defaults() -> None:
    """Nothing is claimed that was not said."""
    error = TimeoutsError("x")
    fields = error.policy, error.limit, error.elapsed, error.started, error.work
    assert fields == (None, None, 0.0, False, "never started")
    assert (str(error), error.args) == ("x", ("x",))
    assert (TimeoutsError.name, Rejected("x").retry_after) == ("timeouts", None)


def test_a_message_is_written_from_the_fields() -> None:
    """Fact; rule. The number is left out when there is none."""
    assert str(TimeoutsError(elapsed=2)) == "took 2 s; no policy was broken"
    error = QueueTimeoutError(policy=QueueTimeout(5), elapsed=5.2)
    assert str(error) == "waited 5.2 s in the queue; QueueTimeout"
    assert (
        str(GatewayTimeoutError(policy=BUDGET)) == "was not answered after 0 s; the caller's budget"
    )


def full() -> ExecutionTimeoutError:
    return ExecutionTimeoutError(
        policy=ExecutionTimeout(1), limit=1.0, elapsed=1.25, started=True, work="still running"
    )


def _pickled(protocol: int) -> Callable[[Exception], Exception]:
    def roundtrip(error: Exception) -> Exception:
        result: Exception = pickle.loads(pickle.dumps(error, protocol))
        return result

    return roundtrip


COPIES = [copy.copy, copy.deepcopy, *map(_pickled, range(pickle.HIGHEST_PROTOCOL + 1))]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("cls", [row.cls for row in TREE])
def test_every_error_survives_a_copy(
    copied: Callable[[Exception], Exception], cls: type[TimeoutsError]
) -> None:
    """Class, message, arguments and all fields, also those set later."""
    error = cls("why", policy=GatewayTimeout(5, reserve=1), limit=4, elapsed=6, started=True)
    error.work = "killed"
    error.add_note("seen")
    again = copied(error)
    assert type(again) is cls
    assert again is not error
    assert (str(again), again.args, vars(again)) == ("why", ("why",), vars(error))


@pytest.mark.parametrize("copied", COPIES)
def test_a_written_message_survives_a_copy(copied: Callable[[Exception], Exception]) -> None:
    """It is not written a second time."""
    assert str(copied(full())) == "ran for 1.25 s; ExecutionTimeout allows 1 s"
    assert repr(copied(full())) == repr(full())


# Statuses.


def test_a_status_is_looked_up_along_the_mro() -> None:
    """A subclass inherits its base's row; what has none is the handler's own failure."""

    class Fuller(QueueFull):
        pass

    assert STATUSES[Fuller] == STATUSES[QueueFull] == Status(429, "RESOURCE_EXHAUSTED")
    assert Fuller in STATUSES
    for strange in (ValueError("x"), builtins.TimeoutError("x")):
        assert STATUSES.of(strange) == HANDLER_FAILED == (500, "INTERNAL")
    with pytest.raises(KeyError, match="ValueError"):
        STATUSES[ValueError]


@pytest.mark.parametrize("status", [504, (504, "X"), None])
def test_a_row_that_is_no_status_is_refused(status: object) -> None:
    """A bare code would fail later, in the middle of an answer."""
    message = (
        'a row must be a Status, such as Status(504, "DEADLINE_EXCEEDED"); '
        f"got {status!r} for {QueueFull!r}"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        STATUSES.override({QueueFull: status})  # type: ignore[dict-item]


def test_a_table_shows_its_rows() -> None:
    """In the order they were given."""
    table = Statuses({QueueFull: Status(429, "X")})
    assert repr(table) == f"Statuses({{{QueueFull!r}: Status(http=429, grpc='X')}})"


def test_a_row_of_ones_own_replaces_and_extends() -> None:
    """The table itself stays as it is."""
    mine = STATUSES.override(
        {QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED"), ValueError: Status(400, "INVALID")}
    )
    assert mine.of(QueueTimeoutError("x")).http == 504
    assert mine.of(QueueFull("x")).http == 429
    assert mine.of(UnicodeError("x")).http == 400
    assert STATUSES.of(QueueTimeoutError("x")).http == 503
    assert (len(mine), len(STATUSES)) == (len(STATUSES) + 2, 8)
    assert set(mine) == {*STATUSES, QueueTimeoutError, ValueError}
