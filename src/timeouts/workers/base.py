"""What a kind of worker is, and what it owes the shell.

Laws:
- Every call given to `start` is reported to `finish` exactly once, when its work is known to be
  over, however it ended. That report, and nothing else, frees the slot.
- `cancel` asks for the end as far as the kind can; what it cannot do is stated in `stop_mode`.

A kind (`ThreadWorkers`, `TaskWorkers`) is a frozen value, the configuration; the pool that it opens
holds the state.
"""

from __future__ import annotations

import math
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

from timeouts.call import Call
from timeouts.clock import Clock
from timeouts.core import Core
from timeouts.errors import TimeoutsError, Work
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler
from timeouts.outcome import Outcome
from timeouts.stack import Stack

T = TypeVar("T")
StopMode = Literal["cancel", "abandon", "kill"]


class Shell(Protocol):
    """What a pool reports to."""

    core: Core
    clock: Clock

    def finish(
        self, call: Call, outcome: Outcome, work: Work = "stopped", *, vacate: bool = False
    ) -> None:
        """The call's work is over; `vacate` if its slot is gone with its worker."""
        ...

    def enlist(self) -> None:
        """A worker has come, and a slot with it."""
        ...

    def dismiss(self) -> bool:
        """The worker of a free slot is gone; return whether there was a free one."""
        ...

    def withhold(self, error: TimeoutsError) -> None:
        """No worker is there, and none will be soon."""
        ...

    def killed(self, call: Call, pid: int, cause: str, since: float) -> None:
        """A worker was stopped because of a call; that was decided at the instant `since`."""
        ...

    def respawned(self, number: int, pid: int, since: float) -> None:
        """A worker is ready in the place of one that was gone at the instant `since`."""
        ...

    def read(self, look: Callable[[], T]) -> T:
        """Look at the core under the lock."""
        ...

    def wake_watchers(self) -> None:
        """Have those who wait for quiet look again."""
        ...

    def deliver(self, call: Call, item: Any) -> bool:
        """The call's stream has produced an item; return whether anybody still wants more."""
        ...


class Pool(Protocol):
    """Workers that run calls."""

    @property
    def blocking_gate(self) -> Callable[[], Gate]:
        """Make the doorbell of a caller that blocks."""
        ...

    @property
    def loop_gate(self) -> Callable[[AbstractEventLoop], LoopGate]:
        """Make the doorbell of a caller that awaits, on his loop."""
        ...

    @property
    def pack(self) -> Callable[[Call], None] | None:
        """What is called with each call before it arrives, in its caller's thread, if anything."""
        ...

    @property
    def quiet(self) -> bool:
        """Whether nothing is left of the pool that leaving a `with` block must wait for."""
        ...

    def open(self) -> None:
        """Start the workers now, if the kind starts them ahead of jobs."""
        ...

    def forget(self) -> None:
        """The process was forked: what is open belongs to the parent."""
        ...

    def start(self, call: Call) -> None:
        """Run a call. One that was answered before its work began is only finished."""
        ...

    def cancel(self, call: Call) -> None:
        """Stop a call's work, as far as possible; no error if it is over already."""
        ...

    def settle_in(self, loop: AbstractEventLoop) -> None:
        """The server was entered on this loop."""
        ...

    def close(self) -> None:
        """Let the workers go once they are done; start nothing any more."""
        ...


class WorkerKind(Protocol):
    """A choice of workers, with its options."""

    @property
    def stop_mode(self) -> StopMode:
        """What happens to a running job on expiry."""
        ...

    @property
    def default_slots(self) -> float:
        """How many slots a server of this kind has if its user names no number."""
        ...

    @property
    def max_abandoned(self) -> float:
        """How many abandoned jobs may run on before new work is refused."""
        ...

    @property
    def late_slots(self) -> bool:
        """Whether slots come into service one by one, as workers get ready."""
        ...

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:
        """Refuse, in the user's words, what this kind cannot run."""
        ...

    def open(self, shell: Shell, handler: Handler, slots: float) -> Pool:
        """Make the pool; it starts no worker before the first job."""
        ...


def refuse_soft_limits(limits: Stack, kind: str) -> None:
    """Refuse policies with a soft limit, for kinds that cannot raise one inside a handler."""
    for policy in limits.policies:
        if getattr(policy, "soft", math.inf) < math.inf:
            raise ValueError(
                f"{policy!r} has a soft limit, which {kind} workers cannot raise inside a handler: "
                'leave soft out, or use workers="process"'
            )
