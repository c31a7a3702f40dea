"""`timeouts serve --record`: what arrived is in the file when the server has ended."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.serve.served import eventually, refused, serving
from timeouts.sim import Trace

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_arrived_is_recorded_until_the_drain_is_over(tmp_path: Path) -> None:
    """Done, stopped at its limit, expired in the queue, and drained after SIGTERM."""
    flags = ("--workers", "process", "--slots", "1", "--execution-timeout", "3",
             "--queue-timeout", "0.2", "--record", "trace.jsonl")  # fmt: skip
    with serving(tmp_path, "model:predict", *flags) as server, ThreadPoolExecutor(4) as callers:
        assert server.post().status_code == 200
        hangs = callers.submit(server.post, x=60)
        eventually(lambda: server.stats()["running"] == 1)
        assert server.post().status_code == 503
        assert hangs.result().status_code == 504
        eventually(lambda: server.stats()["free"] == 1)
        last = callers.submit(server.post, x=1)
        eventually(lambda: server.stats()["running"] == 1)
        server.signal(signal.SIGTERM)
        assert last.result().status_code == 200
        assert server.ended() == 0
    done, hung, waited, drained = sorted(
        lines(tmp_path / "trace.jsonl"), key=lambda row: row["arrival"]
    )
    assert "stopped" not in done
    assert (hung["stopped"], waited["stopped"], waited["service"]) == (True, True, 0)
    assert 3 <= hung["service"] < 20
    assert "stopped" not in drained
    assert 1 <= drained["service"] < 20
    assert len(Trace.read(tmp_path / "trace.jsonl").recorded) == 4


def test_each_route_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "timeouts.toml").write_text('[routes."/a/b"]\nhandler = "model:reverse"\n')
    with serving(tmp_path, "model:predict", "--record", "trace.jsonl") as server:
        server.post()
        for _ in range(2):
            server.post("/a/b", data="eHk=")
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert len(lines(tmp_path / "trace.jsonl")) == 1
    assert len(lines(tmp_path / "trace-a+b.jsonl")) == 2


def test_a_file_that_is_there_is_kept_unless_told(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text("precious\n")
    code, said = refused(tmp_path, "model:predict", "--record", "trace.jsonl")
    assert (code, said) == (
        1, "timeouts: --record: trace.jsonl is there already; --overwrite replaces it\n",
    )  # fmt: skip
    assert trace.read_text() == "precious\n"
    with serving(tmp_path, "model:predict", "--record", "trace.jsonl", "--overwrite") as server:
        server.post()
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert len(lines(trace)) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--record", "no/trace.jsonl"),
            "--record: no/trace.jsonl cannot be written: No such file",
        ),
        (("--record", "."), "--record: . cannot be written: Is a directory"),
        (("--overwrite",), "--overwrite is for --record, which is missing"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    flags: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    code, said = refused(tmp_path, "model:predict", *flags)
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"timeouts: {words}")
