"""The pace of a core: a moving average of how long a slot is held."""

from hypothesis import given
from hypothesis import strategies as st

from timeouts.pace import Pace

held = st.floats(0, 1e6)


def test_before_the_first_nothing_is_known() -> None:
    assert Pace().time_for(1, 1) is None


def test_work_is_shared_among_the_slots() -> None:
    pace = Pace()
    pace.add(4)
    assert pace.time_for(3, 2) == 6
    assert pace.time_for(3, 0) == 12  # no slot in service just now: as if there were one


def test_the_latest_counts_for_a_sixteenth() -> None:
    pace = Pace()
    pace.add(1)
    pace.add(17)
    assert pace.time_for(1, 1) == 2


@given(st.lists(held, min_size=1))
def test_the_average_lies_between_the_extremes(times: list[float]) -> None:
    pace = Pace()
    for time in times:
        pace.add(time)
    estimate = pace.time_for(1, 1)
    assert estimate is not None
    assert min(times) - 1e-6 <= estimate <= max(times) + 1e-6
