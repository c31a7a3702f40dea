"""The figures as text and as Markdown: each a list of rows of strings, the first one the heading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from goodput.cases import LOADS, TOLD, Case
from goodput.slowdown import MOST_BACK, MOST_STRETCH, SLOWER, TOO_MANY, Phases, Told
from timeouts.sim import Report

Reports = dict[str, dict[float, Report]]  # by row and load
BAR = 0.95


@dataclass
class Table:
    """A title, a heading, rows."""

    title: str
    heading: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def text(self) -> str:
        """Return it for a terminal."""
        lines = [self.heading, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.heading))]
        laid = (
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return "\n".join([self.title, *laid])

    def markdown(self) -> str:
        """Return it for a page."""
        rule = ["---", *["---:"] * (len(self.heading) - 1)]
        lines = (f"| {' | '.join(line)} |" for line in (self.heading, rule, *self.rows))
        return "\n".join([f"### {self.title}", "", *lines])


def goodput(title: str, reports: Reports) -> Table:
    """Return a row for each policy: goodput by load, and more about one load."""
    table = Table(
        f"{title}: goodput in % of the limit",
        (
            "",
            *(f"{load:g}x" for load in LOADS),
            "worst",
            f"at {TOLD:g}x: wasted",
            "told p50 / p99",
            "answered p50 / p99",
            "fair",
        ),
    )
    for name, by_load in reports.items():
        shares = [by_load[load].efficiency for load in LOADS]
        told = by_load[TOLD]
        table.rows.append(
            (
                name,
                *(f"{share:.0%}"[:-1] for share in shares),
                f"{min(shares):.0%}"[:-1],
                f"{told.wasted:.0%}",
                _pair(told.told_p50, told.told_p99),
                _pair(told.latency_p50, told.latency_p99),
                "-" if told.fairness is None else f"{told.fairness:.2f}",
            )
        )
    first = next(iter(reports.values()))
    limits = ("the limit, answers/s", *(f"{first[load].limit.goodput:.1f}" for load in LOADS))
    table.rows.append((*limits, *[""] * (len(table.heading) - len(limits))))
    return table


def mixed(title: str, reports: Reports, loads: Sequence[float]) -> Table:
    """Return a row for each policy: goodput, and how many of each kind of caller were served."""
    names = [*next(iter(reports.values()))[loads[0]].clients]
    kinds = sorted(names, key=lambda name: float(name.split()[0]))
    table = Table(
        f"{title}, budgets of {', '.join(kinds)}: goodput in % of the limit [success of each in %]",
        ("", *(f"{load:g}x" for load in loads)),
    )
    for name, by_load in reports.items():
        cells = (_mixed(by_load[load], kinds) for load in loads)
        table.rows.append((name, *cells))
    return table


def bars(cases: Mapping[str, Reports], ours: Sequence[str], plain: str) -> Table:
    """Return a row for each of ours: how often it keeps the bar, and where it is farthest below.

    The bar is 95 % of the limit; below saturation it is also 95 % of a plain queue's goodput.
    """
    least = f"least at {LOADS[0]:g}x, of {plain}"
    table = Table(f"ours: {BAR:.0%} of the limit", ("", "kept", "worst", "where", least))
    for name in ours:
        shares = {
            f"{case}, {load:g}x": reports[name][load].efficiency
            for case, reports in cases.items()
            for load in LOADS
        }
        kept = sum(share >= BAR for share in shares.values())
        where = min(shares, key=lambda cell: shares[cell])
        beside = min(
            reports[name][LOADS[0]].goodput / reports[plain][LOADS[0]].goodput
            for reports in cases.values()
        )
        table.rows.append(
            (name, f"{kept} of {len(shares)}", f"{shares[where]:.0%}", where, f"{beside:.0%}")
        )
    return table


def slowdown(told: Iterable[tuple[Case, float, Told]], phases: Phases) -> Table:
    """Return a row for each case and load, and how many keep the bar."""
    table = Table(
        f"{SLOWER:g}x slower for {phases.slow:g} s: no stretch of kills longer than {MOST_STRETCH:g} s, "
        f"limits back within {MOST_BACK:g} s",
        (
            "",
            "load",
            "good runs, slow / after",
            "killed",
            f"longest stretch > {TOO_MANY:.0%}, slow / after",
            "usual limits",
            "back after",
        ),
    )
    short, soon, count = 0, 0, 0
    for case, load, one in told:
        table.rows.append(
            (
                case.title,
                f"{load:g}x",
                f"{one.good[0]:,} / {one.good[1]:,}",
                f"{one.killed[0]} / {one.killed[1]}",
                f"{one.stretch[0]:.1f} s / {one.stretch[1]:.1f} s",
                f"{one.usual[0]:.2g} to {one.usual[1]:.2g} s",
                f"{one.back:.0f} s",
            )
        )
        count += 1
        short += max(one.stretch) <= MOST_STRETCH
        soon += one.back <= MOST_BACK
    kept = f"{short} of {count}", "", f"{soon} of {count}"
    table.rows.append(("kept", "", "", "", *kept))
    return table


def _mixed(report: Report, kinds: Sequence[str]) -> str:
    shares = "/".join(f"{report.clients[kind].success:.0%}"[:-1] for kind in kinds)
    return f"{report.efficiency:.0%}"[:-1] + f" [{shares}]"


def _pair(middle: float | None, late: float | None) -> str:
    return "-" if middle is None or late is None else f"{middle:.2f} / {late:.2f}"
