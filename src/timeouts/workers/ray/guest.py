"""The optional guest: Ray, which the `ray` extra installs, and who has started it.

Laws:
- Whoever needs Ray says so by name when it is missing, and nobody else needs it.
- A Ray that is there is used as it is, and never shut down. One that we have started ends with the last
  server that uses it.
- Ray does not survive a fork: where it is only inherited it is not touched, for it would hang.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

try:
    import ray as guest
    from ray.util import scheduling_strategies
except ImportError as missing:
    raise ImportError(
        'workers="ray" needs ray, which is not installed: pip install "timeouts[ray]"'
    ) from missing

# Untyped on purpose: half of what is used here has no types, and is the same with and without them.
ray: Any = guest
NodeAffinitySchedulingStrategy: Any = scheduling_strategies.NodeAffinitySchedulingStrategy

_lock = threading.Lock()
_users = 0  # servers that use the Ray that we have started
_started: str | None = None  # its session
_inherited = False
_settling_in = False


def join(address: str | None) -> str | None:
    """See that Ray is there; return the session that is to be left again, if it was started here.

    Raises:
        ConnectionError: there is no cluster at this address.
        RuntimeError: this process is a fork of one that uses Ray, or an actor that is only just getting ready.
    """
    global _started, _users  # noqa: PLW0603 - there is one Ray in a process
    with _lock:
        if _settling_in:
            raise RuntimeError(
                "ray workers cannot be started by what one of them imports: put it into a function, "
                'or, in the main module, under `if __name__ == "__main__":`'
            )
        if _inherited:
            raise RuntimeError(
                "this process is a fork of one that uses Ray, which does not survive that: start it "
                'by multiprocessing\'s "spawn", or open the server before Ray is initialised'
            )
        if ray.util.client.ray.is_connected():
            raise RuntimeError(
                "ray workers need a driver on a node of the cluster; this process is connected by "
                "Ray Client (ray://)"
            )
        if not ray.is_initialized():
            ray.init(address=address)
            _started, _users = session(), 0
        if session() != _started:
            return None
        _users += 1
        return _started


@contextmanager
def settling_in() -> Generator[None]:
    """In the block an actor imports what it is to run: that must not start actors, which would do the same."""
    global _settling_in  # noqa: PLW0603 - as above
    _settling_in = True
    try:
        yield
    finally:
        _settling_in = False


def leave(joined: str) -> None:
    """Shut down the Ray that was started here, once nobody else uses it."""
    global _users  # noqa: PLW0603 - as above
    with _lock:
        if joined == _started == session():  # and it has not been shut down by somebody else
            _users -= 1
            if not _users:
                ray.shutdown()


def insist() -> None:
    """Raise where Ray has been shut down: the next thing asked of it would start another one."""
    if not ray.is_initialized():
        raise ConnectionError("Ray has been shut down")


def session() -> str | None:
    """Return what tells this connection to Ray from another; None where there is none."""
    job: str | None = None
    if ray.is_initialized():
        job = ray.get_runtime_context().get_job_id()
    return job


def _forget() -> None:
    global _inherited, _lock, _users
    _inherited, _lock, _users = ray.is_initialized(), threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

__all__ = [
    "NodeAffinitySchedulingStrategy",
    "insist",
    "join",
    "leave",
    "ray",
    "session",
    "settling_in",
]
