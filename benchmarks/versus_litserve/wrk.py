"""`wrk`, the closed-loop load generator, and what it prints."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
BODY = '{"x": 3.0}'


@dataclass(frozen=True)
class Rate:
    """What came of a run."""

    per_second: float
    p50: float  # seconds
    p99: float
    errors: int

    @classmethod
    def read(cls, text: str) -> Rate:
        """Read the line that `wrk.lua` prints at the end."""
        line = next(line for line in reversed(text.splitlines()) if line.startswith("{"))
        said = json.loads(line)
        seconds = said["duration_us"] / 1e6
        p50, p99 = said["p50_us"] / 1e6, said["p99_us"] / 1e6
        return cls(said["requests"] / seconds, p50, p99, said["errors"])


def is_there() -> bool:
    """Tell whether it is installed."""
    return shutil.which("wrk") is not None


async def run(port: int, connections: int, seconds: float) -> Rate:
    """Post to `/predict` over this many connections, each as fast as it is answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(SCRIPT)]
    process = await asyncio.create_subprocess_exec(
        *command,
        f"http://127.0.0.1:{port}/predict",
        "--",
        BODY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"wrk failed: {said.decode(errors='replace')}")
    return Rate.read(said.decode())
