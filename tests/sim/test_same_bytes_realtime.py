"""`timeouts simulate` with the same seed: the same bytes on the screen and in the picture, in whatever process.

Hashes of strings are seeded anew in each process; what depended on the order of a set would differ. Whatever is not a
function of the options would differ too: a clock, a process id, a generator that somebody else has used.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

CONFIG = """
[timeouts]
gateway = { timeout = "1s", reserve = "auto" }
execution = "auto"

[serve]
slots = 4
"""
OPTIONS = (
    *("--service", "lognormal:100ms:1", "--stuck", "2%", "--deadline", "300ms,1,3"),
    *("--at-deadline", "tells", "--retries", "2", "--stop", "kill", "--recovery", "500ms"),
    *("--load", "0.8,2", "--duration", "6"),
)
PICTURES = ("svg", "png", "pdf")
GUARD = 150.0


def simulated(folder: Path, seed: int, hashes: int, picture: str) -> tuple[bytes, bytes]:
    """Return what is printed, and what is drawn."""
    folder.mkdir()
    (folder / "timeouts.toml").write_text(CONFIG, encoding="utf-8")
    command = "from timeouts.cli import main; main()"
    name = f"run.{picture}"
    done = subprocess.run(
        [sys.executable, "-c", command, "simulate", "timeouts.toml", *OPTIONS,
         "--seed", str(seed), "--plot", name],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": str(hashes), "COLUMNS": "200"},
        capture_output=True,
        check=True,
        timeout=GUARD,
    )  # fmt: skip
    return done.stdout, (folder / name).read_bytes()


@pytest.mark.parametrize("picture", PICTURES)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, picture: str) -> None:
    pytest.importorskip("typer")
    pytest.importorskip("matplotlib")
    (one, drawn), (other, redrawn) = (
        simulated(tmp_path / str(hashes), 7, hashes, picture) for hashes in (1, 2)
    )
    assert one == other
    assert len(one) > 1000
    assert drawn == redrawn
    assert len(drawn) > 5000


def test_another_seed_gives_others(tmp_path: Path) -> None:
    """Or the test above would be content with a simulator that draws nothing."""
    pytest.importorskip("typer")
    pytest.importorskip("matplotlib")
    one, other = (simulated(tmp_path / str(seed), seed, 1, "svg") for seed in (7, 8))
    assert one[0] != other[0]
    assert one[1] != other[1]
