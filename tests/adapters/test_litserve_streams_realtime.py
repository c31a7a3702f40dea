"""Each kind of LitAPI that answers item by item, under limits, in one real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE
from tests.adapters.litserve_servers import Served, served, took

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

STREAMS = ("/stream", "/streams", "/astream")
CHAT = "/v1/chat/completions"
LONG = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served("streams", tmp_path_factory.mktemp("streams")) as server:
        yield server


def chat(server: Served, said: str, **options: object) -> httpx.Response:
    messages = [{"role": "user", "content": said}]
    return server.ask(CHAT, model="m", messages=messages, **options)


def items(answer: httpx.Response) -> list[Any]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_who_is_in_time_notices_nothing(server: Served) -> None:
    for path in ("/stream", "/astream"):
        assert items(server.ask(path)) == [{"item": 0}, {"item": 1}, {"item": 2}]
    assert [item["item"] for item in items(server.ask("/streams"))] == [0, 1, 2]
    assert chat(server, "hi there").json()["choices"][0]["message"]["content"] == "hithere"
    assert chat(server, "hi there", stream=True).text.endswith("data: [DONE]\n\n")
    assert server.ask("/plain").status_code == 200


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_without_a_first_item_is_a_true_error(server: Served, path: str) -> None:
    began = time.monotonic()
    answer = server.ask(path, pauses=[LONG])
    assert 1 <= took(began) < PATIENCE
    assert (answer.status_code, answer.json()["error"]) == (504, "first_item_timeout")
    assert len(items(server.ask(path))) == 3


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_that_stops_midway_does_not_look_like_one_that_ends(
    server: Served, path: str
) -> None:
    got: list[bytes] = []
    with server.client.stream("POST", path, json={"pauses": [0, 0, LONG]}) as answer:
        pieces = answer.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            got.extend(pieces)
    assert [json.loads(line)["item"] for line in b"".join(got).splitlines()] == [0, 1]
    assert len(items(server.ask(path))) == 3


def test_a_stream_may_last_longer_than_it_may_take_to_begin(server: Served) -> None:
    for path in STREAMS:
        assert len(items(server.ask(path, pauses=[0.35] * 4))) == 4


def test_the_protocol_of_a_spec_keeps_its_paths_and_gets_true_errors(server: Served) -> None:
    for stream in (False, True):
        answer = chat(server, "hang", stream=stream)
        assert (answer.status_code, answer.json()["error"]) == (504, "first_item_timeout")
    answer = chat(server, "oh stop now")
    assert (answer.status_code, answer.json()["error"]) == (504, "idle_timeout")
    events = chat(server, "oh stop now", stream=True).text.split("\n\n")
    assert '"content":"stop"' in events[1]
    assert events[2].startswith("event: error\ndata: ") or '"error"' in events[2]
    assert chat(server, "hi").status_code == 200


def test_who_leaves_a_stream_leaves_the_worker_to_the_next(server: Served) -> None:
    with (
        suppress(httpx.ReadTimeout),
        httpx.Client(base_url=server.address, timeout=0.3, trust_env=False) as client,
    ):
        client.post("/stream", json={"pauses": [0, LONG]})
    assert len(items(server.ask("/stream"))) == 3


def test_an_error_of_the_handlers_own_ends_a_stream_as_litserve_does(server: Served) -> None:
    answer = server.ask("/stream", do="boom")
    assert (answer.status_code, answer.text) == (200, "")
    assert "ValueError: the handler's own" in server.log
