"""A spike of ten seconds, and clients that ask again: the overload that stays when its cause has gone."""

from __future__ import annotations

from matplotlib.figure import Figure

from docs.plots.page import markdown
from docs.plots.runs import BUDGET, CAPABLE, Rule, Scale, scenario, serve
from docs.plots.style import Draw, Theme, label, plain, title
from timeouts import EarliestDeadlineFirst, GatewayTimeout
from timeouts.sim import Bursts, Client, Retry

SECONDS, SHOWN, SPIKE = 130.0, 120.0, (20.0, 30.0)
"""At the very end nobody comes any more, so that the last ones find a server that is free: that is not shown."""
USUAL, MOST = 0.8, 5.0
STUBBORN = Client(budget=BUDGET, retry=Retry(attempts=4, backoff=0.1))
RULES = (
    Rule("limit = deadline", lambda: GatewayTimeout(BUDGET, reserve=0)),
    Rule(
        "learned reserve",
        lambda: GatewayTimeout(BUDGET, reserve="auto"),
        EarliestDeadlineFirst,
    ),
)

Line = list[tuple[float, float]]
Found = dict[str, Line]
"""By rule, pairs of an instant and the share that was answered in time of those who came then."""


def run(scale: Scale) -> Found:
    """Let the spike come."""
    begin, end = (instant * scale.time for instant in SPIKE)
    rates = ((0, USUAL * CAPABLE), (begin, MOST * CAPABLE), (end, USUAL * CAPABLE))
    asked = scenario(Bursts(rates), scale, clients=STUBBORN, seconds=SECONDS)
    return {rule.name: _line(serve(asked, rule).timeline) for rule in RULES}


def _line(timeline: tuple[tuple[int, int], ...]) -> Line:
    step = SECONDS / len(timeline)
    return [
        ((part + 0.5) * step, answered / came)
        for part, (came, answered) in enumerate(timeline)
        if came and (part + 1) * step <= SHOWN
    ]


def table(found: Found) -> str:
    """Tell how many were answered before, in the spike, and later."""
    spans = ((0.0, SPIKE[0]), SPIKE, (SPIKE[1], SPIKE[1] + 10), (SHOWN - 30, SHOWN))
    heading = ("answered in time", "before", "in the spike", "10 s after it", "the last 30 s")
    rows = [(name, *(_mean(line, *span) for span in spans)) for name, line in found.items()]
    return markdown(heading, rows)


def _mean(line: Line, since: float, until: float) -> str:
    shares = [share for now, share in line if since <= now < until]
    return f"{sum(shares) / len(shares):.0%}" if shares else "-"


def draw(found: Found) -> Draw:
    """Draw the course of both."""

    def drawn(figure: Figure, theme: Theme) -> None:
        title(figure, "After a spike of ten seconds, retries keep one of the two down for good")
        axes = figure.subplots()
        axes.axvspan(*SPIKE, color=theme.faint, alpha=0.6, linewidth=0)
        axes.text(sum(SPIKE) / 2, 1.04, f"spike: {MOST:g}x", ha="center", color=theme.ink)
        looks = ((theme.orange, "-"), (theme.blue, "--"))
        for (colour, style), (name, line) in zip(looks, found.items(), strict=True):
            axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, lw=1.8)
            label(axes, line[-1], name, colour)
        axes.set_ylim(0, 1.14)
        axes.set_xlim(0, SHOWN)
        axes.yaxis.set_major_formatter("{x:.0%}")
        plain(axes, theme, f"seconds; before and after the load is {USUAL:g}x", "answered in time")

    return drawn
