"""How long a pool waits before it tries again to start a worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timeouts.workers.process.staff import FIRST_DELAY, LONGEST_DELAY, delay_after


@given(st.integers(1, 10**9), st.integers(1, 64))
def test_the_wait_between_attempts_grows_up_to_a_cap(failures: int, places: int) -> None:
    """It doubles with each round of failures, and after years of them it is still a number."""
    delay = delay_after(failures, places)
    assert FIRST_DELAY <= delay <= LONGEST_DELAY
    assert delay <= delay_after(failures + 1, places)
    assert delay_after(failures + places, places) in {2 * delay, LONGEST_DELAY}
    assert delay_after(1, places) == FIRST_DELAY
