"""The laws of `timeouts.policy`, for anybody's policy.

Each message begins with the law that is broken:

- answers a number: an instant or `math.inf`; never nan, never an exception.
- is pure: the same answer for the same job, however often and whatever else was asked in between.
- only reads: nothing is written on the job.
- is monotone: a longer timeout never gives an earlier deadline.
- composes: in a stack it is one side of a minimum, and blamed when it is the tightest.
- tells: its error can be raised, and says something.

A job that is WAITING or RUNNING is what a policy is asked about; no other phase has a deadline.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timeouts.errors import TimeoutsError
from timeouts.job import RUNNING, WAITING, Job
from timeouts.policy import BUDGET, ExecutionTimeout, GatewayTimeout, Policy
from timeouts.stack import Stack, UselessPolicyWarning
from timeouts.testing.examples import copied, for_all, state, untouched, written
from timeouts.testing.extra import strategies as st
from timeouts.testing.strategies import durations, jobs

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Factory = Callable[[Any], Policy]


def check_policy(
    policy: Policy | Factory,
    *,
    timeouts: SearchStrategy[Any] | None = None,
    lives: SearchStrategy[Job] | None = None,
    examples: int = 100,
) -> None:
    """Hold a policy to the laws that the built-in ones obey.

    Args:
        policy: an instance; or, to check also that longer never means earlier, what makes one from
            a duration: the class itself, or a function of one argument.
        timeouts: the durations to make policies from; default whole seconds from 1 to 20.
        lives: the jobs to ask about; default any that wait or run.
        examples: how many examples to try.

    Cannot do: run inside a test that is itself under `@given`; Hypothesis refuses to nest.

    Raises:
        AssertionError: a law is broken; the message names it, the policy and the smallest job.
    """
    asked = jobs(WAITING, RUNNING) if lives is None else lives
    if isinstance(policy, Policy):
        for_all(st.tuples(asked, asked), examples, lambda case: _check(policy, *case))
        return
    if not callable(policy):
        raise TypeError(f"check_policy takes a policy or what makes one; got {policy!r}")
    span = durations(20) if timeouts is None else timeouts
    drawn = st.tuples(span, span, asked, asked)
    for_all(drawn, examples, lambda case: _check_factory(policy, *case))


def _check_factory(factory: Factory, one: Any, other: Any, job: Job, between: Job) -> None:
    shorter, longer = _made(factory, min(one, other)), _made(factory, max(one, other))
    _check(shorter, job, between)
    early, late = shorter.deadline(job), longer.deadline(job)
    if late < early:
        raise AssertionError(
            f"is monotone: a longer timeout never gives an earlier deadline, but {longer!r} "
            f"ends at {late:g} and {shorter!r} at {early:g}, for {written(job)}"
        )


def _made(factory: Factory, timeout: Any) -> Policy:
    policy = factory(timeout)
    if not isinstance(policy, Policy):
        raise AssertionError(  # noqa: TRY004
            f"composes: a policy is a subclass of timeouts.Policy; {timeout!r} made {policy!r}"
        )
    return policy


def _check(policy: Policy, job: Job, between: Job) -> None:
    for name in ("deadline", "since"):
        _check_answer(policy, name, job, between)
    _check_composes(policy, job)
    _check_tells(policy, job)


def _check_answer(policy: Policy, name: str, job: Job, between: Job) -> None:
    before, twin = state(job), copied(job)
    first = _asked(policy, name, job)
    untouched(before, job, "only reads", f"{policy!r}.{name}")
    _asked(policy, name, between)
    for again in (job, job, twin):
        answer = _asked(policy, name, again)
        if answer != first:
            raise AssertionError(
                f"is pure: the same job gets the same answer, but {policy!r}.{name} gave {first!r} "
                f"and then {answer!r} for {written(job)}"
            )


def _asked(policy: Policy, name: str, job: Job) -> float:
    try:
        answer = getattr(policy, name)(job)
    except Exception as error:
        raise AssertionError(
            f"answers a number: {policy!r}.{name} raised {error!r} for {written(job)}"
        ) from error
    number = isinstance(answer, (int, float)) and not isinstance(answer, bool)
    if not number or math.isnan(answer) or answer == -math.inf:
        raise AssertionError(
            f"answers a number: {policy!r}.{name} gave {answer!r} for {written(job)}; "
            "an instant is finite, or math.inf for no opinion"
        )
    return float(answer)


def _check_composes(policy: Policy, job: Job) -> None:
    try:
        hash(policy)
    except TypeError as error:
        raise AssertionError(f"composes: {policy!r} must be hashable; {error}") from error
    for stack in _stacks(policy):
        if not any(rule is policy for rule in stack.policies):
            raise AssertionError(
                f"composes: {policy!r} is put in a stack, but that holds {stack!r}"
            )
        instant, blamed = stack.limit(job)
        rules = [(rule.deadline(job), rule) for rule in (BUDGET, *stack.policies)]
        # Of equal ones min() takes the first, which seen from the inside is the innermost.
        earliest, innermost = min(reversed(rules), key=lambda rule: rule[0])
        if instant != earliest or blamed is not innermost:
            raise AssertionError(
                f"composes: {stack!r} should end at {earliest:g}, blaming {innermost!r}; "
                f"it ends at {instant:g}, blaming {blamed!r}, for {written(job)}"
            )


def _stacks(policy: Policy) -> list[Stack]:
    """Put the policy alone, outside and inside others."""
    others = [
        rule for rule in (GatewayTimeout(4), ExecutionTimeout(2)) if type(rule) is not type(policy)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UselessPolicyWarning)
        try:
            stacks = [policy | Stack(), Stack() | policy]
            stacks += [made for other in others for made in (policy | other, other | policy)]
        except (TypeError, ValueError) as error:
            raise AssertionError(f"composes: {policy!r} in a stack: {error}") from error
    return stacks


def _check_tells(policy: Policy, job: Job) -> None:
    try:
        error: object = policy.error(
            policy=policy, limit=1.0, elapsed=1.0, started=job.phase is RUNNING
        )
    except Exception as wrong:
        raise AssertionError(f"tells: {policy!r} cannot tell its error: {wrong!r}") from wrong
    if not isinstance(error, TimeoutsError) or not str(error):
        raise AssertionError(
            f"tells: {policy!r} gave {error!r}, which is no error that says anything"
        )
