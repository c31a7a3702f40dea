"""What arrives when: decided before the first request is sent, from a seed.

Law: the schedule knows nothing of the answers. Requests come at their instants whether or not the
server keeps up (an open loop), as the requests of many independent users do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

SLOW_SHARE = 0.15
HANG_SECONDS = 3.5
FIRST_HANG, SECOND_HANG = 0.15, 0.5  # shares of the time in which requests arrive


class Kind(StrEnum):
    """How long a request keeps its worker."""

    QUICK = "quick"
    SLOW = "slow"
    HANG = "hang"


COST = {Kind.QUICK: (0.04, 0.2), Kind.SLOW: (0.6, 1.4), Kind.HANG: (HANG_SECONDS, HANG_SECONDS)}


@dataclass(frozen=True, slots=True)
class Request:
    """One image to read.

    Attributes:
        number: counts from 1, in the order of arrival.
        at: when it is sent, in seconds after the start.
        kind: what it is like.
        cost: how many seconds its predict takes.
        image: which image.
    """

    number: int
    at: float
    kind: Kind
    cost: float
    image: int


def schedule(
    *, seconds: float, rate: float, slots: int, seed: int, images: int
) -> tuple[Request, ...]:
    """Draw `seconds * rate` requests at independent instants: a Poisson stream, given its size.

    Of those that hang one comes alone, which takes one worker out, and later as many in a row as
    there are workers, which takes out all.
    """
    rng = Random(seed)  # noqa: S311 - a reproducible load, no secret
    instants = sorted(rng.uniform(0, seconds) for _ in range(max(1, round(seconds * rate))))
    hanging = _hanging(instants, seconds, slots)
    kinds = [
        Kind.HANG if i in hanging else Kind.SLOW if rng.random() < SLOW_SHARE else Kind.QUICK
        for i in range(len(instants))
    ]
    return tuple(
        Request(number, at, kind, rng.uniform(*COST[kind]), rng.randrange(images))
        for number, (at, kind) in enumerate(zip(instants, kinds, strict=True), start=1)
    )


def _hanging(instants: list[float], seconds: float, slots: int) -> set[int]:
    """Choose which requests hang: at most a third of them, so that most are quick in any run."""
    first = _next_after(instants, FIRST_HANG * seconds)
    second = _next_after(instants, SECOND_HANG * seconds)
    wanted = [first, *range(second, len(instants))][: slots + 1]
    return set(wanted[: max(1, len(instants) // 3)])


def _next_after(instants: list[float], instant: float) -> int:
    """Return the index of the first of the instants that is not before `instant`, else the last."""
    return next((i for i, at in enumerate(instants) if at >= instant), len(instants) - 1)
