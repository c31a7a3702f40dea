"""Policies under overload, in simulation: goodput against the computable limit, waste, and who is told when.

Peers' rules stand beside ours, around the same core, before the very same requests. It takes some five
minutes on one core. Differences of a point or two are chance, for lognormal work of four.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from goodput.cases import CASES, LOADS, MIXED_CASES, SLOTS, Case
from goodput.rows import MIXED_ROWS, PLAIN, ROWS, Row
from goodput.tables import Reports, Table, bars, goodput, mixed
from timeouts.sim import simulate

INTO = Path(__file__).resolve().parents[2] / "build" / "goodput"
MIXED_LOADS = (0.95, 1.1, 2.0, 5.0)


def main() -> None:
    """Simulate, print and write."""
    options = _options()
    began, tables = time.perf_counter(), list[str]()
    for table in _tables(options):
        print(table.text(), end="\n\n", flush=True)
        tables.append(table.markdown())
    INTO.mkdir(parents=True, exist_ok=True)
    page = INTO / ("quick.md" if options.quick else "goodput.md")
    page.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s; as Markdown in {page}")


def _tables(options: argparse.Namespace) -> Iterator[Table]:
    cases = dict[str, Reports]()
    for case in CASES:
        cases[case.title] = reports = _reports(case, ROWS, LOADS, options)
        yield goodput(case.title, reports)
    for case in MIXED_CASES:
        reports = _reports(case, MIXED_ROWS, MIXED_LOADS, options)
        yield mixed(case.title, reports, MIXED_LOADS)
    if not options.only:
        yield bars(cases, [row.name for row in ROWS if row.ours], PLAIN)


def _reports(
    case: Case, rows: Sequence[Row], loads: Sequence[float], options: argparse.Namespace
) -> Reports:
    return {
        row.name: {
            load: simulate(
                case.scenario(load, _seconds(options, load), _at_deadline(case, row)),
                row.limits(case),
                discipline=row.discipline,
                admission=row.admission,
                slots=SLOTS,
                capacity=float("inf"),
                stop=case.stop,
                seed=options.seed,
            )
            for load in loads
        }
        for row in rows
        if options.only in row.name
    }


def _seconds(options: argparse.Namespace, load: float) -> float:
    """Return less time for more requests: their number counts, and what the workers get done."""
    return float(options.seconds * min(1.0, 2 / load) ** 0.5)


def _at_deadline(case: Case, row: Row) -> str:
    """Tell budgets where they differ: a server that does not know them cannot tell callers apart."""
    if not row.notices:
        return "stays"
    return "leaves" if len(case.budgets) == 1 else "tells"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds of it: no figures")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="of simulated time a run, up to load 2"
    )
    parser.add_argument("--seed", type=int, default=0, help="chooses the requests")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their names")
    options = parser.parse_args()
    if options.quick:
        options.seconds = min(options.seconds, 3.0)
    if not any(options.only in row.name for row in (*ROWS, *MIXED_ROWS)):
        parser.error(f"no row has {options.only!r} in its name")
    return options
