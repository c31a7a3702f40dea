"""What is shown of each row, and what has to come out."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from versus_peers.results import Results

OURS, SPARE, PEBBLE = "timeouts", "timeouts, spares=1", "pebble"


@dataclass(frozen=True)
class Title:
    """How a row is called, short and long, and what its figures are."""

    short: str
    long: str
    unit: str
    more_is_better: bool = False
    base: str = PEBBLE


TITLES = {
    "happy": Title("call", "a call that does nothing, one caller, a limit of 10 s", "µs"),
    "flight": Title(
        "in flight", "up to 5,000 calls in flight, 2 workers", "calls/s", more_is_better=True
    ),
    "told": Title("told late", "a limit of 0.1 to 0.2 s on 5 s of work: told too late by", "ms"),
    "recovery": Title(
        "next answer", "from an expiry to the next answer, a model that takes 1 s to load", "ms"
    ),
    "half": Title(
        "half expire",
        "every other call hangs and expires after 0.1 s, 2 workers: pairs",
        "/s",
        more_is_better=True,
        base="floor: kill",
    ),
    "array": Title("16 MB", "an array of 16 MB in and out", "ms"),
    "kills": Title("kill", "an expiry and the next answer, above the limit of 20 ms", "ms"),
}


@dataclass(frozen=True)
class Bar:
    """A bound on a figure of ours, or on its ratio to another's in the same rounds."""

    row: str
    bound: float
    against: str = ""
    who: str = OURS
    least: bool = False
    p99: bool = False

    def measured(self, results: Results) -> float | None:
        """Return what is to be compared with the bound; None where it was not measured."""
        cell = results.cell(self.row, self.who)
        if self.against:
            return results.ratio(self.row, self.who, self.against)
        if not cell.known:
            return None
        return cell.p99 if self.p99 else median(cell.known)

    def kept(self, measured: float) -> bool:
        """Say whether the bar is kept."""
        return measured >= self.bound if self.least else measured <= self.bound

    def __str__(self) -> str:
        """Return it in words."""
        what = "p99 " if self.p99 else ""
        sign = ">=" if self.least else "<="
        return f"{what}{sign} {self.shown(self.bound)}"

    def shown(self, value: float) -> str:
        """Return a figure in the bar's own unit."""
        if not self.against:
            return f"{value:.3g} {TITLES[self.row].unit}"
        if self.against == "floor: kill":
            return f"{value:.0%} of the limit"
        return f"{value:.3g}x {self.against}"


BARS = (
    Bar("happy", 0.5, PEBBLE),
    Bar("happy", 2.0, "floor: prototype"),
    Bar("flight", 1.5, PEBBLE, least=True),
    Bar("told", 1.0),
    Bar("told", 5.0, p99=True),
    Bar("recovery", 10.0),
    Bar("recovery", 2.0, who=SPARE),
    Bar("half", 0.95, "floor: kill", least=True),
    Bar("array", 1.6, "floor: arena"),
    Bar("array", 0.1, PEBBLE),
    Bar("kills", 10.0),
)
