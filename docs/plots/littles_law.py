"""Little's law: how many wait, beside how many come and how long each waits."""

from __future__ import annotations

from docs.plots.page import markdown
from docs.plots.runs import BUDGET, CAPABLE, Rule, Scale, scenario, serve
from timeouts import GatewayTimeout
from timeouts.sim import Report

LOADS = (0.8, 0.95, 1.1, 2.0, 5.0)
AUTO = Rule("learned reserve", lambda: GatewayTimeout(BUDGET, reserve="auto"))

Found = list[tuple[float, Report]]


def run(scale: Scale) -> Found:
    """Serve each load."""
    return [(load, serve(scenario(load, scale), AUTO)) for load in LOADS]


def table(found: Found) -> str:
    """Tell how many waited, counted and computed."""
    heading = (
        "load",
        "arrivals/s, λ",
        "mean wait, W",
        "λW",
        "waiting, counted",
        f"queue that {CAPABLE:.0f}/s work off in the time to wait",
    )
    return markdown(heading, [_row(load, report) for load, report in found])


def _row(load: float, report: Report) -> tuple[str, ...]:
    rate = report.attempts / report.duration
    bears = "-" if load < 1 or report.told_p50 is None else f"{CAPABLE * report.told_p50:.1f}"
    return (
        f"{load:g}x",
        f"{rate:.1f}",
        f"{report.mean_wait:.3f} s",
        f"{rate * report.mean_wait:.1f}",
        f"{report.mean_queue:.1f}",
        bears,
    )
