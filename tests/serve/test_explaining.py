"""`timeouts explain` of limits that learn: what they begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeouts.serve.explaining import explanation
from timeouts.serve.plan import plan


def predict(x: int) -> int:
    return x


@pytest.mark.parametrize(
    ("workers", "limit"),
    [
        ("process", "until there have been 200 executions"),
        ("thread", "it cannot be stopped, so there is nothing to learn"),
    ],
)
def test_what_learns_is_told_with_what_it_begins_with(
    tmp_path: Path, workers: str, limit: str
) -> None:
    config = tmp_path / "timeouts.toml"
    config.write_text(
        '[timeouts]\ngateway = { timeout = 30, reserve = "auto" }\n'
        'execution = { timeout = "auto", at_most = 60 }\n'
    )
    told = explanation(plan(f"{__name__}:predict", {"workers": workers}, config))
    lessons = [line for line in told.splitlines() if line.startswith("  learned: ")]
    assert len(lessons) == 2
    assert "a job that waits expires after 30 of 30 s: nothing is kept for the work" in lessons[0]
    assert lessons[1].endswith(f"work may take 60 s by at_most: {limit}")


def test_fixed_limits_have_nothing_to_learn(tmp_path: Path) -> None:
    config = tmp_path / "timeouts.toml"
    config.write_text("[timeouts]\nqueue = 5\nexecution = 60\n")
    assert "learned" not in explanation(plan(f"{__name__}:predict", {}, config))
