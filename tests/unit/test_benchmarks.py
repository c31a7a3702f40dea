"""The benchmarks run and print their rows; what they measure is never a matter for a test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HAS_RAY = sys.version_info < (3, 14)  # it has no wheels for later ones
ROWS = {
    "bench_core": ["a job that finds a free slot", "arrival", "expiry", "grant"],
    "bench_disciplines": ["FIFO", "AdaptiveLIFO", "FairShare", "Priority", "EarliestDeadlineFirst"],
    "bench_thread": ["executor", "guarded"],
    "bench_task": ["wait_for", "timeout", "guarded"],
    "bench_lateness": ["bare call_at", "acall", "submit"],
    "bench_middleware": ["bare", "Timeouts"],
    "bench_ray": ["bare actor", "ray workers"],
    "bench_payload": ["bare mapping", "posts", "Pipe", "pack", "unwrap"],
}


def test_every_benchmark_is_run() -> None:
    """The table above is complete."""
    assert {path.stem for path in BENCHMARKS.glob("bench_*.py")} == set(ROWS)


@pytest.mark.realtime
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", [name for name in ROWS if name != "bench_ray" or HAS_RAY])
def test_a_benchmark_runs_and_prints_its_rows(name: str) -> None:
    """Only a few operations of each."""
    script = BENCHMARKS / f"{name}.py"
    command = [sys.executable, "-W", "error", str(script), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for row in ROWS[name]:
        assert re.search(rf"^{row}.* \d+\.\d\d (µs|ms)", done.stdout, re.MULTILINE), done.stdout
