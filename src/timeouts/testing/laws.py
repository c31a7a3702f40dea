"""The laws that a stranger's policy or discipline is held to, like ours."""

from __future__ import annotations

from timeouts.testing.discipline_laws import check_discipline
from timeouts.testing.policy_laws import check_policy

__all__ = ["check_discipline", "check_policy"]
