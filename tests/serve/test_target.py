"""What a name such as `model:predict` stands for, and what is said of one that stands for nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from timeouts import ExecutionTimeout, QueueTimeout, Server, Stack, guard
from timeouts.serve.target import target

LIMITS = QueueTimeout(5) | ExecutionTimeout(1)


def predict(x: int) -> int:
    return x


class Model:
    def predict(self, x: int) -> int:
        return x

    @guard(LIMITS, slots=3)
    def guarded(self, x: int) -> int:
        return x

    @staticmethod
    def apart(x: int) -> int:
        return x

    def __call__(self, x: int) -> int:
        return x


async def application(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    made = ModuleType("a_model")
    made.__dict__.update(
        predict=predict,
        guarded=guard(LIMITS, slots=2, workers="thread")(predict),
        server=Server(predict, LIMITS, capacity=7),
        Model=Model,
        model=Model(),
        application=application,
        number=5,
        module=sys,
    )
    monkeypatch.setitem(sys.modules, "a_model", made)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return made


def test_a_function_has_no_limits() -> None:
    found = target("a_model:predict")
    assert (found.name, found.function, found.limits) == ("a_model:predict", predict, Stack())
    assert found.given == {}


def test_a_guard_has_its_own() -> None:
    found = target("a_model:guarded")
    assert found.function is predict
    assert found.limits == LIMITS
    assert (found.given["slots"], found.given["workers"]) == (2, "thread")


def test_a_server_has_its_own() -> None:
    found = target("a_model:server")
    assert found.function is predict
    assert (found.limits, found.given["capacity"]) == (LIMITS, 7)


def test_methods_of_an_instance() -> None:
    assert target("a_model:model.predict").function(x=3) == 3
    assert target("a_model:model").function(3) == 3
    assert target("a_model:Model.apart").function(3) == 3
    found = target("a_model:model.guarded")
    assert (found.function(4), found.limits) == (4, LIMITS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a_model", "MODULE:ATTRIBUTE"),
        ("a_model:", "MODULE:ATTRIBUTE"),
        (":predict", "MODULE:ATTRIBUTE"),
        ("", "MODULE:ATTRIBUTE"),
        (".a_model:predict", "MODULE:ATTRIBUTE"),
        ("no_such_model:predict", "no module 'no_such_model'"),
        ("a_model.sub:predict", "no module 'a_model.sub'"),
        ("a_model.py:predict", "write a_model:predict"),
        ("a_model:nothing", "a_model has no 'nothing'"),
        ("a_model:model.nothing", r"a_model has no 'model\.nothing'"),
        ("a_model:number", "must be a function, a guarded one, or a Server; it is 5"),
        ("a_model:module", "must be a function"),
        ("a_model:Model", "must be a function"),
        ("a_model:Model.predict", "serve that of an instance, model = Model()"),
        ("a_model:application", "is an ASGI application: put timeouts.adapters.asgi.Timeouts"),
    ],
)
def test_what_cannot_be_served_is_said(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")):
        target(name)


def test_modules_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model_of_here.py").write_text("def predict(): return 1")
    (tmp_path / "model_of_parts.py").write_text("import no_such_part")
    (tmp_path / "model_that_fails.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    assert target("model_of_here:predict").function() == 1
    with pytest.raises(
        ValueError, match="model_of_parts cannot be imported: No module named 'no_such_part'"
    ):
        target("model_of_parts:predict")
    with pytest.raises(ZeroDivisionError):
        target("model_that_fails:predict")
    monkeypatch.delitem(sys.modules, "model_of_here")
