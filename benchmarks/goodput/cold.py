"""What a server does before it has learned: the first executions, by three rules for what is held back meanwhile."""

from __future__ import annotations

from statistics import mean

from goodput.cases import CASES, SECONDS, SLOTS, Case
from goodput.tables import Table
from timeouts import GatewayTimeout
from timeouts.sim import Client, Poisson, Scenario, simulate

BUDGETS = (0.3, 1.0, 5.0)
COLD_LOADS = (0.8, 2.0, 5.0)
EXECUTIONS = 200  # that fit into a run, as many as the first advice is made of
COLD_SEEDS = 12


def cold(seeds: int = COLD_SEEDS) -> Table:
    """Return a row for each case and budget: answers in time by load, under each rule."""
    table = Table(
        f"the first {EXECUTIONS} executions: answers in time, with the learned reserve / half of the budget / none",
        ("", *(f"{load:g}x" for load in COLD_LOADS)),
    )
    for budget in BUDGETS:
        for case in CASES:
            cells = (_cell(case, budget, load, seeds) for load in COLD_LOADS)
            table.rows.append((f"{case.title}, {budget:g} s", *cells))
    return table


def _cell(case: Case, budget: float, load: float, seeds: int) -> str:
    rules = (
        GatewayTimeout(budget),
        GatewayTimeout(budget, reserve=budget / 2),
        GatewayTimeout(budget, reserve=0),
    )
    return " / ".join(f"{_answers(case, rule, budget, load, seeds):.0f}" for rule in rules)


def _answers(case: Case, rule: GatewayTimeout, budget: float, load: float, seeds: int) -> float:
    asked = Scenario(
        Poisson(load * SLOTS / SECONDS),
        case.service,
        Client("caller", budget, "tells"),
        duration=EXECUTIONS * SECONDS / SLOTS,
    )
    runs = (simulate(asked, rule, slots=SLOTS, stop=case.stop, seed=seed) for seed in range(seeds))
    return mean(run.in_time for run in runs)
