"""Callers of three budgets under twice the load: whom each order serves.

A further discipline is a line in `RULES`.
"""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure

from docs.plots.page import markdown
from docs.plots.runs import Rule, Scale, scenario, serve
from docs.plots.style import Draw, Theme, plain, title
from timeouts import (
    FIFO,
    LIFO,
    AdaptiveLIFO,
    CoDel,
    EarliestDeadlineFirst,
    FairShare,
    GatewayTimeout,
    Priority,
)
from timeouts.sim import Client, Report

BUDGETS, LOAD = (0.3, 1.0, 3.0), 2.0
CLIENTS = tuple(Client(f"{budget:g} s", budget, "tells", priority=budget) for budget in BUDGETS)
CODEL: tuple[tuple[str, Any], ...] = (("admission", CoDel()),)


def _plain() -> GatewayTimeout:
    return GatewayTimeout(max(BUDGETS), reserve=0)


def _learned() -> GatewayTimeout:
    return GatewayTimeout(max(BUDGETS), reserve="auto")


RULES = (
    Rule("FIFO, no reserve", _plain, FIFO),
    Rule("FIFO", _learned, FIFO),
    Rule("EarliestDeadlineFirst, no reserve", _plain, EarliestDeadlineFirst),
    Rule("EarliestDeadlineFirst", _learned, EarliestDeadlineFirst),
    Rule("LIFO", _learned, LIFO),
    Rule("AdaptiveLIFO", _learned, AdaptiveLIFO),
    Rule("FairShare, a tenant each", _learned, FairShare),
    Rule("Priority, short budgets first", _learned, Priority),
    Rule("FIFO with CoDel", _learned, FIFO, CODEL),
)
ACROSS = 3

Found = dict[str, Report]


def run(scale: Scale) -> Found:
    """Serve them in each order."""
    asked = scenario(LOAD, scale, clients=CLIENTS, seconds=120)
    return {rule.name: serve(asked, rule) for rule in RULES}


def table(found: Found) -> str:
    """Tell the share of each class that was answered in time, and the goodput."""
    heading = ("", "of what is possible", *(f"{client.name} callers" for client in CLIENTS))
    rows = [
        (name, f"{report.efficiency:.0%}", *(f"{share:.0%}" for share in _shares(report)))
        for name, report in found.items()
    ]
    return markdown(heading, rows)


def _shares(report: Report) -> list[float]:
    return [report.clients[client.name].success for client in CLIENTS]


def draw(found: Found) -> Draw:
    """Draw a small plot for each order."""

    def drawn(figure: Figure, theme: Theme) -> None:
        title(figure, "At twice the load somebody goes without: the order says who")
        down = math.ceil(len(found) / ACROSS)
        grid = list(figure.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False).flat)
        for axes, (name, report) in zip(grid, found.items(), strict=False):
            shares = _shares(report)
            bars = axes.bar([client.name for client in CLIENTS], shares, color=theme.blue)
            axes.bar_label(bars, [f"{share:.0%}" for share in shares], fontsize=8.5, padding=2)
            plain(axes, theme, "", "", name)
            axes.set_ylim(0, 1.2)
            axes.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
        for axes in grid[len(found) :]:
            axes.set_visible(False)
        figure.supxlabel("budget of the callers", fontsize=9.5)
        figure.supylabel("answered in time", fontsize=9.5)

    return drawn
