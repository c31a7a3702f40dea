"""Goodput by load: what a server still answers when more is asked of it than it can do."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from docs.plots.page import markdown
from docs.plots.runs import BUDGET, CALLER, CAPABLE, Rule, Scale, scenario, serve
from docs.plots.style import Draw, Theme, label, plain, title
from goodput.peers import AtDequeue
from timeouts import LIFO, EarliestDeadlineFirst, GatewayTimeout
from timeouts.sim import Client

LOADS = (0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
TOLD = (0.8, 1.1, 2.0, 5.0, 10.0)
UNNOTICED = Client(budget=CALLER.budget, at_deadline="stays")
AT_DEQUEUE = Rule("limit = deadline, checked at dequeue", lambda: AtDequeue(BUDGET))
RULES = (
    AT_DEQUEUE,
    Rule("limit = deadline, on time", lambda: GatewayTimeout(BUDGET, reserve=0)),
    Rule("newest first", lambda: GatewayTimeout(BUDGET, reserve=0), LIFO),
    Rule(
        "learned reserve",
        lambda: GatewayTimeout(BUDGET, reserve="auto"),
        EarliestDeadlineFirst,
    ),
)


@dataclass
class Found:
    """Answers in time per second, by rule and load, and the most that is possible."""

    lines: dict[str, list[tuple[float, float]]]
    limit: list[tuple[float, float]]


def run(scale: Scale) -> Found:
    """Serve every load by every rule."""
    loads, lines = scale.chosen(LOADS), dict[str, list[tuple[float, float]]]()
    limit = list[tuple[float, float]]()
    for rule in RULES:
        clients = UNNOTICED if rule is AT_DEQUEUE else CALLER
        reports = [serve(scenario(load, scale, clients=clients), rule) for load in loads]
        pairs = list(zip(loads, reports, strict=True))
        lines[rule.name] = [(load, report.goodput) for load, report in pairs]
        limit = [(load, report.limit.goodput) for load, report in pairs]
    return Found(lines, limit)


def table(found: Found) -> str:
    """Tell goodput in % of what is possible."""
    most = dict(found.limit)
    loads = [load for load in TOLD if load in most]
    rows = [
        (name, *(f"{dict(line)[load] / most[load]:.0%}" for load in loads))
        for name, line in found.lines.items()
    ]
    return markdown(("of what is possible", *(f"{load:g}x" for load in loads)), rows)


def draw(found: Found) -> Draw:
    """Draw them all."""

    def drawn(figure: Figure, theme: Theme) -> None:
        title(figure, "Under overload one rule answers nobody, and another everybody it can")
        axes = figure.subplots()
        axes.plot(*zip(*found.limit, strict=True), color=theme.grey, lw=5, alpha=0.45)
        label(axes, found.limit[-1], "what is possible", theme.grey, xytext=(6, 14))
        looks = (
            (theme.orange, ":", (6, 9)),
            (theme.orange, "-", (6, -4)),
            (theme.green, "--", (6, 2)),
            (theme.blue, "-", (6, -10)),
        )
        for (colour, style, offset), (name, line) in zip(looks, found.lines.items(), strict=True):
            axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, lw=1.8)
            label(axes, line[-1], name, colour, xytext=offset)
        axes.set_xscale("log")
        axes.set_xticks(ticks := [0.5, 1, 2, 5, 10], [f"{tick:g}x" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(0, CAPABLE * 1.12)
        plain(axes, theme, "offered load", "answers in time per second")

    return drawn
