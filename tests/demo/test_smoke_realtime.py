"""The demo as its users start it: a process of its own, in real time."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.realtime

pytest.importorskip("typer")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

LIMIT = 50.0


@contextmanager
def demo(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """Start it; whatever happens, nothing of it is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "timeouts.cli", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def printed_by(*arguments: str) -> str:
    """Run it to its end, which is a good one; return what it printed."""
    with demo(*arguments) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    return output


def test_a_short_run_prints_what_it_measured_and_saves_the_picture(tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    output = printed_by("--seconds", "2", "--rate", "5", "--plot", str(picture))
    assert re.search(r"ran for 1(\.\d+)? s; ExecutionTimeout allows 1 s", output)
    assert re.search(r"ExecutionTimeout +\d+ +1\.\d\d", output)
    assert re.search(r"all +10\b", output)
    assert "of 10 requests were answered within their deadlines" in " ".join(output.split())
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_processes_that_hang_are_killed_and_their_slots_come_back() -> None:
    output = printed_by("--workers", "process", "--seconds", "3", "--rate", "5")
    assert re.search(r"hang: killed; nothing was left of it \d+\.\d ms later", output)
    assert re.search(r"ExecutionTimeout +\d+ .* killed, dead in \d+\.\d ms", output)
    assert re.search(r"hang .* ExecutionTimeout 1\.\d\d s, killed", output)
    assert "was stopped while" not in output  # the log does not paint over it


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_an_interrupt_ends_it_at_once_with_what_was_seen(workers: str) -> None:
    with demo("--workers", workers, "--seconds", "10", "--rate", "10") as process:
        assert process.stdout is not None
        heard = ""
        while "ExecutionTimeout allows" not in heard:  # by then a worker is stuck
            line = process.stdout.readline()
            assert line, heard
            heard += line
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=LIMIT)
        took = time.monotonic() - began
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "Interrupted after" in output
    assert re.search(r"ExecutionTimeout +\d+ ", output)
    assert float(re.findall(r"Interrupted after (\S+) s", output)[0]) < 9  # of ten
    assert took < 5
