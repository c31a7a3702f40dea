"""The benches that the conformance suite is played on."""

from collections.abc import Mapping

import pytest

from tests.shells.bench import (
    Bench,
    BlockingTaskBench,
    TaskBench,
    ThreadBench,
    ThreadFromTasksBench,
)
from tests.shells.process_bench import ProcessBench, ProcessFromTasksBench

LASTING: dict[str, type[Bench]] = {
    "thread": ThreadBench,
    "task": TaskBench,
    "task called from threads": BlockingTaskBench,
}
BENCHES: dict[str, type[Bench]] = {**LASTING, "process": ProcessBench}
UNLIMITED: dict[str, type[Bench]] = {
    **BENCHES,
    "thread called from tasks": ThreadFromTasksBench,
    "process called from tasks": ProcessFromTasksBench,
}


def each_of(benches: Mapping[str, type[Bench]]) -> list[object]:
    """Make a parameter of each; processes live in real time, whatever clock their server has."""
    return [
        pytest.param(kind, id=name, marks=[pytest.mark.realtime] if kind.far else [])
        for name, kind in benches.items()
    ]


@pytest.fixture(params=each_of(BENCHES))
def bench(request: pytest.FixtureRequest) -> type[Bench]:
    """A kind of bench."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=each_of(LASTING))
def lasting_bench(request: pytest.FixtureRequest) -> type[Bench]:
    """A kind of bench for work that outlasts its deadline, since nothing can kill it."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=each_of(UNLIMITED))
def unlimited_bench(request: pytest.FixtureRequest) -> type[Bench]:
    """A kind of bench for scenarios without limits."""
    return request.param  # type: ignore[no-any-return]
