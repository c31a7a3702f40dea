"""How long a request may wait: what comes of every choice between nothing and all of its budget."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from docs.plots.page import markdown
from docs.plots.runs import BUDGET, EXPONENTIAL, WORK, Rule, Scale, ages_at_start, scenario, serve
from docs.plots.style import Draw, Theme, label, plain, title
from timeouts import LIFO, GatewayTimeout
from timeouts.sim import Constant, Service

LIMITS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
LOADS = (1.1, 2.0, 5.0)
OFFSETS = {1.1: 0, 2.0: 6, 5.0: -4}
"""Points by which the labels of lines that end at one place are moved apart."""
SERVICES: dict[str, Service] = {"constant work": Constant(WORK), "exponential work": EXPONENTIAL}
AUTO = Rule("learned", lambda: GatewayTimeout(BUDGET, reserve="auto"))
ORDERS = (
    Rule("limit = deadline", lambda: GatewayTimeout(BUDGET, reserve=0)),
    AUTO,
    Rule("newest first", lambda: GatewayTimeout(BUDGET, reserve=0), LIFO),
)


def _waiting_at_most(seconds: float) -> Rule:
    return Rule(f"{seconds:g} s", lambda: GatewayTimeout(BUDGET, reserve=BUDGET - seconds))


@dataclass
class Found:
    """What came of it.

    Attributes:
        lines: by service and load, pairs of a limit and the goodput as a share of what is possible.
        learned: by service and load, such a pair: where the learned reserve lies, and what it brings.
        ages: by rule, the ages at which requests started under twice the load.
    """

    lines: dict[tuple[str, float], list[tuple[float, float]]]
    learned: dict[tuple[str, float], tuple[float, float]]
    ages: dict[str, list[float]]


def run(scale: Scale) -> Found:
    """Try every limit at every load, and the learned one."""
    found = Found({}, {}, {})
    for name, service in SERVICES.items():
        for load in LOADS:
            asked = scenario(load, scale, service=service, seconds=60)
            found.lines[name, load] = [
                (limit, serve(asked, _waiting_at_most(limit)).efficiency)
                for limit in scale.chosen(LIMITS)
            ]
            auto = serve(asked, AUTO)  # who is told no is mostly told so in the queue
            found.learned[name, load] = (auto.told_p50 or BUDGET, auto.efficiency)
    asked = scenario(2.0, scale)
    found.ages = {rule.name: ages_at_start(asked, rule) for rule in ORDERS}
    return found


def table(found: Found) -> str:
    """Tell the best limit, the deadline, and the learned one."""
    heading = ("", "load", "limit = deadline", "half of it", "best limit", "learned limit")
    rows = []
    for (name, load), line in found.lines.items():
        shares = dict(line)
        limit, share = found.learned[name, load]
        best = max(shares, key=lambda each: shares[each])
        half = f"{shares[0.5]:.0%}" if 0.5 in shares else "-"
        rows.append(
            (
                name,
                f"{load:g}x",
                f"{shares[BUDGET]:.0%}",
                half,
                f"{shares[best]:.0%} at {best:g} s",
                f"{share:.0%} at {limit:.2f} s",
            )
        )
    return markdown(heading, rows)


def cliff(found: Found) -> Draw:
    """Draw goodput against the limit."""

    def draw(figure: Figure, theme: Theme) -> None:
        title(figure, "Any queue limit is good, except one close to the deadline")
        colours = dict(zip(LOADS, (theme.blue, theme.green, theme.orange), strict=True))
        styles = dict(zip(LOADS, ("-", "--", ":"), strict=True))
        for axes, name in zip(figure.subplots(1, 2, sharey=True), SERVICES, strict=True):
            for load, colour in colours.items():
                line = found.lines[name, load]
                axes.plot(*zip(*line, strict=True), color=colour, linestyle=styles[load], lw=1.8)
                label(axes, line[-1], f"{load:g}x", colour, xytext=(6, OFFSETS[load]))
                at = found.learned[name, load]
                axes.plot(*at, "D", color=colour, markersize=6, markeredgecolor=theme.ink)
            plain(axes, theme, "queue limit, seconds; the deadline is 1 s", "", name)
            axes.set_xlim(0, 1.12)
            axes.set_ylim(0, 1.08)
            axes.axvline(BUDGET, color=theme.grey, linewidth=0.8)
            axes.yaxis.set_major_formatter("{x:.0%}")
        first = figure.axes[0]
        first.set_ylabel("goodput, of what is possible")
        first.text(0.04, 0.08, "◆  where the learned reserve puts it\n1.1x, 2x, 5x: the load")

    return draw


def ages(found: Found) -> Draw:
    """Draw the distribution of ages at the start."""

    def draw(figure: Figure, theme: Theme) -> None:
        title(figure, "With limit = deadline a worker takes each request when it is too late")
        axes = figure.subplots()
        colours = (theme.orange, theme.blue, theme.green)
        for colour, (name, told) in zip(colours, found.ages.items(), strict=True):
            steps = [told[round(step / 100 * (len(told) - 1))] for step in range(101)]
            axes.plot(steps, [step / 100 for step in range(101)], color=colour, lw=1.8)
            text = f"{name}: half of them older than {steps[50]:.2f} s"
            label(axes, (1.04, 0.2 + 0.3 * colours.index(colour)), text, colour)
        plain(axes, theme, "age when a worker takes it, seconds", "share of those taken")
        axes.set_xlim(0, 1.02)
        axes.yaxis.set_major_formatter("{x:.0%}")

    return draw
