"""What a stack means, in words: who bounds which interval, who never fires, what nothing bounds, what was learned.

A policy is useless if removing it would change no instant: another one's interval contains its own
and allows no more. Which intervals lie within which is a table, `WITHIN`.

A policy is never reached if the waiting time and the service time are each bounded and both together
allow no more than it does. That is no mistake but a safety net, which a change of the others may need.
Where it holds a reserve back, that must leave the wait more than the others allow; under a caller's own
shorter budget it may then still end a wait.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from timeouts.deadline import AUTO, written
from timeouts.estimate.advice import MOST, Advice
from timeouts.learned import lessons
from timeouts.policy.base import Interval, Policy

WITHIN: dict[Interval, frozenset[Interval]] = {
    Interval.WAITING: frozenset({Interval.SOJOURN, Interval.FIRST_ITEM}),
    Interval.SERVICE: frozenset({Interval.SOJOURN}),
    Interval.FIRST_ITEM: frozenset({Interval.SOJOURN}),
    Interval.IDLE: frozenset({Interval.SOJOURN, Interval.SERVICE}),
    Interval.SOJOURN: frozenset(),
    Interval.OWN: frozenset(),
}
ENDPOINTS: dict[Interval, str] = {
    Interval.WAITING: "arrival → a worker takes it",
    Interval.SERVICE: "a worker takes it → done",
    Interval.SOJOURN: "arrival → done",
    Interval.FIRST_ITEM: "arrival → first item",
    Interval.IDLE: "asked for an item → it is there",
    Interval.OWN: "as its own docstring says",
}
STAGES = (Interval.WAITING, Interval.SERVICE, Interval.SOJOURN)


class Explanation(NamedTuple):
    """What a stack means; print it for a table.

    Attributes:
        bounds: each policy with the interval it bounds, outermost first.
        useless: each policy that can never fire first, with the reason.
        unreached: each policy that two others, one after the other, leave nothing to end, with the reason;
            nothing but its reserve, where it has one and a caller brings a shorter budget.
        unbounded: those of the three stages that no policy bounds, directly or through another stage.
        learned: each policy with a number that is learned, with the number at present and the reason, where
            advice was given.
    """

    bounds: tuple[tuple[Policy, Interval], ...]
    useless: tuple[tuple[Policy, str], ...]
    unreached: tuple[tuple[Policy, str], ...]
    unbounded: tuple[Interval, ...]
    learned: tuple[tuple[Policy, str], ...] = ()

    def __str__(self) -> str:
        """Lay the explanation out as lines of text."""
        width = max((len(repr(policy)) for policy, _ in self.bounds), default=0)
        lines = [
            f"{policy!r:<{width}}  bounds the {interval} ({ENDPOINTS[interval]})"
            for policy, interval in self.bounds
        ]
        lines += [f"learned: {policy!r}: {lesson}" for policy, lesson in self.learned]
        lines += [f"useless: {reason}" for _, reason in self.useless]
        lines += [f"never reached: {reason}" for _, reason in self.unreached]
        lines += [f"unbounded: the {stage} ({ENDPOINTS[stage]})" for stage in self.unbounded]
        return "\n".join(lines)


def explain(
    policies: Sequence[Policy], advice: Advice | None = None, executions: int | None = None
) -> Explanation:
    """Explain policies, outermost first, and what was learned for them."""
    bounds = tuple((policy, policy.interval) for policy in policies)
    useless = tuple((p, reason) for p in policies if (reason := _useless(p, policies)))
    useful = [p for p in policies if not _useless(p, policies)]
    unreached = tuple((p, reason) for p in useful if (reason := _unreached(p, useful)))
    bounded = {p.interval for p in policies if _allows(p) < math.inf}
    unbounded = tuple(s for s in STAGES if s not in bounded and not _covered(s, bounded))
    learned = () if advice is None else tuple(lessons(policies, advice, executions))
    return Explanation(bounds, useless, unreached, unbounded, learned)


def _covered(stage: Interval, bounded: set[Interval]) -> bool:
    both_parts = (
        stage is Interval.SOJOURN
        and Interval.SERVICE in bounded
        and (Interval.WAITING in bounded or _covered(Interval.WAITING, bounded))
    )
    return both_parts or bool(WITHIN[stage] & bounded)


def _useless(policy: Policy, policies: Sequence[Policy]) -> str | None:
    for other in policies:
        if other.interval in WITHIN[policy.interval]:
            allowed = _allows(other, policy.interval)
            if allowed <= _at_least(policy) < math.inf:
                return (
                    f"{policy!r} can never end anything earlier than {other!r}, which allows "
                    f"{written(allowed)} s for the {policy.interval}: shorten it or leave it out"
                )
    return None


def _unreached(policy: Policy, policies: Sequence[Policy]) -> str | None:
    if policy.interval not in WITHIN[Interval.WAITING]:
        return None
    waiting = _tightest(Interval.WAITING, policy, policies)
    service = _tightest(Interval.SERVICE, policy, policies)
    if waiting is None or service is None:
        return None
    wait = _allows(waiting, Interval.WAITING)
    together = wait + _allows(service)
    allowed = _allows(policy)
    if not together <= allowed < math.inf or wait >= allowed - _reserve(policy):
        return None
    but = "; only under a caller's own shorter budget does its reserve end a wait"
    return (
        f"{policy!r}, because {waiting!r} and {service!r} together allow {written(together)} s"
        f"{but if _reserve(policy) else ''}"
    )


def _reserve(policy: Policy) -> float:
    """Return the most that a policy may hold back from a wait."""
    reserve: Any = getattr(policy, "reserve", 0.0)
    return MOST * _allows(policy) if reserve == AUTO else float(reserve)


def _tightest(interval: Interval, but: Policy, policies: Sequence[Policy]) -> Policy | None:
    bounding = [p for p in policies if p.interval is interval or p.interval in WITHIN[interval]]
    others = [policy for policy in bounding if policy is not but]
    return min(others, key=_allows, default=None)


def _at_least(policy: Policy) -> float:
    """Return the least that a policy may come to allow, where it is learned."""
    learned = getattr(policy, "timeout", math.inf) == AUTO
    return float(getattr(policy, "at_least", 0.0)) if learned else _allows(policy)


def _allows(policy: Policy, interval: Interval | None = None) -> float:
    """Return what a policy allows, less the reserve where it bounds a wait; infinite if unknown.

    A reserve that is learned may be next to nothing, a limit as long as it may get.
    """
    timeout: Any = getattr(policy, "timeout", math.inf)
    if timeout == AUTO:
        timeout = getattr(policy, "at_most", math.inf)
    reserve: object = getattr(policy, "reserve", 0.0)
    if interval is Interval.WAITING and isinstance(reserve, float):
        timeout -= reserve
    return float(timeout)
