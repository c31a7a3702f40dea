"""An actor without Ray: every question has one answer, whatever the handler does."""

from __future__ import annotations

import functools
import math
import pickle
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Stack,
    checkpoint,
    remaining,
)
from timeouts.testing import hostile
from timeouts.workers.ray import actor, guest
from timeouts.workers.ray.desk import ERROR, ITEM, NOTHING, VALUE, Answer, Desk
from timeouts.workers.ray.letters import seal, unseal


def desk(handler: Any, limits: Any = None, setup: Any = None) -> Desk:
    made = Desk()
    stack = Stack() if limits is None else Stack(*limits.policies)
    assert made.set_up(3, seal((handler, setup, stack))) is None
    return made


def ask(made: Desk, *args: Any, key: int = 1, left: float = math.inf, **more: Any) -> Answer:
    limits, entered = more.get("limits"), more.get("entered")
    learned = more.get("learned", math.inf)
    return made.serve(key, left, 0.0, learned, limits, entered, seal((None, args, {})))


def said(answer: Answer) -> tuple[bytes, Any]:
    """Return the kind, and the value or the error."""
    kind, letter = actor.read(actor.written(answer))
    value = unseal(letter)
    if kind != ERROR:
        return kind, value
    whole, message, _ = value
    return kind, message if whole is None else pickle.loads(whole)


def test_a_value_is_a_value() -> None:
    assert said(ask(desk(len), "abc")) == (VALUE, 3)
    assert said(ask(desk(hostile.run), StopIteration, 5))[0] == VALUE


@pytest.mark.parametrize("error", [KeyError("k"), SystemExit(2), StopIteration(3), GeneratorExit()])
def test_an_error_is_an_error(error: BaseException) -> None:
    kind, got = said(ask(desk(hostile.run), hostile.raises, error))
    assert kind == ERROR
    assert type(got) is type(error)
    assert got.args == error.args


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (hostile.gives_unpicklable, "the result of the handler cannot be sent back: TypeError"),
        (hostile.fails_unspeakably, "(its message cannot be read)"),
    ],
)
def test_what_cannot_be_sent_is_told(handler: Any, told: str) -> None:
    made = desk(hostile.run)
    kind, letter = ask(made, handler)
    assert kind == ERROR
    assert told in unseal(letter)[1]
    assert said(ask(made, len, "ab")) == (VALUE, 2)


def test_a_setup_that_fails_is_told() -> None:
    made = Desk()
    trouble = made.set_up(
        0, seal((len, functools.partial(hostile.raises, SystemExit("no")), Stack()))
    )
    assert trouble is not None
    assert "SystemExit: no" in trouble
    assert made.set_up(3, seal((len, [].append, Stack()))) is None


class CallsItsOwnGuard:
    """Stands for a handler whose module, when it is imported, calls the guard in it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return guest.join, (None,)


def test_what_an_actor_imports_starts_no_actors() -> None:
    """They would import it, too, and so on without end."""
    made = Desk()
    trouble = made.set_up(0, seal((CallsItsOwnGuard(), None, Stack())))
    assert trouble is not None
    assert "ray workers cannot be started by what one of them imports" in trouble
    assert made.set_up(0, seal((len, None, Stack()))) is None


def count(limit: int) -> Iterator[Any]:
    """Count, and say that it was closed."""
    try:
        yield from range(limit)
    finally:
        CLOSED.append(limit)


CLOSED: list[int] = []


def test_a_stream_is_produced_as_it_is_asked_for() -> None:
    made = desk(count)
    assert said(ask(made, 2)) == (ITEM, 0)
    assert said(made.proceed(1)) == (ITEM, 1)
    assert said(made.proceed(1)) == (VALUE, None)


@pytest.mark.parametrize("word", ["proceed", "leave"])
def test_a_stream_that_has_ended_concerns_nobody(word: str) -> None:
    """What comes too late for one stream says nothing to the next."""
    made = desk(count)
    assert said(ask(made, 0, key=1)) == (VALUE, None)
    assert getattr(made, word)(1) == (NOTHING, b"")
    assert said(ask(made, 2, key=2)) == (ITEM, 0)
    assert getattr(made, word)(1) == (NOTHING, b"")
    assert said(made.proceed(2)) == (ITEM, 1)


def test_who_leaves_a_stream_closes_it() -> None:
    made = desk(count)
    CLOSED.clear()
    ask(made, 7)
    assert said(made.leave(1)) == (VALUE, None)
    assert CLOSED == [7]


def give_a_lock() -> Iterator[Any]:
    """Give what cannot be sent, and say that it was closed."""
    try:
        yield hostile.gives_unpicklable()
    finally:
        CLOSED.append(0)


def test_an_item_that_cannot_be_sent_ends_the_stream() -> None:
    made = desk(give_a_lock)
    CLOSED.clear()
    kind, _ = ask(made)
    assert (kind, CLOSED, made.proceed(1)) == (ERROR, [0], (NOTHING, b""))


def test_a_handler_knows_what_remains() -> None:
    """Of the limits, and of the caller's budget; of other limits, once they are told; afterwards, nothing."""
    made = desk(remaining, GatewayTimeout(30))
    assert 29 < said(ask(made))[1] <= 30
    assert 4 < said(ask(made, left=5))[1] <= 5
    other = seal(Stack(GatewayTimeout(9)))
    assert 8 < said(ask(made, limits=other))[1] <= 9
    assert 8 < said(ask(made))[1] <= 9
    assert remaining() == math.inf


def test_a_limit_that_is_learned_comes_with_the_call() -> None:
    """Within its bounds; and it is what a checkpoint blames."""
    made = desk(remaining, GatewayTimeout(90) | ExecutionTimeout("auto", at_least=10, at_most=60))
    for learned, most in ((30, 30), (1, 10), (math.inf, 60)):
        assert most - 1 < said(ask(made, learned=learned))[1] <= most
    late = desk(checkpoint, GatewayTimeout(90) | ExecutionTimeout("auto"))
    kind, error = said(ask(late, learned=1e-9))
    assert (kind, type(error)) == (ERROR, ExecutionTimeoutError)


def many() -> Iterator[float]:
    """Give what remains, twice."""
    yield remaining()
    yield remaining()


def test_each_item_of_a_stream_has_its_limit() -> None:
    made = desk(many, FirstItemTimeout(90) | IdleTimeout(40))
    kind, first = said(ask(made))
    assert (kind, 80 < first <= 90) == (ITEM, True)
    assert 30 < said(made.proceed(1))[1] <= 40


def test_a_soft_limit_is_raised_inside() -> None:
    made = desk(hostile.run, ExecutionTimeout(60, soft=0.05))
    kind, error = said(ask(made, time.sleep, 30))
    assert kind == ERROR
    assert isinstance(error, ExecutionTimeoutError)
    assert error.limit == 0.05


class Around(AbstractContextManager[None]):
    """Says when it is entered and left."""

    def __enter__(self) -> None:
        CLOSED.append(1)

    def __exit__(self, *_: object) -> None:
        CLOSED.append(2)


def test_what_is_sent_along_is_entered_around_all_of_a_call() -> None:
    made = desk(count)
    CLOSED.clear()
    ask(made, 1, entered=pickle.dumps(Around()))
    assert CLOSED == [1]
    made.proceed(1)
    assert CLOSED == [1, 1, 2]
    assert said(ask(made, 0, entered=pickle.dumps(nullcontext()))) == (VALUE, None)
