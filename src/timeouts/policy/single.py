"""What the policies with one number share: the number, and how they show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timeouts.deadline import Seconds, Timeout, written
from timeouts.policy.base import Policy, policy


@policy
class SingleTimeout(Policy):
    """A policy whose whole configuration is one duration."""

    timeout: Timeout

    if TYPE_CHECKING:  # what is taken is wider than what is kept

        def __init__(self, timeout: Seconds) -> None: ...

    def __repr__(self) -> str:
        """Show what was written."""
        return f"{type(self).__name__}({written(self.timeout)})"
