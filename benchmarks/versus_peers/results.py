"""What has been measured: the outcomes by row, peer and round, and what they come to."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from versus_peers.peers import PEERS
from versus_peers.turns import Outcome


@dataclass(frozen=True)
class Cell:
    """The outcomes of one peer in one row, in the order of the rounds."""

    outcomes: list[Outcome]

    @property
    def rounds(self) -> list[float | None]:
        """The figure of each round: the median of what was measured in it."""
        return [median(o["figures"]) if o.get("figures") else None for o in self.outcomes]

    @property
    def known(self) -> list[float]:
        """The figures of those rounds that have one."""
        return [figure for figure in self.rounds if figure is not None]

    @property
    def p99(self) -> float:
        """Over everything that was measured in any round; of few figures it is the largest."""
        every: list[float] = [figure for o in self.outcomes for figure in o.get("figures", ())]
        return quantiles(every, n=100, method="inclusive")[98] if len(every) > 1 else every[0]

    @property
    def note(self) -> str:
        """What is to be said beside the figures, each thing once."""
        failed = [o["failed"] for o in self.outcomes if "failed" in o]
        said = [o["notes"].get("note", "") for o in self.outcomes if "notes" in o]
        some = [f"{len(failed)} of {len(self.outcomes)} rounds: {failed[0]}"] if failed else []
        return "; ".join(dict.fromkeys(note for note in (*said, *some) if note))


@dataclass
class Results:
    """All of it, and where it was measured."""

    machine: str
    versions: dict[str, str]
    table: dict[str, dict[str, list[Outcome]]] = field(default_factory=dict)

    @classmethod
    def empty(cls, peers: Iterable[str]) -> Results:
        """Return the results of this machine before anything was measured."""
        packages = {package: None for peer in peers for package in PEERS[peer].packages}
        python = f"{platform.python_implementation()} {platform.python_version()}"
        machine = f"{python}, {platform.system()} {platform.release()} {platform.machine()}"
        return cls(
            f"{machine}, {os.cpu_count()} cores",
            {package: version(package) for package in packages},
        )

    def add(self, row: str, peer: str, outcome: Outcome) -> None:
        """Note the outcome of a round."""
        self.table.setdefault(row, {}).setdefault(peer, []).append(outcome)

    def cell(self, row: str, peer: str) -> Cell:
        """Return what a peer has achieved in a row; empty where it was not measured."""
        return Cell(self.table.get(row, {}).get(peer, []))

    def ratio(self, row: str, peer: str, base: str) -> float | None:
        """Return the median of the ratios that were measured in one round each."""
        pairs = zip(self.cell(row, peer).rounds, self.cell(row, base).rounds, strict=False)
        ratios = [one / other for one, other in pairs if one is not None and other]
        return median(ratios) if ratios else None

    def write(self, file: Path) -> None:
        """Write everything as JSON, so that it can be read again."""
        file.write_text(json.dumps(vars(self), indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Results:
        """Read what `write` has written."""
        return cls(**json.loads(file.read_text()))
