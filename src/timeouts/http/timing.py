"""The intervals of a request as a `Server-Timing` header, which browsers draw beside it.

Law: `queue + exec == total`, up to rounding, so that a reader can see where the time went.
"""

from __future__ import annotations

import math

SERVER_TIMING = "Server-Timing"


def no_job(seen: float, now: float) -> str:
    """Return the value for a request that has not become a job: it neither waited nor ran."""
    return f"queue;dur=0.000, exec;dur=0.000, total;dur={(now - seen) * 1e3:.3f}"


def server_timing(arrived: float, started: float, now: float) -> str:
    """Return the header's value: `queue;dur=…, exec;dur=…, total;dur=…`, in milliseconds.

    Args:
        arrived: when the job arrived.
        started: when a worker took it; `math.inf` if none has.
        now: when the answer begins.
    """
    total = now - arrived
    queue = total if started == math.inf else started - arrived
    return (
        f"queue;dur={queue * 1e3:.3f}, exec;dur={(total - queue) * 1e3:.3f}, "
        f"total;dur={total * 1e3:.3f}"
    )
