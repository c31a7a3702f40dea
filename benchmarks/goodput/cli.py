"""Policies under overload, in simulation: goodput against the computable limit, waste, and who is told when.

Peers' rules stand beside ours, around the same core, before the very same requests. After them comes what a handler that
becomes thirty times slower for a while costs good runs, and what is answered before anything is known. It takes some six minutes on one core. Differences of a point or
two are chance, for lognormal work of four.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from goodput.cases import CASES, LOADS, MIXED_CASES, SLOTS, Case
from goodput.cold import COLD_SEEDS, cold
from goodput.rows import MIXED_ROWS, PLAIN, ROWS, Row
from goodput.slowdown import SEEDS, SLOW_CASES, Phases, worst
from goodput.tables import Reports, Table, bars, goodput, mixed, slowdown
from measure import put_between
from timeouts.sim import simulate

INTO = Path(__file__).resolve().parents[2] / "build" / "goodput"
PAGE = Path(__file__).resolve().parents[1] / "README.md"
MIXED_LOADS = (0.95, 1.1, 2.0, 5.0)


def main() -> None:
    """Simulate, print and write."""
    options = _options()
    began, pages = time.perf_counter(), list[str]()
    for place, tables in _parts(options):
        told = list[str]()
        for table in tables:
            print(table.text(), end="\n\n", flush=True)
            told.append(table.markdown())
        pages.append("\n\n".join(told))
        if options.write:
            put_between(PAGE, pages[-1], place)
    INTO.mkdir(parents=True, exist_ok=True)
    page = INTO / ("quick.md" if options.quick else "goodput.md")
    page.write_text("\n\n".join(pages) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s; as Markdown in {page}")


def _parts(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Table]]]:
    """Yield the parts that are asked for, by their places on the page."""
    one = options.slowdown or options.cold
    if not one:
        yield "goodput", _policies(options)
    if options.slowdown or not (one or options.only):
        yield "slowdown", _slowdown(options)
    if options.cold or not (one or options.only):
        yield "cold", iter([cold(1 if options.quick else COLD_SEEDS)])


def _slowdown(options: argparse.Namespace) -> Iterator[Table]:
    phases = Phases(3.0, 1.0, 3.0) if options.quick else Phases()
    yield slowdown(worst(SLOW_CASES, phases, 1 if options.quick else SEEDS), phases)


def _policies(options: argparse.Namespace) -> Iterator[Table]:
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
    parser.add_argument(
        "--slowdown", action="store_true", help="only what it costs that a handler becomes slow"
    )
    parser.add_argument("--cold", action="store_true", help="only the first executions")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md as well")
    options = parser.parse_args()
    if options.write and (options.only or options.quick):
        parser.error("--write takes whole figures: leave out --only and --quick")
    if options.quick:
        options.seconds = min(options.seconds, 3.0)
    if not any(options.only in row.name for row in (*ROWS, *MIXED_ROWS)):
        parser.error(f"no row has {options.only!r} in its name")
    return options
