"""The same seed gives the same bytes in another process, whatever its hashes are seeded with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.realtime

SCRIPT = """
import json
from dataclasses import asdict
from timeouts import GatewayTimeout
from timeouts.sim import Client, Kill, Lognormal, Poisson, Retry, Scenario, Stuck, simulate

clients = [Client(name, 1.0, retry=Retry()) for name in ("a", "b", "c")]
asked = Scenario(Poisson(60), Stuck(Lognormal(0.1, 1), 0.02), clients, duration=10)
report = simulate(asked, GatewayTimeout(1, reserve=0.3), slots=4, stop=Kill(0.5), seed=7)
print(json.dumps(asdict(report)))
"""


def test_another_process_gives_the_same_bytes() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(told.pop()) > 500
