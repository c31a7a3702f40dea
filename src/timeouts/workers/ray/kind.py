"""`RayWorkers`: the choice of Ray actors, with its options checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from timeouts.deadline import Seconds, finite_seconds, seconds
from timeouts.handler import Handler
from timeouts.options import whole_number
from timeouts.stack import Stack
from timeouts.workers.base import Shell, StopMode
from timeouts.workers.process.kind import plain_function

if TYPE_CHECKING:
    from timeouts.workers.ray.pool import RayPool

OURS = {
    "concurrency_groups": "an actor serves one job at a time",
    "get_if_exists": "every slot has an actor of its own",
    "lifetime": "actors end with the server",
    "max_concurrency": "an actor serves one job at a time",
    "max_pending_calls": "jobs wait in the server's queue",
    "max_restarts": "the server replaces actors itself",
    "max_task_retries": "a job is never run twice",
    "name": "every slot has an actor of its own",
}
"""Options of Ray's that would break a promise of ours, and which."""


class RayWorkers:
    """Run a `def` handler in Ray actors, on however many machines the cluster has.

    Queue, discipline, deadlines and errors are the same as for processes; placement, resources and the
    transport of objects are Ray's. On expiry the caller is answered at once; then the actor is killed,
    its process proven dead, and the actor replaced. Only then is the slot free.

    Args:
        setup: called in every actor before its first job, with the worker's number (from 0) if it
            takes an argument; loads the model, say.
        spares: how many more actors are kept ready to take the place of one that is lost; default 0.
            Each holds the resources of an actor.
        startup_timeout: seconds that Ray may take to place an actor and start its process, and that
            `setup` may take; default 60. None for no limit. It is no part of any request's limits.
        stream_grace: seconds that a generator whose consumer has left may take to close before its
            actor is killed; default 0.5.
        max_jobs: how many jobs an actor serves before it is replaced; default: no bound.
        options: Ray's own options for an actor, such as `{"num_gpus": 1}`, `resources`,
            `scheduling_strategy` or `runtime_env`. An actor holds one CPU unless `num_cpus` says
            otherwise.
        address: of the cluster, for `ray.init`, if Ray has not been initialised by then; default: what
            `ray.init()` chooses.

    Raises:
        TypeError, ValueError: an option makes no sense; the message names it and its value.
        ImportError: by the server that is to use it, if Ray is not installed.

    Cannot do: run what cannot be pickled, pass on the caller's context variables, or stop all that a
    handler has started in other processes: Ray ends the children of a process that it kills. A node that cannot be reached, though it may still work, is Ray's to
    declare dead: until then its slots are out of service.
    """

    stop_mode: StopMode = "kill"
    max_abandoned: float = math.inf
    late_slots = True
    default_slots: float = 1
    """One actor: only its user knows how many the cluster has room for."""

    def __init__(
        self,
        *,
        setup: Callable[..., object] | None = None,
        spares: int = 0,
        startup_timeout: Seconds = 60.0,
        stream_grace: float = 0.5,
        max_jobs: int | None = None,
        options: Mapping[str, Any] | None = None,
        address: str | None = None,
    ) -> None:
        self.setup = plain_function("setup", setup)
        self.spares = whole_number("spares", spares, least=0)
        self.startup_timeout = seconds(startup_timeout, "startup_timeout")
        self.stream_grace = finite_seconds(stream_grace, "stream_grace")
        self.max_jobs = None if max_jobs is None else whole_number("max_jobs", max_jobs, least=1)
        self.options = _options(options)
        if not isinstance(address, str | None):
            raise TypeError(f"address must be a string such as 'auto'; got {address!r}")
        if address is not None and address.startswith("ray://"):
            raise ValueError(
                f"address must be a cluster's own, such as 'auto', from one of its nodes; got {address!r}, "
                "which Ray Client would connect to from outside"
            )
        self.address = address

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:  # noqa: ARG002 - any will do
        """Refuse coroutine functions, unbounded slots, and options that Ray does not know."""
        if handler.is_async:
            raise TypeError(
                f"ray workers run def handlers; {handler.name} is async: "
                'leave workers out, or use workers="task"'
            )
        if slots == math.inf:
            raise ValueError("slots must be a finite number for ray workers; got inf")
        try:
            self.actor_class()
        except (TypeError, ValueError) as why:
            raise type(why)(f"options={self.options!r}: {why}") from None

    def actor_class(self) -> Any:
        """Return what makes actors."""
        from timeouts.workers.ray.actor import Actor
        from timeouts.workers.ray.guest import ray

        ours = {"max_restarts": 0, "max_task_retries": 0}
        return ray.remote(**{"num_cpus": 1, **self.options, **ours})(Actor)

    def open(self, shell: Shell, handler: Handler, slots: float) -> RayPool:
        """Make the pool; actors start with the first job, or with the server's `with` block."""
        from timeouts.workers.ray.pool import RayPool

        return RayPool(shell, handler, int(slots), self)

    def __repr__(self) -> str:
        """Show what was chosen."""
        return f"RayWorkers({f'options={self.options!r}' if self.options else ''})"


def _options(options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a mapping such as {{'num_gpus': 1}}; got {options!r}")
    for name, why in OURS.items():
        if name in options:
            raise ValueError(f"options cannot have {name!r}, because {why}; got {options[name]!r}")
    return dict(options)
