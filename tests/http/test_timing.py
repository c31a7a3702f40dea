"""`Server-Timing`: the intervals add up."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.http.timing import no_job, server_timing

SPANS = st.floats(0, 1e5)


def intervals(value: str) -> list[float]:
    """Read the header, as browsers do."""
    found = re.fullmatch(
        r"queue;dur=(\d+\.\d{3}), exec;dur=(\d+\.\d{3}), total;dur=(\d+\.\d{3})", value
    )
    assert found, value
    return [float(number) for number in found.groups()]


@given(SPANS, SPANS, SPANS)
def test_queue_and_exec_make_the_total(arrived: float, waited: float, ran: float) -> None:
    started = arrived + waited
    queue, execution, total = intervals(server_timing(arrived, started, started + ran))
    assert queue + execution == pytest.approx(total, abs=0.0016)  # in ms, each rounded to 0.001
    assert queue == pytest.approx(waited * 1e3, abs=0.01)


@given(SPANS, SPANS)
def test_what_never_started_has_only_waited(arrived: float, waited: float) -> None:
    queue, execution, total = intervals(server_timing(arrived, math.inf, arrived + waited))
    assert (queue, execution) == (total, 0)


def test_what_was_no_job_neither_waited_nor_ran() -> None:
    assert intervals(no_job(1.0, 3.5)) == [0, 0, 2500]


def test_an_example() -> None:
    told = server_timing(10.0, 10.25, 12.0)
    assert told == "queue;dur=250.000, exec;dur=1750.000, total;dur=2000.000"
