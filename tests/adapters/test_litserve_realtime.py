"""Each kind of LitAPI that answers at once, under limits, in one real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.adapters.asgi_servers import PATIENCE, eventually
from tests.adapters.litserve_servers import Served, served, took

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

WHOLE = ("/plain", "/typed", "/batched")
LONG = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served("whole", tmp_path_factory.mktemp("whole")) as server:
        yield server


def test_who_is_in_time_notices_nothing(server: Served) -> None:
    plain = server.ask("/plain").json()
    assert (plain["name"], plain["device"], plain["mine"]) == ("model on cpu", "cpu", True)
    assert server.ask("/typed").json()["name"] == "model on cpu"
    assert server.ask("/batched", tag="mine").json()["tag"] == "mine"
    assert server.ask("/async").status_code == 200


def test_the_model_is_in_a_process_of_its_own(server: Served) -> None:
    pid = server.ask("/plain").json()["answer"]
    assert pid not in server.workers()
    assert server.ask("/plain").json()["answer"] == pid
    assert (server.marks / f"setup-{pid}").exists()
    assert server.ask("/async").json()["answer"] in server.workers()


def test_requests_are_batched_as_before(server: Served) -> None:
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(server.ask, "/batched", tag=number) for number in range(4)]
        answers = [future.result().json() for future in asked]
    assert [answer["tag"] for answer in answers] == [0, 1, 2, 3]
    assert max(answer["size"] for answer in answers) > 1


@pytest.mark.parametrize("path", WHOLE)
def test_work_that_hangs_is_answered_on_time_and_stopped(server: Served, path: str) -> None:
    before = server.ask(path).json()["answer"]
    began = time.monotonic()
    answer = server.ask(path, do="sleep", seconds=LONG)
    assert 1 <= took(began) < PATIENCE
    told = answer.json()
    assert (answer.status_code, told["error"], told["limit"]) == (504, "execution_timeout", 1.0)
    assert answer.headers["content-type"] == "application/problem+json"
    assert server.ask(path).json()["answer"] != before
    assert before not in server.processes()


def test_a_coroutine_that_hangs_is_answered_on_time_and_cancelled(server: Served) -> None:
    answer = server.ask("/async", do="sleep", seconds=LONG, cancelled="was-cancelled")
    assert (answer.status_code, answer.json()["error"]) == (504, "execution_timeout")
    eventually((server.marks / "was-cancelled").exists)


def test_the_callers_budget_reaches_the_work(server: Served) -> None:
    left = server.ask("/plain", do="left").json()["answer"]
    assert 0 < left <= 1
    headers = {"x-request-timeout-seconds": "0.5"}
    for path in ("/plain", "/typed", "/async"):
        answer = server.client.post(path, json={"do": "left"}, headers=headers)
        assert 0 < answer.json()["answer"] <= 0.5
        answer = server.client.post(path, json={"do": "sleep", "seconds": LONG}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (504, "gateway_timeout")
        assert server.ask(path).status_code == 200  # it was stopped at that instant


def test_errors_of_the_handlers_own_are_told_as_litserve_does(server: Served) -> None:
    for path in (*WHOLE, "/async"):
        answer = server.ask(path, do="boom")
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error"})
        answer = server.ask(path, do="refuse")
        assert (answer.status_code, answer.json()) == (418, {"detail": "no coffee here"})
    assert "ValueError: the handler's own" in server.log
    assert "line" in server.log.partition("ValueError: the handler's own")[0]
    assert server.client.post("/typed", json={"seconds": "soon"}).status_code == 422


def test_a_result_that_cannot_be_sent_is_a_500_and_explained_in_the_log(server: Served) -> None:
    assert server.ask("/plain", do="function").status_code == 500
    assert "PayloadError: the result of the handler cannot be sent back" in server.log
    assert server.ask("/batched", do="lose").status_code == 500
    assert "predict and unbatch gave 0 outputs for a batch of 1" in server.log


def test_a_process_that_dies_is_told_and_replaced(server: Served) -> None:
    answer = server.ask("/plain", do="die")
    assert (answer.status_code, answer.json()["error"]) == (502, "worker_lost")
    assert server.ask("/plain").status_code == 200


def test_who_waits_behind_work_that_hangs_is_told_with_the_code_that_was_chosen(
    server: Served,
) -> None:
    with ThreadPoolExecutor() as threads:
        held = threads.submit(server.ask, "/plain", do="sleep", seconds=LONG, mark="holds")
        eventually((server.marks / "holds").exists)
        began = time.monotonic()
        answer = server.ask("/plain")
        assert 0.5 <= took(began) < PATIENCE
        assert not held.done()
        assert (answer.status_code, answer.json()["error"]) == (504, "queue_timeout")
        assert server.ask("/typed").status_code == 200  # which has workers of its own
        assert held.result().status_code == 504


def test_coroutines_run_side_by_side(server: Served) -> None:
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(server.ask, "/async", do="sleep", seconds=0.5) for _ in range(8)]
        assert {future.result().status_code for future in asked} == {200}


def test_forms_reach_the_work(server: Served) -> None:
    answer = server.client.post("/plain", data={"do": "left"})
    assert 0 < answer.json()["answer"] <= 1
