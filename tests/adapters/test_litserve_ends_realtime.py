"""How a LitServe under limits ends, or does not even start: nobody is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.asgi_servers import PATIENCE, eventually
from tests.adapters.litserve_servers import Served, served, took

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("end", "number", "name"),
    [(os.killpg, signal.SIGINT, "short"), (os.kill, signal.SIGTERM, "alone")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_signal_ends_all_processes_also_beside_work_that_hangs(
    tmp_path: Path, end: Callable[[int, int], None], number: int, name: str
) -> None:
    with served(name, tmp_path) as server, ThreadPoolExecutor() as threads:
        hangs = threads.submit(server.ask, do="sleep", seconds=60, mark="hangs")
        eventually((server.marks / "hangs").exists)
        end(server.process.pid, number)
        assert server.process.wait(PATIENCE) == 0
        eventually(lambda: not server.processes())
        assert hangs.exception() is not None or hangs.result().status_code == 504


def test_an_api_that_has_limits_alone_is_stopped_and_told_and_goes_with_its_worker(
    tmp_path: Path,
) -> None:
    with served("alone", tmp_path) as server:
        began = time.monotonic()
        answer = server.ask(do="sleep", seconds=60)
        assert 1 <= took(began) < PATIENCE
        assert answer.status_code == 504
        assert answer.json()["detail"]["error"] == "execution_timeout"
        assert server.ask().status_code == 200
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)  # which LitServe notices, and then it shuts down
        server.process.wait(PATIENCE)
        eventually(lambda: not server.processes())


@contextmanager
def starting(name: str, folder: Path) -> Iterator[Served]:
    server = Served(name, folder)
    try:
        yield server
    finally:
        server.close()


def test_a_setup_that_fails_is_shown_and_ends_the_server(tmp_path: Path) -> None:
    with starting("failing", tmp_path) as server:
        assert server.process.wait(PATIENCE) == 1
        assert "FileNotFoundError: weights.bin" in server.log
        assert 'raise FileNotFoundError("weights.bin")' in server.log
        eventually(lambda: not server.processes())


def test_a_setup_that_never_ends_has_a_limit(tmp_path: Path) -> None:
    with starting("endless", tmp_path) as server:
        assert server.process.wait(PATIENCE) == 1
        assert "startup_timeout allows 1 s" in server.log
        assert "in setup" in server.log  # where it stood
        eventually(lambda: not server.processes())
