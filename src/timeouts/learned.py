"""What has been learned of a handler, in words: for each policy with a number that is learned, its number and the reason.

Law: what is said follows from the policy and the advice alone, so it is what a job is under that comes now.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from timeouts.deadline import AUTO, spoken, written
from timeouts.estimate.advice import COLD_SHARE, ENOUGH, MOST, Advice
from timeouts.policy.base import Policy

SOME_BUDGET = 30.0
"""Seconds, to speak of where a policy names no budget of its own."""
_ROUNDING = 1e-9


def lessons(
    policies: Sequence[Policy], advice: Advice, executions: int | None = None
) -> Iterator[tuple[Policy, str]]:
    """Yield what each policy that learns has learned.

    Args:
        policies: outermost first.
        advice: what is advised at present.
        executions: how many there have been, where that is known.
    """
    progress = _progress(advice, executions)
    for policy in policies:
        if getattr(policy, "reserve", None) == AUTO:
            yield policy, _reserve(policy, advice, progress)
        if getattr(policy, "timeout", None) == AUTO:
            yield policy, _limit(policy, advice, progress)


def _progress(advice: Advice, executions: int | None) -> str:
    """Say what the numbers are made of, or what is missing for them."""
    if advice.count:
        return f"learned from {advice.count:,} executions"
    if executions is not None and executions >= ENOUGH:
        return f"until some end by themselves ({executions:,} executions so far, nearly all stopped or failed)"
    so_far = "" if executions is None else f" ({executions} so far)"
    return f"until there have been {ENOUGH} executions{so_far}"


def _reserve(policy: Any, advice: Advice, progress: str) -> str:
    bounded = policy.timeout < math.inf
    budget = policy.timeout if bounded else SOME_BUDGET
    keeps = advice.reserve(budget)
    of = written(budget) if bounded else f"a budget of {written(budget)}"
    waits = f"a job that waits expires after {spoken(budget - keeps)} of {of} s"
    return f"{waits}: {_kept(budget, keeps, advice)}, {progress}"


def _kept(budget: float, keeps: float, advice: Advice) -> str:
    kept = f"{spoken(keeps)} s are kept for the work"
    if not keeps:
        return "nothing is kept for the work before the first execution, then twice the longest and at most half"
    if not advice.count:
        half = keeps >= COLD_SHARE * budget * (1 - _ROUNDING)
        return "half is kept for the work" if half else f"{kept}, twice the longest execution"
    if keeps >= MOST * budget * (1 - _ROUNDING):
        return f"the work may need more than {spoken(keeps)} s, and no more than {100 * MOST:.0f} % is kept"
    if budget < advice.budgets[0]:
        return "half is kept, since no execution has been that short"
    return kept


def _limit(policy: Any, advice: Advice, progress: str) -> str:
    learned = advice.execution
    limit = min(max(learned, policy.at_least), policy.at_most)
    bound = "" if limit == learned else " by at_least" if limit > learned else " by at_most"
    instead = f" instead of {spoken(learned)} s" if bound and learned < math.inf else ""
    allowed = "any time" if limit == math.inf else f"{spoken(limit)} s"
    return f"work may take {allowed}{bound}{instead}: {_reason(advice, progress)}"


def _reason(advice: Advice, progress: str) -> str:
    if advice.recovery == math.inf:
        return "it cannot be stopped, so there is nothing to learn"
    if advice.execution == math.inf:
        return f"the longest has ended by itself, {progress}" if advice.count else progress
    if advice.raised:
        return f"raised, since nearly all in a row were stopped or took far longer than before, {progress}"
    if not advice.count:
        return f"as before executions changed, {progress}"
    cost = f"takes {spoken(advice.recovery)} s" if advice.recovery else "takes no time"
    return f"to wait longer costs more than a stop, which {cost}, {progress}"
