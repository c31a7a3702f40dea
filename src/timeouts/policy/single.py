"""What the policies with one number share: the number, and how they show it."""

from __future__ import annotations

from timeouts.deadline import Timeout, written
from timeouts.policy.base import Policy, policy


@policy
class SingleTimeout(Policy):
    """A policy whose whole configuration is one duration."""

    timeout: Timeout

    def __repr__(self) -> str:
        """Show what was written."""
        return f"{type(self).__name__}({written(self.timeout)})"
