"""How much is done in one go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """The sizes of the scenarios; seconds, where they are times.

    Args:
        never: how long a client waits before "no answer" is the answer.
        hold: how long the worker is held in front of those who wait.
        waiters: how many wait behind it.
        repeats: how many runs hang, or crash, as long as each is answered.
        leavers: how many clients leave.
        idle: how long nothing happens.
        bodies: how many bodies of 100 kB are sent at once.
        overload: how long more is offered than one worker can do.
        wrk: how long each run of `wrk` takes.
    """

    never: float = 12.0
    hold: float = 10.0
    waiters: int = 20
    repeats: int = 5
    leavers: int = 10
    idle: float = 5.0
    bodies: int = 1_000
    overload: float = 10.0
    wrk: float = 2.0


@dataclass(frozen=True)
class Sample:
    """What one round of a scenario showed of a row: figures, and what else is to be said."""

    figures: list[float]
    note: str = ""


Samples = dict[str, Sample]

QUICK = Effort(
    never=2.5,
    hold=2.0,
    waiters=4,
    repeats=1,
    leavers=3,
    idle=0.5,
    bodies=120,
    overload=1.0,
    wrk=1.0,
)
