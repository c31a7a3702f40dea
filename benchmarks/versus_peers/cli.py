"""Process workers against every peer, all of them in the same run.

Every figure comes from a process of its own; in each round the peers take turns. Compare ratios
within one run: the figures themselves depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from versus_peers import report
from versus_peers.bars import TITLES
from versus_peers.peers import PEERS
from versus_peers.results import Results
from versus_peers.rows import ROWS, Effort
from versus_peers.turns import take

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "versus-peers.md"
BEGIN, END = "<!-- begin: written by benchmarks/versus_peers -->", "<!-- end -->"
QUICK = ("floor", "timeouts", "pebble")
INSTALL = "pip install --editable . --group peers"


def main() -> None:
    """Measure, print and write."""
    options = _options()
    if options.results:
        results = Results.read(options.results)
    else:
        results = measure(options.rows, options.peers, options.rounds, options.effort)
    print(report.header(results), end="\n\n")
    for row in results.table:
        print(report.table(results, row))
    print(report.bars(results))
    options.into.mkdir(parents=True, exist_ok=True)
    results.write(options.into / "results.json")
    (options.into / "versus-peers.md").write_text(report.markdown(results))
    report.draw(results, options.into / "versus-peers.svg")
    print(f"written into {options.into}")
    if options.docs:
        write_docs(results)


def measure(rows: list[str], peers: list[str], rounds: int, effort: Effort) -> Results:
    """Take the rounds, row by row; the peers take turns, every other round in reverse."""
    results = Results.empty(peers)
    for row in rows:
        turns = [peer for peer in peers if not PEERS[peer].rows or row in PEERS[peer].rows]
        for number in range(rounds):
            for peer in turns if number % 2 == 0 else reversed(turns):
                if row in PEERS[peer].cannot:
                    results.add(row, peer, {"failed": PEERS[peer].cannot[row]})
                    continue
                patient = row == "kills" and peer.startswith("timeouts") and number == 0
                own = replace(effort.part(PEERS[peer].share), seed=number, all_kills=patient)
                outcome = take(row, peer, own)
                results.add(row, peer, outcome)
                said = outcome.get("failed") or f"{results.cell(row, peer).known[-1]:.4g}"
                print(f"  {row}, round {number + 1}: {peer}: {said}", flush=True)
    return results


def write_docs(results: Results) -> None:
    """Put the table into its page, and the picture beside it."""
    PAGE.write_text(filled(PAGE.read_text(), report.markdown(results)))
    report.draw(results, PAGE.with_suffix(".svg"))


def filled(page: str, text: str) -> str:
    """Return a page with this text between its marks, and the rest as it was."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"a page must have the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def missing(peer: str) -> list[str]:
    """Return the packages of a peer that are not installed."""
    return [package for package in PEERS[peer].packages if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    numbers = "; ".join(f"{n} {row}: {TITLES[row].long}" for n, row in enumerate(ROWS, 1))
    parser.add_argument("--rows", help=f"numbers or names, with commas between. {numbers}")
    parser.add_argument(
        "--peers", help=f"beginnings of names, with commas between, of: {'; '.join(PEERS)}"
    )
    parser.add_argument("--rounds", type=int, help="how often each is measured; default 5")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the row `half`")
    parser.add_argument("--kills", type=int, default=2_000, help="of the row `kills`, for ours")
    parser.add_argument(
        "--quick", action="store_true", help="one short round of ours, pebble and the floors"
    )
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "versus_peers")
    parser.add_argument("--results", type=Path, help="a results.json to show again: no measuring")
    parser.add_argument("--docs", action="store_true", help=f"write {PAGE.name} and its picture")
    options = parser.parse_args()
    effort = Effort(half_seconds=options.seconds, kills=options.kills)
    options.effort = effort.quick if options.quick else effort
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.rows = _chosen_rows(parser, options.rows)
    options.peers = _chosen_peers(parser, options.peers, quick=options.quick)
    return options


def _chosen_rows(parser: argparse.ArgumentParser, said: str | None) -> list[str]:
    names = list(ROWS)
    if said is None:
        return names
    words = [word.strip() for word in said.split(",")]
    known = {str(number): row for number, row in enumerate(names, 1)} | {row: row for row in names}
    if unknown := [word for word in words if word not in known]:
        parser.error(f"there is no row {', '.join(unknown)}")
    return [known[word] for word in words]


def _chosen_peers(parser: argparse.ArgumentParser, said: str | None, *, quick: bool) -> list[str]:
    if said is None and not quick:
        return _installed_peers()
    words = [
        word.strip().replace("ours", "timeouts") for word in (said or ",".join(QUICK)).split(",")
    ]
    for word in words:
        if not any(name.startswith(word) for name in PEERS):
            parser.error(f"there is no peer {word!r}; there are: {'; '.join(PEERS)}")
    chosen = [name for name in PEERS if any(name.startswith(word) for word in words)]
    if lacking := sorted({package for name in chosen for package in missing(name)}):
        parser.error(f"not installed: {', '.join(lacking)}; {INSTALL}")
    return chosen


def _installed_peers() -> list[str]:
    """Return all that can be measured here; tell which cannot."""
    absent = [name for name in PEERS if missing(name)]
    if absent:
        print(f"left out, not installed: {'; '.join(absent)}; {INSTALL}", file=sys.stderr)
    return [name for name in PEERS if name not in absent]
