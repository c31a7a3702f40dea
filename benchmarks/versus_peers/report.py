"""The results as plain text, as Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from versus_peers.bars import BARS, OURS, TITLES, Title
from versus_peers.peers import PEERS
from versus_peers.results import Cell, Results
from versus_peers.rows import NOTHING_LEFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = "versus-peers.svg"
COLOURS = {"timeouts": "#1f6f8b", "floor": "#b8bec6"}
OTHERS = "#e0a458"


def header(results: Results) -> str:
    """Say what was measured on what."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return f"{results.machine}; {versions}"


def table(results: Results, row: str) -> str:
    """Return a row of the comparison as a table of its own, a line per peer."""
    title, peers = TITLES[row], _peers(results, row)
    width = max(map(len, peers), default=0)
    lines = [f"{title.long} ({title.unit})"]
    late = f"  {'p99':>8}" if row == "told" else ""
    versus = f"to {title.base}"
    lines.append(f"{'':{width}}  {'median':>8}{late}  {'min-max':>17}  {versus:>14}")
    for peer in peers:
        cell = results.cell(row, peer)
        if not cell.known:
            lines.append(f"{peer:{width}}  {PEERS[peer].cannot.get(row) or cell.note}")
            continue
        p99 = f"  {_short(cell.p99):>8}" if late else ""
        times = results.ratio(row, peer, title.base)
        ratio = "" if times is None else f"{times:.3g}x"
        figures = f"{_short(median(cell.known)):>8}{p99}  {_span(cell):>17}  {ratio:>14}"
        lines.append(f"{peer:{width}}  {figures}  {cell.note}".rstrip())
    return "\n".join(lines) + "\n"


def bars(results: Results) -> str:
    """Return every bar, what was measured, and whether it was kept, as plain text."""
    lines = [
        f"{row:12} {bar:28} {measured:24} {verdict}"
        for row, bar, measured, verdict in _bars(results)
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def markdown(results: Results) -> str:
    """Return the bars, a table with a line per peer and a column per row, and where the picture is."""
    rows = [row for row in TITLES if row in results.table]
    parts = ["| | bar | measured | |", "|---|---|---|---|"]
    parts += [f"| {' | '.join(line)} |" for line in _bars(results)]
    parts += ["", f"| | stops | {' | '.join(_heading(TITLES[row]) for row in rows)} |"]
    parts += ["|---" * (len(rows) + 2) + "|"]
    seen = {peer for row in rows for peer in results.table[row]}
    for name, peer in PEERS.items():
        if name in seen:
            stops = "" if name.startswith("floor") else peer.stops or "nothing"
            cells = " | ".join(_cell(results, row, name) for row in rows)
            parts.append(f"| {name} | {stops} | {cells} |")
    seen_as = "the same figures as a picture: a panel for each column, a line for each peer"
    return "\n".join([*parts, "", f"{header(results)}.", "", f"![{seen_as}]({PICTURE})"]) + "\n"


def draw(results: Results, file: Path) -> None:
    """Draw a panel per row, the best at the top, on logarithmic scales."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "versus-peers"  # the same picture for the same figures
    from matplotlib import pyplot as plt

    rows = [row for row in TITLES if row in results.table]
    lines = (len(rows) + 1) // 2
    figure, axes = plt.subplots(lines, 2, figsize=(12, 3.9 * lines), squeeze=False)
    for panel, row in zip(axes.flat, rows, strict=False):
        _panel(panel, results, row)
    for panel in axes.flat[len(rows) :]:
        panel.set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _panel(panel: Axes, results: Results, row: str) -> None:
    title = TITLES[row]
    cells = {peer: results.cell(row, peer) for peer in _peers(results, row)}
    middles = {peer: median(cell.known) for peer, cell in cells.items() if cell.known}
    shown = [peer for peer, middle in middles.items() if middle > 0]
    shown.sort(key=lambda peer: middles[peer], reverse=not title.more_is_better)
    for height, peer in enumerate(shown):
        rounds, colour = cells[peer].known, _colour(peer)
        panel.plot((min(rounds), max(rounds)), (height, height), color=colour, lw=5, alpha=0.4)
        panel.plot(middles[peer], height, "o", color=colour, ms=9)
        panel.annotate(
            _short(middles[peer]),
            (max(rounds), height),
            (9, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    panel.set_yticks(range(len(shown)), shown, fontsize=9)
    panel.set_xscale("log")
    panel.margins(x=0.15, y=0.08)
    panel.xaxis.set_major_formatter(lambda value, _: _short(value))
    panel.xaxis.set_minor_formatter(lambda _, __: "")
    panel.grid(axis="y", alpha=0.3)
    better = "right" if title.more_is_better else "left"
    panel.set_title(f"{title.long} ({title.unit}); better: {better}", fontsize=9, loc="right")
    panel.spines[["top", "right"]].set_visible(False)


def _colour(peer: str) -> str:
    return next((colour for name, colour in COLOURS.items() if peer.startswith(name)), OTHERS)


def _peers(results: Results, row: str) -> list[str]:
    """Return who was measured in a row, and who was asked for and cannot be."""
    return [peer for peer in PEERS if peer in results.table.get(row, {})]


def _bars(results: Results) -> Iterator[Sequence[str]]:
    for bar in BARS:
        measured = bar.measured(results)
        if measured is not None:
            who = TITLES[bar.row].short + (", a spare" if "spares" in bar.who else "")
            yield who, str(bar), bar.shown(measured), "kept" if bar.kept(measured) else "MISSED"
    yield from _left_behind(results)


def _left_behind(results: Results) -> Iterator[Sequence[str]]:
    """Say what is left after the most kills in a row that one process of ours has made."""
    notes = [
        outcome["notes"] for outcome in results.cell("kills", OURS).outcomes if "notes" in outcome
    ]
    if notes:
        most = max(notes, key=lambda note: note["kills"])
        left = str(most["note"])
        verdict = "kept" if left == NOTHING_LEFT else "MISSED"
        yield TITLES["kills"].short, NOTHING_LEFT, f"{left} by {most['kills']:,} kills", verdict


def _heading(title: Title) -> str:
    return f"{title.short}, {title.unit}"


def _cell(results: Results, row: str, peer: str) -> str:
    cell = results.cell(row, peer)
    if not cell.known:
        return PEERS[peer].cannot.get(row) or cell.note
    late = f", p99 {_short(cell.p99)}" if row == "told" else ""
    note = "" if cell.note in {"", NOTHING_LEFT} else f"; {cell.note}"
    return f"{_short(median(cell.known))}{late} [{_span(cell)}]{note}"


def _span(cell: Cell) -> str:
    return f"{_short(min(cell.known))}-{_short(max(cell.known))}"


def _short(figure: float) -> str:
    """Return three digits that count, and no power of ten."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
