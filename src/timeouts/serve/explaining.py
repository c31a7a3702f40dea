"""`timeouts explain`: which limits and options are in force, and from where each of them comes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from timeouts.adapters.classes import Classes
from timeouts.estimate import COLD
from timeouts.explain import ENDPOINTS
from timeouts.serve.heeded import unheeded
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
        yield from (f"  {lesson}" for lesson in _lessons(served))
        yield from (f"  {note}" for note in notes(served, plan.classes))
        yield from _laid_out(_options(served.options))
        yield ""
    yield "the server"
    yield from _laid_out(_options(plan.options))
    yield from _read(plan)


def _lessons(served: Served) -> Iterator[str]:
    """Yield what the limits that learn begin with."""
    unstoppable = served.kind.stop_mode == "abandon"
    advice = replace(COLD, recovery=math.inf) if unstoppable else COLD
    for policy, lesson in served.limits.explain(advice).learned:
        yield f"learned: {policy!r}: {lesson}"


def _read(plan: Plan) -> Iterator[str]:
    """Yield what is read from the headers of a request."""
    classes = plan.classes
    if plan.budgets.names:
        yield f"  budgets are read from {', '.join(plan.budgets.names)}"
    if classes.tenant is not None:
        yield f"  the tenant is read from {classes.tenant}"
    if classes.priority is not None:
        levels = ", ".join(f"{name} {value:g}" for name, value in classes.levels.items())
        yield f"  the priority is read from {classes.priority}: {levels}; else {classes.default}"


def _limits(served: Served) -> Iterator[Row]:
    for policy, source in served.policies:
        interval = policy.interval
        yield repr(policy), f"bounds the {interval} ({ENDPOINTS[interval]})", source


def notes(served: Served, classes: Classes) -> Iterator[str]:
    """Yield what is wrong with the limits, or missing, and which headers change nothing."""
    _, useless, unreached, unbounded, _ = served.limits.explain()
    yield from (f"useless: {reason}" for _, reason in useless)
    yield from (f"never reached: {reason}" for _, reason in unreached)
    yield from (f"unbounded: the {stage} ({ENDPOINTS[stage]})" for stage in unbounded)
    yield from unheeded(classes, served.options["discipline"].value)


def _options(options: Mapping[str, Chosen]) -> Iterator[Row]:
    for option, (value, source) in options.items():
        written = getattr(value, "__name__", str(value))  # a discipline may be a class of one's own
        yield option, "unlimited" if value == math.inf else written, source


def _laid_out(rows: Iterable[Row]) -> Iterator[str]:
    table = list(rows)
    first, second = (max((len(row[at]) for row in table), default=0) for at in (0, 1))
    for name, value, source in table:
        yield f"  {name:<{first}}  {value:<{second}}  {source}"
