"""Server-sent events, read back by a parser that follows the HTML standard."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import STATUSES, IdleTimeout, IdleTimeoutError
from timeouts.http.events import TAIL, error_event, event, takes_one_more
from timeouts.http.problem import details


def parse(stream: bytes) -> list[tuple[str, str]]:
    """Return the events, name and data; what is not ended by a blank line is dropped."""
    told, name, data = [], "", list[str]()
    *lines, unfinished = re.split(r"\r\n|\n|\r", stream.decode())
    del unfinished
    for line in lines:
        field, _, value = line.partition(":")
        if not line:
            if data:
                told.append((name or "message", "\n".join(data)))
            name, data = "", []
        elif field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
    return told


EVENTS = [("content-type", "text/event-stream; charset=utf-8")]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON, st.sampled_from([None, "error", "token"]))
def test_an_event_is_read_back(data: Any, name: str | None) -> None:
    """Whatever line breaks its data has."""
    ((heard, text),) = parse(event(data, name))
    assert (heard, json.loads(text)) == (name or "message", data)


def test_what_json_cannot_say_is_no_event() -> None:
    with pytest.raises(ValueError, match="JSON"):
        event(float("nan"))


def test_an_expiry_is_told_by_the_document_of_a_504() -> None:
    error = IdleTimeoutError(policy=IdleTimeout(5), limit=5, elapsed=5, started=True)
    ((name, text),) = parse(error_event(error, STATUSES))
    assert (name, json.loads(text)) == ("error", details(error))


STREAMS = st.lists(
    st.sampled_from([b"data: a", b"event: b", b": ping", b"\n", b"\n\n", b"\r", b"\r\n", b""]),
    max_size=8,
).map(b"".join)


@given(STREAMS)
def test_an_event_is_only_added_where_it_is_one_of_its_own(stream: bytes) -> None:
    """What was there before is read as it would have been, and the new one as itself."""
    if takes_one_more(EVENTS, stream[-TAIL:]):
        assert parse(stream + event(1, "error")) == [*parse(stream), ("error", "1")]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_between_two_events_one_can_be_added(ending: bytes) -> None:
    assert takes_one_more(EVENTS, b"")
    assert takes_one_more(EVENTS, (b"data: a" + 2 * ending)[-TAIL:])
    assert not takes_one_more(EVENTS, (b"data: a" + ending)[-TAIL:])
    assert not takes_one_more(EVENTS, b"data")


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", "text/plain")],
        [],
        [*EVENTS, ("Content-Encoding", "gzip")],
        [*EVENTS, ("Content-Length", "100")],
    ],
)
def test_what_is_no_plain_stream_of_events_takes_none(headers: list[tuple[str, str]]) -> None:
    assert not takes_one_more(headers, b"")


def test_the_type_is_read_in_any_case() -> None:
    assert takes_one_more([("Content-Type", "TEXT/Event-Stream")], b"data: x\n\n")
