"""Rules in order, outermost first. Composition is a minimum, not a nest.

Laws:
- The earliest deadline wins; on a tie the innermost rule is blamed.
- `|` is associative and `Stack()` is its identity.
- Reordering a stack changes no instant, only the blame on a tie.
- A longer timeout never ends a job earlier.
"""

from __future__ import annotations

import math
import warnings
from functools import cached_property

from timeouts.callsite import stacklevel_of_user
from timeouts.errors import TimeoutsError
from timeouts.job import WAITING, Job
from timeouts.policy.base import Composable, Policy
from timeouts.policy.broken import Broken
from timeouts.policy.budget import BUDGET

_OUTERMOST: Policy = BUDGET


class UselessPolicyWarning(UserWarning):
    """A policy of a stack can never end anything earlier than another does."""


class Stack(Composable):
    """An immutable, hashable sequence of policies, at most one of each kind.

    Args:
        *policies: outermost first. The order decides only who is blamed on a tie.

    Raises:
        TypeError: an element is no policy, or its `error` is no `TimeoutsError`.
        ValueError: two policies are of one kind.

    Warns:
        UselessPolicyWarning: a policy can never fire before another of the same stack does.
    """

    def __init__(self, *policies: Policy) -> None:
        for policy in policies:
            _check(policy)
        _refuse_twins(policies)
        self._policies = policies
        self._deadlines = tuple((policy, policy.deadline) for policy in policies)
        for _, reason in self.explain().useless:
            warnings.warn(reason, UselessPolicyWarning, stacklevel=stacklevel_of_user())

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The rules, outermost first."""
        return self._policies

    def limit(self, job: Job) -> tuple[float, Policy]:
        """Return the tightest deadline of the job's present phase and the policy that set it.

        The caller's own budget counts as the outermost rule.
        """
        instant, blamed = job.deadline, _OUTERMOST
        policy = blamed
        try:
            for policy, deadline_of in self._deadlines:
                deadline = deadline_of(job)
                if deadline <= instant:
                    instant, blamed = deadline, policy
                elif not deadline > instant:
                    return _broken(policy, ValueError(f"no instant: {deadline!r}"))
        except Exception as failure:  # noqa: BLE001 - it is a stranger's code
            return _broken(policy, failure)
        return instant, blamed

    @cached_property
    def patience(self) -> float:
        """How many seconds a job without a budget of its own may wait, as far as its rules can tell."""
        newcomer = Job(None)
        newcomer.arrived, newcomer.phase = 0.0, WAITING
        instant, _ = self.limit(newcomer)
        return math.inf if instant == -math.inf else instant  # a rule may need more than a bare job

    def soft_limit(self, job: Job) -> tuple[float, Policy | None]:
        """Return the earliest soft limit of a running job and the policy that set it."""
        soft = [(p.soft_deadline(job), p) for p in self._policies]
        return min(soft, key=lambda pair: pair[0], default=(math.inf, None))

    def __eq__(self, other: object) -> bool:
        """Stacks of equal policies in the same order are equal."""
        return self._policies == other._policies if isinstance(other, Stack) else NotImplemented

    def __hash__(self) -> int:
        """Hash by the policies."""
        return hash(self._policies)

    def __repr__(self) -> str:
        """Show the stack as it is written in code."""
        return " | ".join(map(repr, self._policies)) or "Stack()"


def _broken(policy: Policy, failure: Exception) -> tuple[float, Policy]:
    return -math.inf, Broken(policy, failure)


def _check(policy: object) -> None:
    if not isinstance(policy, Policy):
        hint = "; write an instance, not the class" if isinstance(policy, type) else ""
        raise TypeError(f"a stack takes policies; got {policy!r}{hint}")
    error: object = policy.error
    if not (isinstance(error, type) and issubclass(error, TimeoutsError)):
        raise TypeError(
            f"{type(policy).__name__}.error must be a subclass of TimeoutsError; got {policy.error!r}"
        )


def _refuse_twins(policies: tuple[Policy, ...]) -> None:
    seen: dict[type[Policy], Policy] = {}
    for policy in policies:
        twin = seen.get(type(policy))
        if twin is not None:
            raise ValueError(
                f"a stack takes one policy of each kind; got {twin!r} and {policy!r}: keep the shorter"
            )
        seen[type(policy)] = policy
