"""What a handler may know of its own job: how long it still has.

Law: inside a handler, in any worker kind, and in everything it calls or awaits, `remaining()` speaks
of the tightest deadline of the job being served. Code that outlives its job (a background task that
the handler started) is under no limit any more.
"""

from __future__ import annotations

import copy
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

from timeouts.job import DONE, RUNNING

if TYPE_CHECKING:
    from timeouts.call import Call

SERVING: ContextVar[Call | None] = ContextVar("timeouts.serving", default=None)


def remaining() -> float:
    """Return the seconds left of the tightest deadline of the job that this code serves.

    `math.inf` outside a handler or where no limit applies; 0 once a deadline has passed or the
    caller has left.
    """
    call = SERVING.get()
    if call is None or call.phase is DONE:
        return math.inf
    if call.phase is not RUNNING:
        return 0.0
    return max(0.0, call.expires - call.clock.now())


def checkpoint() -> None:
    """Raise if the job that this code serves has no time left; a place for long work to stop.

    The caller has been, or is being, answered already, so what is raised here ends the work and is
    seen by nobody else. The only way to stop work in a thread, and a cheap way anywhere.

    Raises:
        DeadlineExceeded: a deadline has passed; the class is the policy's own.
        Withdrawn: the caller has left.
        WorkerLost: the server was closed.
    """
    call = SERVING.get()
    if call is None or remaining() > 0:
        return
    if call.error is not None:
        raise copy.copy(call.error)
    if call.blamed is not None:
        raise call.blamed.expired(call, call.clock.now())
