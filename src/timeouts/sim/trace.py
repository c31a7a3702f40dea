"""Requests as they were recorded: JSON lines, one object a request.

    {"arrival": 12.031, "service": 0.083}
    {"arrival": 12.040, "service": 0.310, "budget": 1.0, "priority": 2, "key": "tenant-7"}
    {"arrival": 12.055, "service": 0.500, "stopped": true}
    {"arrival": 12.071, "service": 0, "stopped": true}

`arrival` is an instant on any clock, `service` the seconds that the work took, without the queue; null
for work that never ended. `stopped` says that the work was stopped at that age, and is only known to take
longer; at 0 it never began. The rest may be left out. `timeouts.observe.TraceRecorder` writes such files.

Laws:
- Only differences of instants count; the first request arrives at 0.
- Nothing is drawn by chance, but how long a stopped run would have been: one of those that took longer, by
  the product-limit estimator, and the same one for the same seed; where none is known, it never ends.
- A file may end in the middle of its last line, as one does whose writer was killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from timeouts.sim.chance import stream
from timeouts.sim.checked import finite, number
from timeouts.sim.clients import ANYBODY, Client
from timeouts.sim.recorded import LONGEST, Recorded
from timeouts.sim.scenario import Request, Slowdown, check_window, checked_slowdown

FIELDS = ("arrival", "service", "budget", "priority", "key", "stopped")


@dataclass(frozen=True)
class Trace:
    """Recorded requests, in place of drawn ones.

    Args:
        recorded: the requests, in order of arrival, the first one at 0; at least two.
        margin: seconds at the beginning and at the end that are not counted: there the server is emptier
            than it is for most of the time.
        slowdown: as for `Scenario`.

    Cannot do: say what other callers would have done. Who was answered late and went away for good
    is in a trace of the day, and the same on every replay.
    """

    recorded: tuple[Request, ...]
    margin: float = 0.0
    slowdown: Slowdown = ()
    service: Recorded = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if len(self.recorded) < 2 or not self.recorded[0].arrived == 0 < self.recorded[-1].arrived:
            raise ValueError(
                "a trace must hold at least two requests, at different instants: "
                f"one has no rate; got {len(self.recorded)}"
            )
        check_window(self.duration, self.margin)
        object.__setattr__(self, "slowdown", checked_slowdown(self.slowdown))
        works, ages = list[float](), list[float]()
        for request in self.recorded:
            (ages if request.stopped else works).append(request.work)
        if not works:
            raise ValueError(
                "a trace must hold at least one run that was not stopped, or nothing is known of the work"
            )
        object.__setattr__(self, "service", Recorded(tuple(works), tuple(ages)))

    @classmethod
    def read(cls, path: str | Path, client: Client = ANYBODY) -> Trace:
        """Read a file.

        Args:
            path: the file.
            client: what the lines leave open: the budget, the priority, and how callers behave.

        Raises:
            OSError: it cannot be read.
            ValueError: a line says nothing that makes sense; the message names file and line.
        """
        try:
            requests = list(_read(Path(path), client))
        except UnicodeDecodeError:
            raise ValueError(f"{path} is no text: a trace has a JSON object a line") from None
        try:
            return cls.of(requests)
        except ValueError as wrong:
            raise ValueError(f"{path}: {wrong}") from None

    @classmethod
    def of(cls, requests: Iterable[Request]) -> Trace:
        """Put requests in order of arrival, the first one at 0."""
        ordered = sorted(requests, key=lambda request: request.arrived)
        first = ordered[0].arrived if ordered else 0.0
        return cls(tuple(request._replace(arrived=request.arrived - first) for request in ordered))

    @property
    def duration(self) -> float:
        """The seconds in which requests arrive, a mean gap after the last one included."""
        return self.recorded[-1].arrived * len(self.recorded) / (len(self.recorded) - 1)

    def load(self, slots: int) -> float:
        """Return the load that it puts on so many slots: 1 is all that they can do."""
        return len(self.recorded) * self.service.healthy / (self.duration * slots)

    def at_load(self, load: float, slots: int) -> Trace:
        """Return the same requests, faster or slower one after another.

        Raises:
            TypeError, ValueError: there is no such load, or the recorded work takes no time or never ends.
        """
        wanted, now = finite("load", load), self.load(slots)
        if not 0 < now < inf:
            raise ValueError(
                f"work that takes no time, or never ends, makes no load of {wanted:g} at any pace"
            )
        return self.faster(wanted / now)

    def faster(self, factor: float) -> Trace:
        """Return the same requests, so many times as fast one after another."""
        pace = 1 / finite("factor", factor)
        closer = (request._replace(arrived=request.arrived * pace) for request in self.recorded)
        return replace(self, recorded=tuple(closer))

    def requests(self, seed: int) -> Iterator[Request]:
        """Yield the requests in order of arrival, those that were stopped with a length of their own."""
        lengths = stream(seed, "stopped")
        for request in self.recorded:
            if request.stopped:
                work = self.service.draw_longer(request.work, lengths)
                yield request._replace(work=work, stopped=False)
            else:
                yield request


def _read(path: Path, client: Client) -> Iterator[Request]:
    kinds: dict[tuple[Any, ...], Client] = {}
    with path.open(encoding="utf-8") as lines:
        for count, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield _request(_object(line), client, kinds)
                except (TypeError, ValueError) as wrong:
                    if isinstance(wrong, json.JSONDecodeError) and not line.endswith("\n"):
                        return  # its writer was killed here
                    raise ValueError(f"{path}, line {count}: {wrong}") from None


def _object(line: str) -> Mapping[str, Any]:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError(f"an object with {', '.join(FIELDS)} must stand here; got {data!r}")  # noqa: TRY004 - the file's value
    if unknown := data.keys() - set(FIELDS):
        raise ValueError(f"{min(unknown)!r} means nothing; known are {', '.join(FIELDS)}")
    if missing := [name for name in FIELDS[:2] if name not in data]:
        raise ValueError(f"{missing[0]} is missing")
    for name in FIELDS[2:5]:
        if isinstance(data.get(name), dict | list):
            kind = "a name" if name == "key" else "a number"
            raise TypeError(f"{name} must be {kind}; got {data[name]!r}")
    return data


def _request(data: Mapping[str, Any], usual: Client, kinds: dict[Any, Client]) -> Request:
    arrival = number("arrival", data["arrival"], above=-inf, most=LONGEST)
    service = data["service"]
    work = inf if service is None else finite("service", service, zero=True)
    said = tuple(data.get(name) for name in FIELDS[2:5])
    if said not in kinds:
        budget, priority, key = said
        kinds[said] = replace(
            usual,
            name=usual.name if key is None else str(key),
            budget=usual.budget if budget is None else budget,
            priority=usual.priority if priority is None else priority,
        )
    return Request(arrival, work, kinds[said], _stopped(data.get("stopped"), work))


def _stopped(said: Any, work: float) -> bool:
    if said is None:
        return False
    if not isinstance(said, bool):
        raise TypeError(f"stopped must be true or false; got {said!r}")
    if said and work == inf:
        raise ValueError("service must say when the run was stopped; got null")
    return said
