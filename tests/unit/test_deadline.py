"""Durations: what is one, what is refused, and in which words."""

import json
import math
import pickle
import re
import warnings
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from timeouts import config
from timeouts.deadline import seconds, spoken, written
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Interval,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack, UselessPolicyWarning

KINDS = [GatewayTimeout, QueueTimeout, ExecutionTimeout, FirstItemTimeout, IdleTimeout]
GOOD = [
    (5, 5.0),
    (2.5, 2.5),
    ("2.5", 2.5),
    ("3.", 3.0),
    (".5", 0.5),
    ("500ms", 0.5),
    ("5s", 5.0),
    (" 5 s ", 5.0),
    ("2m", 120.0),
    ("1h", 3600.0),
    (timedelta(milliseconds=250), 0.25),
    (timedelta(days=1), 86400.0),
    (Fraction(1, 4), 0.25),
    (None, math.inf),
    (math.inf, math.inf),
    (10**400, math.inf),
    (5e-324, 5e-324),
]
NOT_POSITIVE = [-1, -0.5, 0, 0.0, -0.0, math.nan, -math.inf, -(10**400), timedelta(0), "0", "0ms"]
NOT_POSITIVE += [timedelta(seconds=-1)]
NO_TEXT = ["soon", "", "-1s", "5 parsecs", "1e3", "inf", "nan", "5s5s", "\u0665s", "s", "."]
TOO_LONG = "reserve must be shorter than timeout, or no job could ever start"
NO_DURATION = [True, False, [], {}, (5,), 1j, b"5s", object, int]


@pytest.mark.parametrize(("value", "expected"), GOOD, ids=repr)
def test_what_is_a_duration(value: object, expected: float) -> None:
    """Seconds, timedeltas, text with a unit; None and infinity for no limit."""
    assert seconds(value) == expected
    assert isinstance(seconds(value), float)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("value", "expected"), GOOD, ids=repr)
def test_every_policy_takes_every_duration(kind: type, value: object, expected: float) -> None:
    """By position and by name."""
    assert kind(value).timeout == kind(timeout=value).timeout == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NOT_POSITIVE, ids=lambda value: repr(value)[:20])
