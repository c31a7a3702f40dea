"""One line for each expired job, with the number that was really enforced."""

from __future__ import annotations

import json
import logging
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.traffic import LIMITS, Request, play, requests
from timeouts import ExecutionTimeout, GatewayTimeout, Policy, QueueTimeout
from timeouts.observe import EventStream, ExpiryLogger
from timeouts.observe.events import Answered, Event

FIELDS = ["policy", "limit", "elapsed", "started", "work", "key", "budget", "error", "rule"]


class Caught(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> list[Any]:
        logging.getLogger("timeouts.expired").addHandler(self)
        return self.records

    def __exit__(self, *_: object) -> None:
        logging.getLogger("timeouts.expired").removeHandler(self)


def logged(*script: Request, **options: Any) -> list[Any]:
    """Play a script and return the records."""
    with Caught() as records:
        play(list(script), [ExpiryLogger()], **options)
    return records


def line(*script: Request, **options: Any) -> str:
    """Return the only line of a script."""
    (record,) = logged(*script, **options)
    text: str = record.getMessage()
    return text


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_one_line_for_each_expired_job(script: list[Request], closes: int | None) -> None:
    """None for those that ended, were refused, left, or were closed down."""
    events: list[Event] = []
    with Caught() as records:
        play(script, [ExpiryLogger(), EventStream(events.append)], closes=closes)
    expired = [e for e in events if isinstance(e, Answered) and e.lateness is not None]
    assert [r.key for r in records] == [e.job for e in expired]
    assert [(r.policy, r.limit, r.work) for r in records] == [
        (e.policy, e.limit, e.work) for e in expired
    ]


@given(st.lists(requests, max_size=12))
def test_the_limit_is_the_tightest_that_applied(script: list[Request]) -> None:
    """Of the rule's own number and the caller's budget, whichever came first."""
    own = {type(policy).__name__: policy.timeout for policy in LIMITS.policies}  # type: ignore[attr-defined]
    for record in logged(*script):
        assert record.limit == (record.budget if record.policy == "Budget" else own[record.policy])
        assert record.elapsed == record.limit  # on virtual time nobody is late
        if record.budget is not None:
            assert record.limit <= record.budget


def test_a_wait_that_was_too_long() -> None:
    """The line as it is to be read."""
    waits = Request(takes=1)
    assert line(Request(takes=5), waits, slots=1) == (
        "expired policy=QueueTimeout limit=3 elapsed=3 started=false "
        'work="never started" key=2 budget=none error=queue_timeout rule="QueueTimeout allows 3 s"'
    )


def test_a_budget_that_was_tighter_than_the_default() -> None:
    """It is the budget that fired, and its number that is told."""
    assert line(Request(takes=5, budget=4)) == (
        'expired policy=Budget limit=4 elapsed=4 started=true work="still running" '
        'key=1 budget=4 error=gateway_timeout rule="the caller\'s budget allows 4 s"'
    )


def test_a_reserve_that_is_held_back_from_a_budget() -> None:
    """Limit and rule add up: 4 s of the caller's, 1 s of them kept for the work."""
    limits = GatewayTimeout(9, reserve=1)
    text = line(Request(takes=8), Request(budget=4), slots=1, limits=limits)
    assert " limit=3 elapsed=3 started=false " in text
    assert "the caller's budget allows 4 s and GatewayTimeout keeps 1 s of it" in text


def test_the_words_of_a_line_can_be_taken_apart() -> None:
    """Values with blanks are quoted, and so is whatever else could be mistaken."""

    class Odd(Policy):
        def deadline(self, job: Any) -> float:
            return float(job.arrived) + 1

        def rule(self, limit: float | None) -> str:
            return 'a "rule" = of\nits own'

    text = line(Request(takes=5), limits=Odd())
    assert "\n" not in text
    words = dict(word.split("=", 1) for word in shlex.split(text)[1:])
    assert list(words) == FIELDS


def test_a_json_formatter_finds_the_fields() -> None:
    """They are attributes of the record, as `extra=` makes them."""
    (record,) = logged(Request(takes=99), limits=ExecutionTimeout(7))
    fields = json.loads(json.dumps({name: getattr(record, name) for name in FIELDS}))
    assert fields == {
        "policy": "ExecutionTimeout",
        "limit": 7,
        "elapsed": 7,
        "started": True,
        "work": "still running",
        "key": 1,
        "budget": None,
        "error": "execution_timeout",
        "rule": "ExecutionTimeout allows 7 s",
    }
    assert record.levelno == logging.WARNING


def test_a_logger_that_is_off_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is even written down: asking the rule would fail here."""
    monkeypatch.setattr(QueueTimeout, "rule", None)
    logger = logging.getLogger("timeouts.expired")
    logger.setLevel(logging.ERROR)
    try:
        assert logged(Request(takes=5), Request(takes=1), slots=1) == []
    finally:
        logger.setLevel(logging.NOTSET)
