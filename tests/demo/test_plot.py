"""The picture: drawn from a simulated run, and looked at through its parts."""

from pathlib import Path

import pytest

from tests.demo.simulation import LIMITS, Simulation, request, simulate
from timeouts.demo.schedule import schedule

pytest.importorskip("matplotlib")

from timeouts.demo.plot import draw, save

RUN, UNTIL = Simulation(schedule(seconds=10, rate=5, slots=2, seed=31, images=9), slots=2).run()


def test_every_request_and_every_worker_has_its_row() -> None:
    requests, workers = draw(RUN, 2, UNTIL, LIMITS, "abandon").axes
    assert len(requests.get_yticklabels()) == len(RUN)
    assert [label.get_text() for label in workers.get_yticklabels()] == ["worker 1", "worker 2"]


def test_it_says_what_is_what() -> None:
    figure = draw(RUN, 2, UNTIL, LIMITS, "abandon")
    words = " ".join(text.get_text() for text in [*figure.texts, *figure.legends[0].get_texts()])
    for said in ("waiting: at most 0.8 s (QueueTimeout)", "abandoned", "deadline", "all workers"):
        assert said in words
    notes = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "told at its deadline" in notes
    assert "every worker was stuck for 2." in notes


def test_a_run_with_kills_says_so() -> None:
    requests = schedule(seconds=10, rate=5, slots=2, seed=31, images=9)
    records, until = Simulation(requests, 2, "kill").run()
    figure = draw(records, 2, until, LIMITS, "kill")
    assert "its worker is being killed" in figure.legends[0].get_texts()[2].get_text()
    notes = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "its worker was killed, and dead 125.0 ms after that" in notes
    assert "nothing can stop" not in notes


def test_a_calm_run_gets_no_notes() -> None:
    records = simulate(request(1, at=0, cost=0.25), slots=2)
    (name,) = draw(records, 2, 1.0, LIMITS, "abandon").axes[0].texts
    assert name.get_text() == "request"


@pytest.mark.parametrize(
    ("until", "ending"), [(0.0, "png"), (0.3, "svg"), (3.0, "pdf"), (7.0, "png")]
)
def test_it_is_saved_wherever_the_run_was_cut(until: float, ending: str, tmp_path: Path) -> None:
    requests = schedule(seconds=10, rate=5, slots=2, seed=31, images=9)
    records, _ = Simulation(requests, slots=2).run(until)
    file = tmp_path / f"run.{ending}"
    save(file, records, 2, until, LIMITS, "abandon")
    assert file.stat().st_size > 1000
