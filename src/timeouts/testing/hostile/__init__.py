"""Handlers that misbehave: on command in threads and tasks, or for good in processes.

| module | what its handlers do |
|---|---|
| `hang` | `Hang`, `AsyncHang`: block, answer late, ignore cancellation; let go when the test says so |
| `stubborn` | never end, and resist being stopped; only for workers that can be killed |
| `dying` | take their process with them, or try to |
| `payload` | give results and errors that cannot cross between processes |
| `witness` | `Witness`: how a test meets handlers that run in other processes |

All but those of `hang` are functions at the top of a module, so that worker processes find them.
`run` calls any of them, so one server can be tried with all:

    with Server(hostile.run, ExecutionTimeout(1), workers="process") as server:
        server.call(hostile.ignores_sigterm)
"""

from timeouts.testing.hostile.dying import (
    closes_descriptors,
    exits,
    kills_itself,
    overflows,
    raises,
    segfaults,
    shouts,
)
from timeouts.testing.hostile.hang import AsyncHang, Hang
from timeouts.testing.hostile.payload import (
    Unpicklable,
    Unrebuildable,
    Unspeakable,
    fails_on_sending,
    fails_unpicklably,
    fails_unrebuildably,
    fails_unspeakably,
    gives_explosive,
    gives_nested,
    gives_unpicklable,
    hangs_on_sending,
    hangs_while_sending,
    sends,
)
from timeouts.testing.hostile.stubborn import (
    backtracks,
    cleans_up_on_sigterm,
    escapes_session,
    fills_a_pipe,
    forks_daemon,
    forks_grandchild,
    holds_gil,
    ignores_sigterm,
    run,
    sleeps,
    spins,
    stops_itself,
    swallows_everything,
    takes_memory,
)
from timeouts.testing.hostile.witness import Sighting, Witness

__all__ = [
    "AsyncHang",
    "Hang",
    "Sighting",
    "Unpicklable",
    "Unrebuildable",
    "Unspeakable",
    "Witness",
    "backtracks",
    "cleans_up_on_sigterm",
    "closes_descriptors",
    "escapes_session",
    "exits",
    "fails_on_sending",
    "fails_unpicklably",
    "fails_unrebuildably",
    "fails_unspeakably",
    "fills_a_pipe",
    "forks_daemon",
    "forks_grandchild",
    "gives_explosive",
    "gives_nested",
    "gives_unpicklable",
    "hangs_on_sending",
    "hangs_while_sending",
    "holds_gil",
    "ignores_sigterm",
    "kills_itself",
    "overflows",
    "raises",
    "run",
    "segfaults",
    "sends",
    "shouts",
    "sleeps",
    "spins",
    "stops_itself",
    "swallows_everything",
    "takes_memory",
]
