"""What `timeouts simulate` does, once its options are read."""

from __future__ import annotations

import sys
from importlib import import_module

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from timeouts.sim.plan import Plan, Said, plan
from timeouts.sim.report import Report
from timeouts.sim.tables import tables

WIDE = 132


def run(said: Said) -> None:
    """Simulate, print and draw. What makes no sense is one line, not a traceback."""
    if said["plot"] is not None:
        import_module("matplotlib")  # it may be missing: better said now than after the work
    try:
        chosen = plan(said)
    except (TypeError, ValueError) as wrong:
        sys.exit(f"timeouts: {wrong}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, WIDE))
    reports = _watched(chosen, console)
    for table in tables(chosen, reports, console.width):
        console.print(table, crop=False)
    said_below = "times: p50 / p99, in seconds; gone: slots whose worker is killed"
    console.print(said_below, style="dim", highlight=False)
    if said["plot"] is not None:
        from timeouts.sim.plot import save

        save(said["plot"], reports)
        console.print(f"drawn into {said['plot']}")


def _watched(chosen: Plan, console: Console) -> list[tuple[float, Report]]:
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    hidden = not console.is_terminal  # or a file would begin with an empty line
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("simulating", total=len(chosen.scenarios))
        reports = list[tuple[float, Report]]()
        for load, report in chosen.run():
            reports.append((load, report))
            progress.update(task, advance=1, description=f"load {load:g} done")
    return reports
