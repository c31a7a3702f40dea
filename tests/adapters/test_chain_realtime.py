"""A budget travels through three services in a row, each a process of its own, and shrinks on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, UVICORN, serving
from timeouts.adapters.headers import MARGIN

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

SERVICE = "tests.adapters.chain_service:limited"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of the first service, whose next is the second, whose next is the third."""
    logs: Path = tmp_path_factory.mktemp("chain")
    with ExitStack() as services:
        address = ""
        for name in ("third", "second", "first"):
            env = {"NEXT_SERVICE": address}
            address = services.enter_context(serving(SERVICE, UVICORN, logs / name, env))
        ask(address, 50)  # until they are all there
        yield address


def ask(address: str, seconds: float) -> httpx.Response:
    headers = {"x-request-timeout-seconds": str(seconds)}
    return httpx.get(address, headers=headers, timeout=2 * PATIENCE, trust_env=False)


def test_a_budget_shrinks_from_service_to_service(first: str) -> None:
    """By the margin at least. A busy machine may use up the second on the way, and is asked again."""
    answers = (ask(first, 1.0) for _ in range(20))
    answer = next(answer for answer in answers if answer.is_success)
    one, two, three = answer.json()
    assert 1.0 >= one > two + MARGIN > three + 2 * MARGIN > 0


def test_without_a_budget_the_limits_of_the_first_hold_for_all(first: str) -> None:
    one, two, three = httpx.get(first, timeout=2 * PATIENCE, trust_env=False).json()
    assert 60 >= one > two > three > 30


def test_a_budget_that_is_used_up_ends_where_it_is(first: str) -> None:
    """The first has no time to ask the second: it is told by its own 504."""
    answer = ask(first, MARGIN)
    assert answer.status_code == 504
    assert answer.json()["error"] == "gateway_timeout"