def test_a_policy_refuses_what_is_not_positive(kind: type, value: object) -> None:
    """The message names the class, the parameter and the value."""
    message = (
        f"{kind.__name__}: timeout must be more than zero seconds, or None for no limit; "
        f"got {value!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NO_TEXT)
def test_a_policy_refuses_text_that_is_no_duration(kind: type, value: str) -> None:
    """The message shows how durations are written."""
    message = (
        f'{kind.__name__}: timeout must be a duration such as 2.5, "2.5", "500ms" or "5s"; '
        f"got {value!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NO_DURATION, ids=repr)
def test_a_policy_refuses_types_that_are_no_duration(kind: type, value: object) -> None:
    """Also bool, which Python counts among the integers."""
    message = (
        f"{kind.__name__}: timeout must be seconds (float, int or timedelta), or None for no "
        f"limit; got {value!r} of type {type(value).__name__}"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        kind(value)


def test_zero_is_a_duration_only_where_it_makes_sense() -> None:
    """A reserve may be nothing, and then says so when it is less."""
    assert seconds(0, "reserve", zero=True) == 0
    with pytest.raises(ValueError, match=r"^reserve must be zero or more seconds"):
        seconds(-1, "reserve", zero=True)
    with pytest.raises(ValueError, match=r"^timeout must be more than zero seconds"):
        seconds(0)


@given(st.floats(min_value=0, exclude_min=True) | st.integers(min_value=1))
def test_every_positive_number_is_itself(value: float) -> None:
    """In seconds, without loss."""
    assert seconds(value) == pytest.approx(value, rel=0, abs=0) or value > 1e308


@given(st.text("0159.\u0663 smh-+e_"))
def test_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Nothing else comes out of any text."""
    try:
        assert seconds(text) > 0
    except ValueError as refused:
        assert repr(text) in str(refused)  # noqa: PT017


@pytest.mark.parametrize(
    ("duration", "text"),
    [(5.0, "5"), (0.25, "0.25"), (math.inf, "None"), (0.1 + 0.2, "0.3"), (86400.0, "86400")],
)
def test_durations_are_written_without_noise(duration: float, text: str) -> None:
    """As a user would write them."""
    assert written(duration) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.03125, "0.0312"), (5.2, "5.2"), (999.0, "999"), (1000.0, "1000"), (3600.4, "3600")],
)
def test_measured_durations_are_spoken_roundly(duration: float, text: str) -> None:
    """Three figures, and never in powers of ten."""
    assert spoken(duration) == text


# The policies as values.


def make(kind: Callable[..., Policy], *args: object, **kwargs: object) -> Policy:
    """Construct with whatever a user may write, also where a type checker would object."""
    return kind(*args, **kwargs)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (make(QueueTimeout, "500ms"), "QueueTimeout(0.5)"),
        (make(ExecutionTimeout, None), "ExecutionTimeout(None)"),
        (FirstItemTimeout(2), "FirstItemTimeout(2)"),
        (make(IdleTimeout, timedelta(minutes=1)), "IdleTimeout(60)"),
        (GatewayTimeout(30), "GatewayTimeout(30)"),
        (make(GatewayTimeout, 30, reserve="2s"), "GatewayTimeout(30, reserve=2)"),
    ],
)
def test_a_policy_shows_what_was_written(policy: Policy, text: str) -> None:
    """The repr builds an equal policy."""
    assert repr(policy) == text
    again = eval(text, {kind.__name__: kind for kind in KINDS})
    assert again == policy
    assert hash(again) == hash(policy)


def test_policies_differ_by_kind_and_by_number() -> None:
    """Equality is of the whole value."""
    assert QueueTimeout(5) != QueueTimeout(6)
    assert GatewayTimeout(5) != GatewayTimeout(5, reserve=1)
    assert len({QueueTimeout(5), make(QueueTimeout, "5s"), ExecutionTimeout(5)}) == 2


def test_a_policy_is_frozen() -> None:
    """State lives elsewhere."""
    with pytest.raises(AttributeError):
        QueueTimeout(5).timeout = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    ("reserve", "message"),
    [
        (5, f"{TOO_LONG}; got reserve=5, timeout=5"),
        (6.5, f"{TOO_LONG}; got reserve=6.5, timeout=5"),
        (-1, "reserve must be zero or more seconds; got -1"),
        (math.inf, "reserve must be a finite number of seconds; got inf"),
        (None, "reserve must be a finite number of seconds; got None"),
    ],
)
def test_a_reserve_that_makes_no_sense_is_refused(reserve: object, message: str) -> None:
    """It must be finite, not negative, and leave time to wait in."""
    with pytest.raises(ValueError, match=f"^{re.escape('GatewayTimeout: ' + message)}$"):
        make(GatewayTimeout, 5, reserve=reserve)


def test_a_reserve_of_the_wrong_type_is_refused_by_name() -> None:
    """Not as a timeout."""
    with pytest.raises(TypeError, match=r"^GatewayTimeout: reserve must be seconds .*got True"):
        GatewayTimeout(5, reserve=True)


def test_a_reserve_goes_with_no_limit_of_its_own() -> None:
    """It then cuts from the caller's budget."""
    assert repr(make(GatewayTimeout, None, reserve=2)) == "GatewayTimeout(None, reserve=2)"


@pytest.mark.parametrize(
    ("args", "kwargs", "got"),
    [((), {}, ""), ((1, 2, 3), {}, "1, 2, 3"), ((1,), {"reserv": 2}, "1, reserv=2")],
)
def test_arguments_that_a_policy_does_not_know_are_refused(
    args: tuple[int, ...], kwargs: dict[str, int], got: str
) -> None:
    """A misspelt option must not be lost silently."""
    message = f"GatewayTimeout takes (timeout, reserve='auto'); got ({got})"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        GatewayTimeout(*args, **kwargs)


@pytest.mark.parametrize(("timeout", "dumped"), [(5.0, 5.0), (math.inf, None)])
def test_a_policy_is_dumped_as_it_may_be_written(timeout: float, dumped: float | None) -> None:
    """JSON knows no infinity; None says the same, and reads back as the same policy."""
    adapter = TypeAdapter(QueueTimeout)
    policy = QueueTimeout(timeout)
    assert adapter.dump_python(policy) == {"timeout": dumped}
    assert adapter.validate_json(adapter.dump_json(policy)) == policy


# ── what is learned ──────────────────────────────────────────────────────────────────────────────


def test_what_is_learned_is_shown_as_it_is_written() -> None:
    assert repr(GatewayTimeout(30, reserve="auto")) == "GatewayTimeout(30)"
    assert repr(GatewayTimeout(30, reserve=0)) == "GatewayTimeout(30, reserve=0)"
    assert repr(ExecutionTimeout("auto")) == 'ExecutionTimeout("auto")'
    bounded = ExecutionTimeout("auto", at_least=1, at_most="1m")
    assert repr(bounded) == 'ExecutionTimeout("auto", at_least=1, at_most=60)'
    assert bounded == ExecutionTimeout("auto", at_least=1.0, at_most=60)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 5, "at_most": 9}, "at_least and at_most bound a limit that is learned"),
        ({"timeout": 5, "at_least": 1}, "at_least and at_most bound a limit that is learned"),
        ({"timeout": "auto", "soft": 3}, 'soft goes with a limit that is fixed, not with "auto"'),
        ({"timeout": "auto", "at_least": 3, "at_most": 2}, "at_least must not be longer than"),
        ({"timeout": "automatic"}, "timeout must be a duration such as"),
    ],
)
def test_a_learned_limit_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ExecutionTimeout(**options)


