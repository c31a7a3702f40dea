"""`timeouts serve` and LitServe under more than they can do, by clients that leave after 0.2 s.

Real servers on this machine's loopback, one and four worker processes that work 20 ms of processor time
for each request, Poisson arrivals. What the workers can do is measured before and after each load. It takes less than a
quarter of an hour; compare figures within one run only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import uvloop

from measure import put_between
from overload import tables
from overload.rows import ROWS, Row
from overload.turns import Again, Block, Turn
from timeouts.sim.checked import finite
from versus_litserve.report import header

ROOT = Path(__file__).resolve().parents[2]
INTO = ROOT / "build" / "overload"
PLACE = "overload"
AGAIN = 3  # turns that may be taken again, in all
One = TypeVar("One")
Results = dict[tuple[int, float], dict[Row, list[Turn]]]


def main() -> None:
    """Measure, print and write."""
    options = _options()
    print(f"{header()}\n", flush=True)
    results: Results = {}
    uvloop.run(_measure(results, options))
    made = [tables.table(*cell, turns) for cell, turns in results.items()]
    conditions = (
        f"`python benchmarks/overload`, {options.rounds} rounds of {options.seconds:g} s, "
        f"medians (and ranges); others had {tables.others(results):.0%} of the processors meanwhile: "
        f"{header()}."
    )
    whole = "\n\n".join([*(table.markdown() for table in made), conditions])
    brief = "\n\n".join([tables.shares(results).markdown().partition("\n\n")[2], conditions])
    print("", *(table.text() for table in [*made, tables.shares(results)]), sep="\n\n", end="\n\n")
    print(*tables.verdicts(results), sep="\n")
    INTO.mkdir(parents=True, exist_ok=True)
    (INTO / "overload.md").write_text(f"{whole}\n")
    print(f"\nas Markdown in {INTO}")
    if options.write:
        put_between(ROOT / "benchmarks" / "README.md", whole, PLACE)
        put_between(ROOT / "docs" / "how-to" / "serve.md", brief, PLACE)


async def _measure(results: Results, options: argparse.Namespace) -> None:
    again = Again(AGAIN)
    for number in range(options.rounds):
        rows = options.rows if number % 2 == 0 else options.rows[::-1]
        for workers in options.workers:
            seed = options.seed + number
            block = Block(workers, options.loads, options.seconds, seed, again, _tell)
            async for row, load, turn in block.take(rows):
                cell = results.setdefault((workers, load), {one: [] for one in options.rows})
                cell[row].append(turn)
                where = f"round {number + 1}, {tables.many(workers)}, {load:g}x"
                _tell(f"{where}: {_shown(row, turn)}")


def _shown(row: Row, turn: Turn) -> str:
    shown = tables.table(0, 0, {row: [turn]})
    pairs = zip(shown.heading[1:], shown.rows[0][1:], strict=True)
    return f"{row.name}: {'; '.join(f'{name} {cell}' for name, cell in pairs if cell)}"


def _tell(line: str) -> None:
    print(f"  {line}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = "; ".join(f"{number}: {row.name}" for number, row in enumerate(ROWS, start=1))
    parser.add_argument("--rounds", type=_count, default=2, help="default 2")
    parser.add_argument("--seconds", type=_positive, default=20.0, help="of a load; default 20")
    parser.add_argument("--workers", type=_list(_count), default="1,4", help="default 1,4")
    parser.add_argument("--loads", type=_list(_positive), default="2,5", help="default 2,5")
    parser.add_argument(
        "--rows", type=_list(_row), default="1,2,3,4", help=f"default 1,2,3,4 of {known}"
    )
    parser.add_argument("--seed", type=int, default=0, help="chooses the arrivals")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    return parser.parse_args()


def _list(one: Callable[[str], One]) -> Callable[[str], list[One]]:
    return lambda text: [one(word) for word in text.split(",")]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be whole numbers from 1 on; got {text!r}")
    return int(text)


def _positive(text: str) -> float:
    try:
        return finite("each of them", float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers above 0; got {text!r}") from None


def _row(text: str) -> Row:
    if _count(text) > len(ROWS):
        raise argparse.ArgumentTypeError(f"there are {len(ROWS)} rows; got {text!r}")
    return ROWS[int(text) - 1]
