"""What a kind of worker is, and what it owes the shell.

Laws:
- Every call given to `start` is reported to `finish` exactly once, when its work is known to be
  over, however it ended. That report, and nothing else, frees the slot.
- `cancel` asks for the end as far as the kind can; what it cannot do is stated in `stop_mode`.

A kind (`ThreadWorkers`, `TaskWorkers`) is a frozen value, the configuration; the pool that it opens
holds the state.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Any, Literal, Protocol

from timeouts.call import Call
from timeouts.errors import Work
from timeouts.handler import Handler
from timeouts.outcome import Outcome

StopMode = Literal["cancel", "abandon", "kill"]


class Shell(Protocol):
    """What a pool reports to."""

    def finish(self, call: Call, outcome: Outcome, work: Work = "stopped") -> None:
        """The call's work is over."""
        ...

    def deliver(self, call: Call, item: Any) -> bool:
        """The call's stream has produced an item; return whether anybody still wants more."""
        ...


class Pool(Protocol):
    """Workers that run calls."""

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

    def check(self, handler: Handler, slots: float) -> None:
        """Refuse, in the user's words, what this kind cannot run."""
        ...

    def open(self, shell: Shell, handler: Handler, slots: float) -> Pool:
        """Make the pool; it starts no worker before the first job."""
        ...
