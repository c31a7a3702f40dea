"""Random numbers that are the same on every Python.

Law: of a generator only `random()` is used, whose sequence Python promises never to change; the
shapes of the distributions are made from it here.
"""

from __future__ import annotations

import math
from random import Random


def stream(seed: int, purpose: str) -> Random:
    """Return a generator of its own for a purpose, so that drawing more for one shifts no other."""
    return Random(f"{seed} {purpose}")  # noqa: S311 - a model, not a secret


def exponential(random: Random) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(1.0 - random.random())


def normal(random: Random) -> float:
    """Return a standard normal number (Box and Muller's method)."""
    return math.sqrt(2 * exponential(random)) * math.cos(2 * math.pi * random.random())
