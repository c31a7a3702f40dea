"""The same in simulation: the same arrivals, limits and workers, and services as long as they really were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from overload.counting import Counted
from overload.rows import PATIENCE
from timeouts import GatewayTimeout
from timeouts.sim import Client, Kill, Poisson, Recorded, Scenario, simulate

STOPPED = 0.05  # of all services: so many may be left out


class Setting(NamedTuple):
    """What was measured: limits, workers, arrivals per second, how long, and the seed of the arrivals."""

    limits: GatewayTimeout
    workers: int
    rate: float
    seconds: float
    seed: int


def simulated(setting: Setting, run: Counted, patient: Sequence[float]) -> float:
    """Return the goodput that the simulator makes of a run, per second.

    Where many services were stopped, those that were not are the short ones: then how long they take without
    limits stands for them.

    Args:
        setting: what was measured.
        run: what came of it.
        patient: how long services took when nobody stopped them, on a machine as busy.
    """
    begun = run.runs * setting.seconds
    services = run.services if len(run.services) >= (1 - STOPPED) * begun > 0 else patient
    asked = Scenario(
        Poisson(setting.rate),
        Recorded(tuple(services)),
        Client(budget=PATIENCE),
        duration=setting.seconds,
    )
    stop = Kill(run.recovery)
    report = simulate(asked, setting.limits, slots=setting.workers, stop=stop, seed=setting.seed)
    return report.goodput
