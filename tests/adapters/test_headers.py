"""Budgets that come in: what a header may say, and that no value gives more time than it says."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timeouts.adapters.headers import Budgets, MalformedBudget, from_asgi, from_wsgi
from timeouts.adapters.notations import LONGEST, NOTATIONS, SHORTEST, steps

GRPC, SECONDS, ENVOY = NOTATIONS
CORPUS = Path(__file__).with_name("budget_corpus.txt")
DAY = 86400.0
UNITS = {
    "H": Fraction(3600),
    "M": Fraction(60),
    "S": Fraction(1),
    "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6),
    "n": Fraction(1, 10**9),
}

names = st.sampled_from(list(NOTATIONS))
bounds = st.floats(1e-9, 1e300) | st.just(math.inf)
texts = st.text() | st.text(alphabet="0123456789HMSmunseE+-_., \t\n\u0665\u00b2", max_size=24)


class Case(NamedTuple):
    """A line of the corpus."""

    header: str
    value: str
    verdict: float | None


def corpus() -> Iterator[Case]:
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            header, rest = line.split(" | ", 1)
            value, verdict = rest.rsplit(" | ", 1)
            yield Case(
                header, json.loads(value), None if verdict == "malformed" else float(verdict)
            )


def exactly(name: str, text: str) -> tuple[Fraction, Fraction]:
    """Return what a written duration is, and one step of how it is written."""
    if name == GRPC:
        return int(text[:-1]) * UNITS[text[-1]], UNITS[text[-1]]
    scale = Fraction(1, 1 if name == SECONDS else 1000)
    return Fraction(text) * scale, scale / (10**6 if name == SECONDS else 1)


@st.composite
def durations(draw: Any, name: str) -> tuple[str, Fraction]:
    """Draw a duration as it is written in a header, and what it is exactly."""
    text = draw(st.from_regex(NOTATIONS[name].form.pattern, fullmatch=True))
    return text, exactly(name, text)[0]


def one(name: str, text: str, **options: Any) -> float:
    """Read one header."""
    budget = Budgets(name, **options).read({name: text}.get)
    assert budget is not None
    return budget


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@given(names, texts, bounds)
def test_any_text_is_a_budget_within_bounds_or_malformed(
    name: str, text: str, bound: float
) -> None:
    """Whatever a stranger sends: a number from 0 to `at_most`, or a 400 that names the header."""
    try:
        budget = one(name, text, at_most=bound)
    except MalformedBudget as error:
        told = error
    else:
        assert 0 <= budget <= bound
        return
    assert (told.header, told.value) == (name, text)
    assert name in str(told)


@given(st.data(), names, names)
def test_a_longer_duration_never_reads_as_the_shorter(data: Any, first: str, second: str) -> None:
    """No overflow and no rounding puts one before the other, in one notation or between two."""
    (text, duration), (other, longer) = data.draw(durations(first)), data.draw(durations(second))
    if duration > longer:
        first, text, duration, second, other, longer = second, other, longer, first, text, duration
    for at_most in (DAY, math.inf):
        assert one(first, text, at_most=at_most) <= one(second, other, at_most=at_most)


@given(st.data(), names)
def test_what_is_written_is_what_is_read(data: Any, name: str) -> None:
    """To the nearest float, which is how Python divides integers."""
    text, duration = data.draw(durations(name))
    assert one(name, text, at_most=None) == float(duration)


@given(st.data(), st.sets(names, min_size=1))
def test_the_tightest_of_several_wins(data: Any, sent: set[str]) -> None:
    headers = {name: data.draw(durations(name))[0] for name in sent}
    each = [one(name, text) for name, text in headers.items()]
    assert Budgets(*NOTATIONS).read(headers.get) == min(each)


@given(st.floats(SHORTEST, LONGEST), names)
def test_a_round_trip_never_lengthens(left: float, name: str) -> None:
    """It shortens by less than one step of the notation; a zero is never written."""
    text = NOTATIONS[name].write(left)
    said, step = exactly(name, text)
    assert said <= Fraction(left) < said + step
    assert 0 < one(name, text, at_most=None) <= left


@given(st.integers(1, 10**10), st.sampled_from([10**3, 10**6, 10**9]))
@example(117, 10**3)
@example(5, 10**6)
@example(29, 10**9)
def test_a_hair_below_a_step_is_rounded_down(count: int, per_second: int) -> None:
    """Where a product of floats would round up, as in the examples."""
    below = math.nextafter(count / per_second, 0)
    assert steps(below, per_second) == math.floor(Fraction(below) * per_second)


@given(st.floats(SHORTEST, LONGEST))
def test_grpc_is_written_in_the_finest_unit_that_fits(left: float) -> None:
    text = NOTATIONS[GRPC].write(left)
    count, unit = int(text[:-1]), text[-1]
    finer = {"n": None, "u": "n", "m": "u", "S": "m"}[unit]
    assert count < 10**8
    assert finer is None or Fraction(left) / UNITS[finer] >= 10**8


# ── the corpus ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", list(corpus()), ids=lambda case: f"{case.header} {case.value!a}")
def test_the_corpus(case: Case) -> None:
    if case.verdict is None:
        with pytest.raises(MalformedBudget) as caught:
            one(case.header, case.value)
        assert (caught.value.header, caught.value.value) == (case.header, case.value)
    else:
        assert one(case.header, case.value) == case.verdict


def test_the_corpus_has_good_and_bad_values_of_every_header() -> None:
    kinds = {(case.header, case.verdict is None) for case in corpus()}
    assert kinds == {(name, bad) for name in NOTATIONS for bad in (True, False)}


# ── which headers ────────────────────────────────────────────────────────────────────────────────


def test_only_what_was_opted_in_is_read() -> None:
    """A stranger's header, even a malformed one, is nobody's business."""
    headers = {GRPC: "1S", SECONDS: "nonsense"}
    assert Budgets(GRPC).read(headers.get) == 1
    assert Budgets(ENVOY).read(headers.get) is None


def test_no_names_read_nothing() -> None:
    def lookup(name: str) -> str | None:
        pytest.fail(f"looked {name} up")

    assert Budgets().read(lookup) is None


def test_nothing_left_is_a_budget() -> None:
    """0.0 and not None: the job expires as it arrives."""
    budget = Budgets(SECONDS).read({SECONDS: "0"}.get)
    assert (budget, type(budget)) == (0.0, float)


@pytest.mark.parametrize(
    "name", ["x-timeout", "", "timeout", b"grpc-timeout", ["grpc-timeout"], None]
)
def test_an_unknown_name_is_refused_with_those_that_are_known(name: Any) -> None:
    with pytest.raises(ValueError, match="must be one of") as caught:
        Budgets(GRPC, name)
    assert all(known in str(caught.value) for known in NOTATIONS)
    assert str(caught.value).endswith(f"got {name!r}")


@pytest.mark.parametrize(
    ("at_most", "kind"),
    [
        (0, ValueError),
        (-1, ValueError),
        (math.nan, ValueError),
        ("soon", ValueError),
        (True, TypeError),
    ],
)
def test_a_bound_is_a_duration(at_most: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="at_most"):
        Budgets(at_most=at_most)


def test_budgets_are_a_value() -> None:
    """Of names in any case and order."""
    budgets = Budgets("Grpc-Timeout", SECONDS, "GRPC-TIMEOUT", at_most=timedelta(minutes=1))
    assert budgets == Budgets(SECONDS, GRPC, at_most=60)
    assert hash(budgets) == hash(Budgets(SECONDS, GRPC, at_most=60))
    assert budgets != Budgets(SECONDS, GRPC)
    assert eval(repr(budgets)) == budgets
    assert repr(Budgets(GRPC)) == "Budgets('grpc-timeout', at_most=86400)"
    assert eval(repr(Budgets(at_most=None))) == Budgets(at_most=math.inf)
    with pytest.raises(AttributeError):
        budgets.at_most = 5  # type: ignore[misc]


# ── the error ────────────────────────────────────────────────────────────────────────────────────


def test_the_error_names_the_header_the_value_and_what_would_be_right() -> None:
    with pytest.raises(MalformedBudget) as caught:
        one(GRPC, "5 s")
    assert str(caught.value) == (
        "grpc-timeout must be 1 to 8 digits and a unit (H, M, S, m, u or n), such as \"250m\"; got '5 s'"
    )


def test_of_a_long_value_the_error_shows_the_beginning() -> None:
    """Escaped, so that it cannot write lines of its own into a log."""
    with pytest.raises(MalformedBudget) as caught:
        one(SECONDS, "a\n" + "x" * 60_000)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("xx'…")


@pytest.mark.parametrize("name", NOTATIONS)
def test_what_the_error_calls_right_is_right(name: str) -> None:
    example = NOTATIONS[name].right.split('"')[1]
    assert one(name, example) > 0


def test_the_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(MalformedBudget(GRPC, "x")))
    assert (type(error), error.header, error.value) == (MalformedBudget, GRPC, "x")


# ── lookups ──────────────────────────────────────────────────────────────────────────────────────


class Walked(list[tuple[bytes, bytes]]):
    """Headers that count how often they are walked."""

    walks = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self.walks += 1
        return super().__iter__()


def test_asgi_headers_are_walked_once_for_all_names() -> None:
    headers = Walked(
        [(b"host", b"x"), (b"grpc-timeout", b"2S"), (b"x-request-timeout-seconds", b"1.5")]
    )
    assert Budgets(*NOTATIONS).read(from_asgi(headers)) == 1.5
    assert headers.walks == 1


def test_asgi_headers_are_not_walked_for_no_names() -> None:
    headers = Walked([(b"grpc-timeout", b"2S")])
    assert Budgets().read(from_asgi(headers)) is None
    assert headers.walks == 0


def test_a_header_that_is_not_there_is_none() -> None:
    assert Budgets(GRPC).read(from_asgi([(b"host", b"x")])) is None
    assert Budgets(GRPC).read(from_wsgi({"HTTP_HOST": "x"})) is None


def test_wsgi_names_are_those_of_cgi() -> None:
    environ = {"HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS": "250", "wsgi.input": object()}
    assert Budgets(ENVOY).read(from_wsgi(environ)) == 0.25


@pytest.mark.parametrize("twice", [(b"1S", b"1S"), (b"1S", b"2S"), (b"1S", b"")])
def test_a_header_that_comes_twice_is_malformed(twice: tuple[bytes, bytes]) -> None:
    """Even if both say the same: whoever sends two has two opinions, or a proxy that adds its own."""
    with pytest.raises(MalformedBudget) as caught:
        Budgets(GRPC).read(from_asgi([(b"grpc-timeout", value) for value in twice]))
    assert caught.value.value == b", ".join(twice).decode()


@given(st.lists(st.tuples(st.sampled_from([b"grpc-timeout", b"host"]) | st.binary(), st.binary())))
def test_any_bytes_are_a_budget_or_malformed(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        budget = Budgets(*NOTATIONS).read(from_asgi(headers))
    except MalformedBudget:
        pass
    else:
        assert budget is None or 0 <= budget <= DAY


LOOKUPS: list[Callable[[str], Any]] = [
    lambda value: from_asgi([(b"x-request-timeout-seconds", value.encode("latin-1"))]),
    lambda value: from_wsgi({"HTTP_X_REQUEST_TIMEOUT_SECONDS": value}),
]


@pytest.mark.parametrize("lookup", LOOKUPS, ids=["asgi", "wsgi"])
@pytest.mark.parametrize("value", ["\u00b2", "5\u00a0", "\u00b55"])
def test_bytes_beyond_ascii_are_malformed(lookup: Callable[[str], Any], value: str) -> None:
    """Superscripts are digits to `str.isdigit`, and a no-break space is space to `str.strip`."""
    with pytest.raises(MalformedBudget):
        Budgets(SECONDS).read(lookup(value))