@pytest.mark.parametrize(
    "policy",
    [
        GatewayTimeout(30, reserve="auto"),
        ExecutionTimeout("auto"),
        ExecutionTimeout("auto", at_least=1, at_most=9),
    ],
)
def test_what_is_learned_survives_as_data(policy: Policy) -> None:
    stack = Stack(policy)
    assert config.load(json.loads(json.dumps(config.dump(stack)))) == stack
    assert pickle.loads(pickle.dumps(stack)) == stack


def test_what_is_learned_is_explained() -> None:
    both = (GatewayTimeout(30, reserve="auto") | ExecutionTimeout("auto")).explain()
    assert both.unbounded == ()
    assert Stack(ExecutionTimeout("auto")).explain().unbounded == (
        Interval.WAITING,
        Interval.SERVICE,
        Interval.SOJOURN,
    )
    bounded = Stack(ExecutionTimeout("auto", at_most=9)).explain()
    assert Interval.SERVICE not in bounded.unbounded


def test_a_learned_limit_is_never_useless_for_what_it_may_become_at_most() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = GatewayTimeout(30) | ExecutionTimeout("auto", at_most=60)
    with pytest.warns(UselessPolicyWarning, match="can never end anything earlier"):
        _ = GatewayTimeout(30) | ExecutionTimeout("auto", at_least=40)


def test_the_least_of_a_learned_limit_is_finite() -> None:
    with pytest.raises(ValueError, match=r"at_least must be a finite number of seconds; got None"):
        ExecutionTimeout("auto", at_least=None)


@pytest.mark.parametrize("bound", ["at_most", "soft"])
def test_a_bound_that_makes_no_sense_is_called_by_its_name(bound: str) -> None:
    timeout: Any = "auto" if bound == "at_most" else 5
    with pytest.raises(
        ValueError, match=f"^ExecutionTimeout: {bound} must be more than zero seconds.*; got -1$"
    ):
        ExecutionTimeout(timeout, **{bound: -1})
