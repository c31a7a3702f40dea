"""Whether a task is where it must not be cancelled now: in a shielded scope of anyio, such as a thread's.

Frameworks run a `def` route in a thread, and their task waits for it in such a scope. A cancellation
would end the wait and not the thread, and the job would seem to be over while it runs.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any


def is_shielded(task: asyncio.Task[Any]) -> bool:
    """Tell whether anyio, if it is in use at all, would spare the task for now."""
    backend = sys.modules.get("anyio._backends._asyncio")
    # anyio tells a task of its own scopes only; this is where it looks them up.
    state = getattr(backend, "_task_states", {}).get(task)
    scope = getattr(state, "cancel_scope", None)
    while scope is not None:
        if scope.shield:
            return True
        scope = getattr(scope, "_parent_scope", None)
    return False
