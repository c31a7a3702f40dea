"""What `timeouts simulate` is to do, put together from its options and its file.

Law: whatever makes no sense is refused before anything runs, and the message names the option and its
value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeouts.deadline import seconds, written
from timeouts.options import checked_admission, whole_number
from timeouts.policy import GatewayTimeout
from timeouts.serve.admissions import rule
from timeouts.serve.disciplines import maker
from timeouts.serve.limits import blaming
from timeouts.sim.arrivals import Poisson
from timeouts.sim.clients import Client, Retry
from timeouts.sim.report import Report
from timeouts.sim.run import simulate
from timeouts.sim.scenario import Scenario
from timeouts.sim.served import Served, served
from timeouts.sim.trace import Trace
from timeouts.sim.words import durations, numbers, service, stuck
from timeouts.sim.workers import Kill, Stop, checked_stop

LOADS = "0.8,1.1,2"
DURATION = 300.0
PICTURES = (".png", ".svg", ".pdf")
Said = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """Scenarios by load, and the server that meets them.

    Attributes:
        scenarios: by load.
        server: what `simulate` takes beside the scenario.
    """

    scenarios: tuple[tuple[float, Scenario | Trace], ...]
    server: Mapping[str, Any]

    def run(self) -> Iterator[tuple[float, Report]]:
        """Simulate one after the other."""
        for load, asked in self.scenarios:
            yield load, simulate(asked, **self.server)


def plan(said: Said) -> Plan:
    """Put together what the options say.

    Raises:
        ValueError: something makes no sense; the message says what.
    """
    file = served(said["config"], said["route"])
    _check_picture(said["plot"])
    server = _server(said, file)
    if said["trace"] is None:
        return Plan(tuple(_drawn(said, file, server["slots"])), server)
    return Plan(tuple(_recorded(said, file, server["slots"])), server)


def _server(said: Said, file: Served) -> dict[str, Any]:
    slots, stop = said["slots"] or file.slots, _stop(said, file)
    if slots is None:
        raise ValueError(
            f"--slots is missing, and {said['config']} does not say either how many may run at once"
        )
    with blaming("--discipline" if said["discipline"] else str(said["config"])):
        discipline = maker(said["discipline"] or file.discipline)
    with blaming("--admission" if said["admission"] else str(said["config"])):
        admission = checked_admission(rule(said["admission"] or file.admission), discipline)
    capacities = (said["capacity"], file.capacity, 1000)
    capacity = next(value for value in capacities if value is not None)
    with blaming(str(said["config"])):  # what comes from an option has been checked by it
        return {
            "limits": file.limits,
            "discipline": discipline,
            "admission": admission,
            "slots": whole_number("slots", slots, least=1),
            "capacity": whole_number("capacity", capacity, least=0),
            "stop": stop,
            "seed": said["seed"],
        }


def _stop(said: Said, file: Served) -> Stop:
    stop = said["stop"] or file.stop or "abandon"
    if stop == "kill":
        with blaming("--recovery"):
            recovery = seconds(said["recovery"] or "1s", "recovery", zero=True)
        return Kill(recovery, said["spares"])
    for option in ("recovery", "spares"):
        if said[option]:
            raise ValueError(f"--{option} is for workers that are killed; these do {stop}")
    return checked_stop(stop)


def _clients(said: Said, file: Served) -> list[Client]:
    retry = Retry(attempts=said["retries"] + 1)
    with blaming("--deadline"):
        budgets = durations(said["deadline"]) if said["deadline"] else [_longest(file)]
    names = ["all"] if len(budgets) == 1 else [f"{written(budget)} s" for budget in budgets]
    with blaming("--deadline"):
        if len(set(names)) < len(names):
            raise ValueError(f"each must be another one; got {said['deadline']!r}")
    return [
        Client(name, budget, said["at_deadline"], retry)
        for name, budget in zip(names, budgets, strict=True)
    ]


def _longest(file: Served) -> float:
    """Return the gateway's limit: who says nothing else waits for as long as the server answers."""
    limits = (p.timeout for p in file.limits.policies if isinstance(p, GatewayTimeout))
    return next(limits, math.inf)


def _loads(text: str) -> list[float]:
    with blaming("--load"):
        loads = numbers(text)
        for load in loads:
            if not 0 < load < math.inf:
                raise ValueError(f"each load must be more than 0; got {text!r}")
    return loads


def _drawn(said: Said, file: Served, slots: int) -> Iterator[tuple[float, Scenario]]:
    if said["work"] is None:
        raise ValueError("--service or --trace is missing: how long does the work take?")
    if said["jobs"] is not None and said["duration"] is not None:
        raise ValueError("--jobs and --duration say the same; use one of them")
    with blaming("--service"):
        base = service(said["work"])
    with blaming("--stuck"):
        work = stuck(base, said["stuck"]) if said["stuck"] else base
    with blaming("--duration"):
        duration = seconds(said["duration"] or DURATION, "it")
    clients = _clients(said, file)
    for load in _loads(said["load"] or LOADS):
        rate = load * slots / work.healthy
        lasts = duration if said["jobs"] is None else said["jobs"] / rate
        yield load, Scenario(Poisson(rate), work, clients, lasts)


def _recorded(said: Said, file: Served, slots: int) -> Iterator[tuple[float, Trace]]:
    for option in ("work", "stuck", "duration", "jobs"):
        if said[option] is not None:
            flag = "--service" if option == "work" else f"--{option}"
            raise ValueError(
                f"{flag} cannot go with --trace, which has its own; got {said[option]}"
            )
    clients = _clients(said, file)
    if len(clients) > 1:
        raise ValueError(f"--deadline must be one with --trace; got {said['deadline']!r}")
    with blaming("--trace"):
        try:
            trace = Trace.read(said["trace"], clients[0])
        except OSError as why:
            raise ValueError(f"{said['trace']} cannot be read: {why.strerror}") from None
    if said["load"] is None:
        yield trace.load(slots), trace
        return
    for load in _loads(said["load"]):
        with blaming("--load"):
            scaled = trace.at_load(load, slots)
        yield load, scaled


def _check_picture(file: Path | None) -> None:
    if file is None:
        return
    if file.suffix.lower() not in PICTURES:
        raise ValueError(f"--plot must end in one of {' '.join(PICTURES)}; got {file}")
    if file.is_dir() or not file.parent.is_dir():
        raise ValueError(f"--plot cannot be written: {file}")
