"""`timeouts explain`: which limits and options are in force, and from where each of them comes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from timeouts.explain import ENDPOINTS
from timeouts.serve.limits import Chosen
from timeouts.serve.plan import Plan, Served

Row = tuple[str, str, str]


def explanation(plan: Plan) -> str:
    """Lay a plan out as lines of text."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for served in plan.routes:
        yield f"POST {served.path} calls {served.target.name}"
        yield from _laid_out(_limits(served))
        yield from (f"  {note}" for note in notes(served))
        yield from _laid_out(_options(served.options))
        yield ""
    yield "the server"
    yield from _laid_out(_options(plan.options))
    if plan.budgets.names:
        yield f"  budgets are read from {', '.join(plan.budgets.names)}"


def _limits(served: Served) -> Iterator[Row]:
    for policy, source in served.policies:
        interval = policy.interval
        yield repr(policy), f"bounds the {interval} ({ENDPOINTS[interval]})", source


def notes(served: Served) -> Iterator[str]:
    """Yield what is wrong with the limits, or missing."""
    _, useless, unreached, unbounded = served.limits.explain()
    yield from (f"useless: {reason}" for _, reason in useless)
    yield from (f"never reached: {reason}" for _, reason in unreached)
    yield from (f"unbounded: the {stage} ({ENDPOINTS[stage]})" for stage in unbounded)


def _options(options: Mapping[str, Chosen]) -> Iterator[Row]:
    for option, (value, source) in options.items():
        yield option, "unlimited" if value == math.inf else str(value), source


def _laid_out(rows: Iterable[Row]) -> Iterator[str]:
    table = list(rows)
    first, second = (max((len(row[at]) for row in table), default=0) for at in (0, 1))
    for name, value, source in table:
        yield f"  {name:<{first}}  {value:<{second}}  {source}"
