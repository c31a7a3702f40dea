"""Five hundred random rounds under the strictest eyes that Python has, and nothing is left of them."""

from __future__ import annotations

import os
import random

import pytest

from tests.processes.house import Script

pytestmark = pytest.mark.realtime

ROUNDS = 500
COMPLAINTS = ("Warning", "Exception ignored", "was destroyed", "never retrieved", "care of worker")


def test_the_books_balance_after_each_of_many_rounds() -> None:
    """`ROUNDS_SEED=` repeats one; what has happened before a failure is told with it."""
    seed = os.environ.get("ROUNDS_SEED") or str(random.randrange(1_000_000))
    with Script(
        "from tests.processes.rounds import main; main()",
        arguments=(seed, str(ROUNDS)),
        flags=("-X", "dev", "-W", "error"),
        env={"PYTHONDEVMODE": "1"},
    ) as script:
        code, out, err = script.end(seconds=55)
    assert code == 0, f"ROUNDS_SEED={seed}\n{out}{err[-5000:]}"
    assert out.splitlines()[-1] == "well"
    complaints = [line for line in err.splitlines() if any(bad in line for bad in COMPLAINTS)]
    assert complaints == [], f"ROUNDS_SEED={seed}\n{err[-5000:]}"
