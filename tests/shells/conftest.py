"""The benches that the conformance suite is played on."""

import pytest

from tests.shells.bench import BENCHES, UNLIMITED_BENCHES, Bench


@pytest.fixture(params=list(BENCHES.values()), ids=list(BENCHES))
def bench(request: pytest.FixtureRequest) -> type[Bench]:
    """A kind of bench."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=list(UNLIMITED_BENCHES.values()), ids=list(UNLIMITED_BENCHES))
def unlimited_bench(request: pytest.FixtureRequest) -> type[Bench]:
    """A kind of bench for scenarios without limits."""
    return request.param  # type: ignore[no-any-return]
