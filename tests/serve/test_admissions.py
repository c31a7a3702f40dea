"""`admission = "..."`: rules by name, for serving and for its simulation, out of one table."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from timeouts import Admission, CoDel, GatewayTimeout, PredictedWait, admission, cli, guard
from timeouts.serve.admissions import ADMISSIONS
from timeouts.serve.explaining import explanation
from timeouts.serve.gateway import Gateway
from timeouts.serve.plan import Plan, plan

testing = pytest.importorskip("typer.testing")


def predict(x: int) -> int:
    return x


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ModuleType("a_model")
    made.__dict__["predict"] = predict
    for name, rule in {"coded": CoDel(), "own": CoDel(target=1)}.items():
        made.__dict__[name] = guard(GatewayTimeout(5), admission=rule)(predict)
    monkeypatch.setitem(sys.modules, "a_model", made)
    monkeypatch.chdir(tmp_path)


def planned(name: str = "predict", text: str = "") -> Plan:
    Path("timeouts.toml").write_text(text, encoding="utf-8")
    return plan(f"a_model:{name}", {})


def chosen(*args: str) -> tuple[Any, str]:
    return tuple(planned(*args).routes[0].options["admission"])


def test_every_rule_has_a_name() -> None:
    rules = {getattr(admission, name) for name in admission.__all__}
    public = {rule for rule in rules if issubclass(rule, Admission)} - {Admission}
    assert {type(rule) for rule in ADMISSIONS.values() if rule is not None} == public
    assert list(ADMISSIONS) == ["none", "codel", "predicted-wait"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("predict", "", ("none", "default")),
        ("predict", '[serve]\nadmission = "codel"', ("codel", "timeouts.toml [serve]")),
        ("coded", "", ("codel", "code")),
        ("own", "", (CoDel(target=1), "code")),
        ("coded", '[serve]\nadmission = "none"', ("none", "timeouts.toml [serve]")),
        (
            "coded",
            '[serve]\nadmission = "none"\n[routes."/predict"]\nadmission = "predicted-wait"',
            ("predicted-wait", 'timeouts.toml [routes."/predict"]'),
        ),
    ],
)
def test_the_file_goes_before_the_code(name: str, text: str, expected: tuple[Any, str]) -> None:
    assert chosen(name, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[serve]\nadmission = "codle"',
            r"\[serve\]: admission must be one of none, codel, predicted-wait; got 'codle'",
        ),
        (
            '[serve]\ndiscipline = "lifo"\nadmission = "predicted-wait"',
            r"\[serve\]: PredictedWait needs a discipline that can say who is ahead",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned("predict", text)


def test_it_is_explained() -> None:
    assert "admission" in explanation(planned("predict", '[serve]\nadmission = "codel"'))


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("predict", "", None),
        ("predict", '[serve]\nadmission = "predicted-wait"', PredictedWait()),
        ("own", "", CoDel(target=1)),
    ],
)
def test_a_server_is_made_with_it(name: str, text: str, rule: Admission | None) -> None:
    gateway = Gateway(planned(name, text), {})
    assert gateway.servers["/predict"].given["admission"] == rule


CONFIG = """
[timeouts]
gateway = { timeout = "1s", reserve = "500ms" }
[serve]
slots = 1
"""


@pytest.mark.parametrize(
    ("text", "arguments", "refused"),
    [
        ("", (), False),
        ("", ("--admission", "predicted-wait"), True),
        ('admission = "predicted-wait"', (), True),
        ('admission = "predicted-wait"', ("--admission", "none"), False),
    ],
)
def test_a_simulation_lets_in_as_the_server_would(
    text: str, arguments: tuple[str, ...], refused: bool
) -> None:
    Path("timeouts.toml").write_text(CONFIG + text, encoding="utf-8")
    code, output = simulated(*arguments)
    assert code == 0, output
    assert ("wait_too_long" in output) == refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--admission", "codle"), "--admission: admission must be one of none, .*; got 'codle'"),
        (
            ("--admission", "predicted-wait", "--discipline", "lifo"),
            r"--admission: PredictedWait needs a discipline that can say",
        ),
    ],
)
def test_a_simulation_of_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], words: str
) -> None:
    Path("timeouts.toml").write_text(CONFIG, encoding="utf-8")
    code, output = simulated(*arguments)
    assert (code, output.count("\n")) == (1, 1)
    assert re.search(words, output), output


def simulated(*arguments: str) -> tuple[int, str]:
    shape = ("--service", "constant:0.1", "--duration", "5", "--load", "3")
    words = ["simulate", "timeouts.toml", *shape, *arguments]
    done = testing.CliRunner().invoke(cli.app(), words, env={"COLUMNS": "200"})
    return done.exit_code, done.output
