"""What is done to the servers, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from versus_litserve.effort import Effort, Samples
from versus_litserve.scenarios.faults import crash, held, hung
from versus_litserve.scenarios.leaving import ended, gone
from versus_litserve.scenarios.overload import overload
from versus_litserve.scenarios.resources import bodies, idle
from versus_litserve.subjects import Subject


@dataclass(frozen=True)
class Scenario:
    """A scenario, and in how many rounds it is taken: more where the figure is a rate."""

    take: Callable[[Subject, Effort], Awaitable[Samples]]
    rounds: int = 1


SCENARIOS: Mapping[str, Scenario] = {
    "held": Scenario(held, rounds=2),
    "hung": Scenario(hung),
    "crash": Scenario(crash),
    "gone": Scenario(gone),
    "ended": Scenario(ended),
    "idle": Scenario(idle, rounds=2),
    "bodies": Scenario(bodies),
    "overload": Scenario(overload, rounds=2),
}
THROUGHPUT = "throughput"
THROUGHPUT_ROUNDS = 5
