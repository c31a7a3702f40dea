"""LitServe beside `timeouts serve`, all of it in the same run.

Each scenario starts real servers on this machine's loopback, one at a time, loads them within bounds,
and ends them with all their processes. In each round the servers take turns, every other round in
reverse. It takes some seven minutes; compare figures within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from versus_litserve import report, wrk
from versus_litserve.effort import QUICK, Effort, Samples
from versus_litserve.results import Results
from versus_litserve.scenarios import SCENARIOS, THROUGHPUT, THROUGHPUT_ROUNDS
from versus_litserve.scenarios.throughput import throughput
from versus_litserve.subjects import LITSERVE, OURS

INTO = Path(__file__).resolve().parents[2] / "build" / "versus_litserve"


def main() -> None:
    """Measure, print and write."""
    options = _options()
    print(report.header(), end="\n\n", flush=True)
    results = Results()
    asyncio.run(_measure(results, options))
    tables = [report.scenarios(results), report.rates(results)]
    tables = [table for table in tables if len(table) > 1]
    INTO.mkdir(parents=True, exist_ok=True)
    page = [*map(report.markdown, tables), f"{report.header()}."]
    (INTO / "versus-litserve.md").write_text("\n\n".join(page) + "\n")
    print("", *map(report.text, tables), sep="\n\n", end="\n\n")
    print(f"missed: {'; '.join(report.missed(results)) or 'nothing'}")
    print(f"as Markdown in {INTO}")


async def _measure(results: Results, options: argparse.Namespace) -> None:
    effort = QUICK if options.quick else Effort()
    subjects = [one for one in (LITSERVE, OURS) if one.name.startswith(options.subject)]
    for name in options.scenarios:
        if name == THROUGHPUT:
            continue
        scenario = SCENARIOS[name]
        for number in range(1 if options.quick else scenario.rounds):
            for subject in subjects if number % 2 == 0 else reversed(subjects):
                samples = await scenario.take(subject, effort)
                results.add(subject.name, samples)
                _tell(f"{name}, round {number + 1}", subject.name, samples)
    if THROUGHPUT in options.scenarios and wrk.is_there():
        rounds = 1 if options.quick else THROUGHPUT_ROUNDS
        async for name, samples in throughput(options.subject, effort, rounds):
            results.add(name, samples)
            _tell(THROUGHPUT, name, samples)
    elif THROUGHPUT in options.scenarios:
        print("wrk is not installed (a package of that name in most systems): no throughput")


def _tell(scenario: str, subject: str, samples: Samples) -> None:
    """Print what a round has shown, so that whoever waits sees something."""
    shown = []
    for row, sample in samples.items():
        figures = " ".join(f"{figure:.4g}" for figure in sample.figures)
        shown.append(f"{row} {figures}" + (f" ({sample.note})" if sample.note else ""))
    print(f"  {scenario}: {subject}: {', '.join(shown)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*SCENARIOS, THROUGHPUT]
    parser.add_argument("--quick", action="store_true", help="see that it runs: no figures")
    parser.add_argument(
        "--scenarios", default=",".join(names), help=f"with commas between, of: {', '.join(names)}"
    )
    parser.add_argument("--subject", default="", help="the beginning of a name, to run it alone")
    options = parser.parse_args()
    options.scenarios = options.scenarios.split(",")
    if unknown := set(options.scenarios) - set(names):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    return options
