"""What a server is run under: the part of its configuration that a simulation can judge."""

from __future__ import annotations

from typing import NamedTuple

from timeouts.stack import Stack


class Rule(NamedTuple):
    """Limits, an order of the queue, who is let in, and slots.

    Attributes:
        limits: the policies.
        discipline: the name of the order.
        admission: the name of the rule for who is let in.
        slots: how many may run at once.
    """

    limits: Stack
    discipline: str
    admission: str
    slots: int

    def __str__(self) -> str:
        """Write it in a line."""
        return f"{self.limits!r}, {self.discipline}, admission {self.admission}"
