"""A host alone, beside the same host under the same three limits, all of it in the same run.

Real servers on this machine's loopback, ended with all their processes after each scenario. A host takes
a minute or two a round; compare figures within one run only.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from hosts import report
from hosts.host import Host
from hosts.scenarios import measure
from hosts.work import BEATS

SUBJECTS = Path(__file__).parent / "subjects"


def main() -> None:
    """Measure, print and write."""
    options = _options()
    verdicts: list[str] = []
    for name in options.hosts:
        host: Host = import_module(f"hosts.subjects.{name}").HOST
        print(f"{name}: {report.conditions(host)}; load {os.getloadavg()[0]:.1f}", flush=True)
        with TemporaryDirectory(prefix="hosts-") as folder:
            os.environ[BEATS] = folder
            figures = measure(host, Path(folder), options.rounds, options.count, _tell)
        text = report.table(host, figures)
        print(f"\n{text}\n", flush=True)
        verdicts.append(report.verdict(host, figures))
        if options.write:
            print(f"written to {report.write(host, text)}\n")
    print("\n".join(verdicts))


def _tell(line: str) -> None:
    print(f"  {line}", flush=True)


def _options() -> argparse.Namespace:
    names = sorted(path.stem for path in SUBJECTS.glob("*.py") if path.stem != "__init__")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("hosts", nargs="*", help=f"of: {', '.join(names)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="of the slow scenarios")
    parser.add_argument("--count", type=int, default=500, help="quick requests a round")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    options = parser.parse_args()
    options.hosts = options.hosts or names
    if unknown := set(options.hosts) - set(names):
        parser.error(f"there is no host {', '.join(sorted(unknown))}")
    return options
