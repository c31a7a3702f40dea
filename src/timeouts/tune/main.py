"""What `timeouts tune` does, once its options are read."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from timeouts.tune.arena import Arena
from timeouts.tune.document import document
from timeouts.tune.finding import Finding, find
from timeouts.tune.plan import Plan, Said, plan


def run(said: Said) -> None:
    """Tune, print and write. What makes no sense is one line, not a traceback."""
    try:
        chosen = plan(said)
    except (TypeError, ValueError) as wrong:
        sys.exit(f"timeouts: {wrong}")
    finding = _watched(chosen)
    text = document(finding, chosen.name, chosen.workers)
    sys.stdout.write(text)  # not by rich, which would wrap and colour what is to be a file
    if chosen.write is not None:
        _write(chosen.write, text, finding)


def _write(file: Path, text: str, finding: Finding) -> None:
    if not finding.gains:
        sys.stderr.write(f"nothing is to be changed, and {file} was not written\n")
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as why:
        sys.exit(f"timeouts: --write: {file} cannot be written: {why.strerror}")
    sys.stderr.write(f"written into {file}\n")


def _watched(chosen: Plan) -> Finding:
    """Show on stderr how far the search is; stdout is for what it finds."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    hidden = not console.is_terminal  # or a log would have an empty line
    progress = Progress(*columns, console=console, transient=True, disable=hidden)
    task = progress.add_task("searching", total=None)

    def told(count: int) -> None:
        progress.update(task, description=f"{count} settings simulated")

    # In this order: a thread that runs already, as the bar's does, would take the Ctrl-C that is put off.
    with Arena(chosen.task, chosen.processes, told) as arena, progress:
        return find(arena)
