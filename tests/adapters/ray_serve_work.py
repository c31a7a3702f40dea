"""What the deployments of `ray_serve_app` have done in worker processes, which need not import Ray for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, guard

HANG = 600.0
LIMITS = GatewayTimeout(60) | QueueTimeout(1) | ExecutionTimeout(30)


def work(duration: float, witness: str | None = None) -> int:
    """Say who works, then work."""
    if witness is not None:
        Path(witness).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(duration)
    return os.getpid()


@guard(LIMITS, slots=1, capacity=1, workers="process")
def predict(duration: float, witness: str | None = None) -> int:
    """Be called by a deployment."""
    return work(duration, witness)
