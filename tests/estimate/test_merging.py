"""Histograms that were fed apart and merged, against one that was fed everything.

Law: merging is addition, window by window. So what several servers have counted is merged in any order and any grouping, at any
time, and what goes on being fed and rotated afterwards is as if it had been one from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from timeouts.estimate import Durations

RUN = st.tuples(st.floats(0.0, 900.0) | st.sampled_from([0.1, 1.0]), st.booleans())
WINDOW = st.lists(RUN, max_size=6)
HISTORY = st.lists(WINDOW, min_size=1, max_size=4)
"""Executions, window by window; the last window is the present one."""

Run = tuple[float, bool]
History = list[list[Run]]


def feed(durations: Durations, window: Sequence[Run]) -> None:
    for seconds, stopped in window:
        durations.add(seconds, stopped=stopped)


def lived(history: History) -> Durations:
    durations = Durations()
    for number, window in enumerate(history):
        if number:
            durations.rotate()
        feed(durations, window)
    return durations


def merged(*parts: Durations) -> Durations:
    whole = Durations()
    for part in parts:
        whole.merge(part)
    return whole


def together(*histories: History) -> History:
    """Return the history of all, which have rotated at the same instants, the present one last."""
    aligned = zip_longest(*(reversed(history) for history in histories), fillvalue=[])
    windows = [[run for part in parts for run in part] for parts in aligned]
    return windows[::-1]


def assert_same(one: Durations, other: Durations) -> None:
    """Both say the same now, and when the past is forgotten, window after window."""
    for _ in range(3):
        assert one.curve() == other.curve()
        assert one.count == other.count
        one.rotate()
        other.rotate()


@given(HISTORY, HISTORY, WINDOW)
def test_merged_is_as_if_fed_together(one: History, other: History, later: list[Run]) -> None:
    whole, fed = merged(lived(one), lived(other)), lived(together(one, other))
    for durations in (whole, fed):
        feed(durations, later)
    assert_same(whole, fed)


@given(HISTORY, HISTORY)
def test_the_order_does_not_matter(one: History, other: History) -> None:
    first, second = lived(one), lived(other)
    first.merge(lived(other))
    second.merge(lived(one))
    assert_same(first, second)


@given(HISTORY, HISTORY, HISTORY)
def test_the_grouping_does_not_matter(one: History, other: History, third: History) -> None:
    left = merged(merged(lived(one), lived(other)), lived(third))
    right = merged(lived(one), merged(lived(other), lived(third)))
    assert_same(left, right)


@given(HISTORY)
def test_an_empty_one_adds_nothing(history: History) -> None:
    assert_same(merged(lived(history), Durations()), lived(history))


@given(HISTORY, HISTORY, WINDOW)
def test_what_was_merged_lives_on_unchanged(one: History, other: History, later: list[Run]) -> None:
    """And is not changed by what the whole counts afterwards, nor the whole by it."""
    part, whole = lived(other), lived(one)
    whole.merge(part)
    feed(whole, later)
    assert_same(part, lived(other))
    feed(part, later)
    fed = lived(together(one, other))
    feed(fed, later)
    assert_same(whole, fed)
