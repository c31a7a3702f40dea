"""An outcome gives its value or raises its error, and leaves no garbage behind."""

import gc
import traceback
import weakref

import pytest

from timeouts.outcome import Outcome


class Boom(Exception):
    """An error that can be weakly referred to."""


def failed() -> Outcome:
    """Fail inside a function whose name shows in the traceback."""

    def handler() -> None:
        raise Boom("x")

    try:
        handler()
    except Boom as error:
        return Outcome(error=error)
    raise AssertionError


@pytest.mark.parametrize("value", [1, None, [], ValueError("only a value")])
def test_a_value_is_returned_as_it_is(value: object) -> None:
    """Also None, and an exception that was returned rather than raised."""
    assert Outcome(value).unwrap() is value


def test_an_error_is_raised_as_itself_with_its_traceback() -> None:
    """The handler's own frame is still in it, and nothing is wrapped around."""
    outcome = failed()
    with pytest.raises(Boom) as caught:
        outcome.unwrap()
    assert caught.value is outcome.error
    assert "handler" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_raised_error_leaves_no_cycle() -> None:
    """When the caller is done with it, it is gone at once, without the garbage collector."""

    def call() -> weakref.ref[Boom]:
        try:
            failed().unwrap()
        except Boom as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        assert call()() is None
    finally:
        gc.enable()


def test_an_outcome_shows_what_it_holds() -> None:
    """The value, or the error."""
    assert repr(Outcome([1])) == "Outcome(value=[1])"
    assert repr(Outcome(error=Boom("x"))) == "Outcome(error=Boom('x'))"
