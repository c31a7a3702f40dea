"""What the policies are put to: four workers, 0.1 s of work, answers that are worth something for 1 s."""

from __future__ import annotations

from dataclasses import dataclass

from timeouts.sim import (
    Client,
    Constant,
    Exponential,
    Kill,
    Lognormal,
    Poisson,
    Scenario,
    Service,
    Stop,
    Stuck,
)

SLOTS, SECONDS, BUDGET = 4, 0.1, 1.0
LOADS = (0.8, 1.1, 2.0, 5.0, 10.0)
TOLD = 2.0  # the load at which times and waste are shown
MIXED = (0.3, 1.0, 3.0)
_LONGEST_RESERVE = 0.65  # of the budget: more would leave no time to wait in


@dataclass(frozen=True)
class Case:
    """One kind of work, on workers that are stopped in one way."""

    title: str
    service: Service
    stop: Stop
    budgets: tuple[float, ...] = (BUDGET,)

    @property
    def budget(self) -> float:
        """The longest time for which an answer is worth something."""
        return max(self.budgets)

    def scenario(self, load: float, seconds: float, at_deadline: str) -> Scenario:
        """Return the requests at a load; the same ones for every policy."""
        clients = [
            Client(f"{budget:g} s", budget, at_deadline)  # type: ignore[arg-type]
            for budget in self.budgets
        ]
        return Scenario(
            Poisson(load * SLOTS / SECONDS),
            self.service,
            clients,
            duration=seconds,
            margin=min(10.0, seconds / 10),
        )

    def quantile(self, share: float) -> float:
        """Return the time within which so many works end, or as much as can be held back."""
        least, most = 0.0, _LONGEST_RESERVE * min(self.budgets)
        if self.service.within(most) < share:
            return most
        for _ in range(50):
            middle = (least + most) / 2
            least, most = (
                (least, middle) if self.service.within(middle) >= share else (middle, most)
            )
        return most


KILL = Kill(recovery=1.0)
CASES = (
    Case("constant, runs on", Constant(SECONDS), "abandon"),
    Case("exponential, runs on", Exponential(SECONDS), "abandon"),
    Case("lognormal (CV 2.9), runs on", Lognormal(SECONDS, 2.9), "abandon"),
    Case("exponential, killed (1 s)", Exponential(SECONDS), KILL),
    Case("2 % hang 100x, killed (1 s)", Stuck(Lognormal(SECONDS, 0.3), 0.02, 100), KILL),
)
MIXED_CASES = (
    Case("constant", Constant(SECONDS), "abandon", MIXED),
    Case("exponential", Exponential(SECONDS), "abandon", MIXED),
)
