"""Flags go before the file, the file before the code, the code before the defaults; each for itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.classed import AliceFirst
from timeouts import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Job,
    Policy,
    ProcessWorkers,
    QueueTimeout,
    Stack,
    TaskWorkers,
    guard,
    policy,
)
from timeouts.adapters.classes import Classes
from timeouts.errors import QueueFull, QueueTimeoutError
from timeouts.serve.explaining import explanation, notes
from timeouts.serve.limits import DEFAULT_LIMIT
from timeouts.serve.plan import Plan, plan

pytestmark = pytest.mark.filterwarnings("ignore::timeouts.stack.UselessPolicyWarning")

KINDS = {"gateway": GatewayTimeout, "queue": QueueTimeout, "execution": ExecutionTimeout}
FILE, ROUTE = "[timeouts]", '[routes."/predict".timeouts]'


def predict(x: int) -> int:
    return x


def stream(n: int) -> Iterator[int]:
    yield n


async def apredict(x: int) -> int:
    return x


def starred(*args: int) -> None: ...


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    made = ModuleType("a_model")
    functions = (predict, stream, apredict, starred)
    made.__dict__.update({function.__name__: function for function in functions})
    monkeypatch.setitem(sys.modules, "a_model", made)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return made


def planned(name: str = "predict", text: str = "", **flags: Any) -> Plan:
    path = Path("timeouts.toml")
    path.write_text(text)
    return plan(f"a_model:{name}", flags)


def limits(*args: str, **flags: Any) -> dict[type, tuple[Any, str]]:
    (served, *_) = planned(*args, **flags).routes
    return {type(policy): (policy, source) for policy, source in served.policies}


def toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


CLASSES = """
[serve.classes]
tenant = "X-Tenant"
priority = "x-priority"
levels = { interactive = 0, batch = 10 }
default = "interactive"
"""
SAYINGS = st.dictionaries(st.sampled_from(list(KINDS)), st.integers(1, 99) | st.just("none"))


@given(st.dictionaries(st.sampled_from(list(KINDS)), st.integers(1, 99)), SAYINGS, SAYINGS, SAYINGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_precedence_each_kind_is_the_last_party_s_word(
    code: dict[str, int], file: dict[str, Any], route: dict[str, Any], flags: dict[str, Any]
) -> None:
    """The oracle is one dict, updated from the code to the flags."""
    stack = Stack(*(KINDS[kind](value) for kind, value in code.items()))
    sys.modules["a_model"].__dict__["coded"] = guard(stack)(predict)
    text = "[timeouts]\n" + "".join(f"{kind} = {toml(value)}\n" for kind, value in file.items())
    text += ROUTE + "\n" + "".join(f"{kind} = {toml(value)}\n" for kind, value in route.items())
    said: dict[str, tuple[Any, str]] = {kind: (value, "code") for kind, value in code.items()}
    said |= {kind: (value, f"timeouts.toml {FILE}") for kind, value in file.items()}
    said |= {kind: (value, f"timeouts.toml {ROUTE}") for kind, value in route.items()}
    said |= {kind: (value, f"--{kind}-timeout") for kind, value in flags.items()}
    if not said.keys() - {"queue"}:
        said["execution" if said else "gateway"] = (DEFAULT_LIMIT, "default")

    given_flags = {f"{kind}_timeout": str(value) for kind, value in flags.items()}
    assert limits("coded", text, **given_flags) == {
        KINDS[kind]: (KINDS[kind](value), source)
        for kind, (value, source) in said.items()
        if value != "none"
    }


SLOTS = st.none() | st.integers(1, 9)


@given(SLOTS, SLOTS, SLOTS, SLOTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_precedence_of_options(
    code: int | None, serve: int | None, route: int | None, flag: int | None
) -> None:
    sys.modules["a_model"].__dict__["coded"] = guard(workers="thread", slots=code)(predict)
    text = "" if serve is None else f"[serve]\nslots = {serve}\n"
    text += "" if route is None else f'[routes."/predict"]\nslots = {route}\n'
    sources = [
        (flag, "--slots"),
        (route, 'timeouts.toml [routes."/predict"]'),
        (serve, "timeouts.toml [serve]"),
        (code, "code"),
    ]
    (served,) = planned("coded", text, slots=flag).routes
    wanted = next((one for one in sources if one[0] is not None), None)
    if wanted is None:
        assert served.options["slots"].source == "default"
    else:
        assert served.options["slots"] == wanted


def test_who_says_nothing_gets_finite_limits() -> None:
    assert limits() == {GatewayTimeout: (GatewayTimeout(30), "default")}
    assert limits("stream") == {
        FirstItemTimeout: (FirstItemTimeout(30), "default"),
        IdleTimeout: (IdleTimeout(30), "default"),
    }


def test_a_limit_of_the_wait_alone_leaves_the_work_a_default_one() -> None:
    """A predict that hangs must not hang its clients."""
    assert set(limits(queue_timeout="5")) == {QueueTimeout, ExecutionTimeout}
    assert set(limits("stream", queue_timeout="5")) == {QueueTimeout, FirstItemTimeout, IdleTimeout}
    assert set(limits("stream", "[timeouts]\nfirst_item = 3")) == {FirstItemTimeout, IdleTimeout}


def test_none_means_none() -> None:
    assert limits(gateway_timeout="none") == {}
    assert limits("stream", "[timeouts]\nidle = 'None'") == {}


@policy
class Patience(Policy):
    """A rule of the user's own."""

    patience: float

    def deadline(self, job: Job) -> float:
        return job.arrived + self.patience


def test_a_policy_of_the_user_s_own_stays_and_is_the_innermost(module: ModuleType) -> None:
    stack = Stack(Patience(1), ExecutionTimeout(3))
    module.__dict__["coded"] = guard(stack)(predict)
    (served,) = planned("coded", queue_timeout="5").routes
    assert served.limits == Stack(QueueTimeout(5), ExecutionTimeout(3), Patience(1))
    assert limits("coded", execution_timeout="none").keys() == {Patience}


def test_the_order_is_that_of_the_intervals_whoever_says_it_when() -> None:
    text = "[timeouts]\nexecution = 1\nqueue = 2\ngateway = 4"
    (served,) = planned("predict", text).routes
    assert served.limits == GatewayTimeout(4) | QueueTimeout(2) | ExecutionTimeout(1)


def test_a_reserve_is_of_whatever_gateway_timeout_there_is() -> None:
    text = "[timeouts]\ngateway = 10"
    assert limits("predict", text, reserve="2") == {
        GatewayTimeout: (GatewayTimeout(10, 2), "timeouts.toml [timeouts], --reserve")
    }
    assert limits(reserve="2") == {GatewayTimeout: (GatewayTimeout(30, 2), "default, --reserve")}


def test_workers_and_what_they_are_by_default(module: ModuleType) -> None:
    (served,) = planned("apredict").routes
    assert served.options["workers"] == ("task", "default")
    assert isinstance(served.kind, TaskWorkers)
    assert served.kind.own_loop, "or a handler that blocks would block the server"
    workers = ProcessWorkers(spares=1)
    module.__dict__["coded"] = guard(workers=workers)(predict)
    (served,) = planned("coded").routes
    assert served.kind is workers
    (served,) = planned("coded", workers="thread").routes
    assert served.options["workers"] == ("thread", "--workers")


def test_options_of_the_whole() -> None:
    whole = planned("predict", "[serve]\nport = 1\nbody_timeout = '500ms'", port=2).options
    assert whole["port"] == (2, "--port")
    assert whole["body_timeout"] == (0.5, "timeouts.toml [serve]")
    assert whole["host"] == ("127.0.0.1", "default")
    assert planned("predict", "[serve]\nport = 1").options["port"].value == 1


def test_budgets_and_statuses() -> None:
    text = '[serve]\nbudgets = ["grpc-timeout"]\nstatuses = { queue_timeout = 504 }'
    made = planned("predict", text)
    assert made.budgets.names == ("grpc-timeout",)
    assert made.statuses.of(QueueTimeoutError()) == (504, "UNAVAILABLE")
    assert made.statuses.of(QueueFull()).http == 429


def test_classes() -> None:
    """The table has the arguments of `Classes`; without it nothing is read."""
    made = planned("predict", CLASSES).classes
    levels = {"interactive": 0, "batch": 10}
    assert made == Classes(
        tenant="x-tenant", priority="x-priority", levels=levels, default="interactive"
    )
    assert planned("predict", "[serve]\nport = 1").classes == Classes()


def test_classes_are_explained() -> None:
    told = explanation(planned("predict", CLASSES))
    assert "\n  the tenant is read from x-tenant\n" in told
    line = "the priority is read from x-priority: interactive 0, batch 10; else interactive"
    assert told.endswith(f"\n  {line}")
    assert "is read from" not in explanation(planned())


def unheeded_of(made: Plan, classes: Classes) -> list[str]:
    return [note for note in notes(made.routes[0], classes) if note.startswith("unheeded")]


@pytest.mark.parametrize(
    ("discipline", "unheeded"),
    [
        ("fifo", {"priority", "tenant"}),
        ("earliest-deadline-first", {"priority", "tenant"}),
        ("priority", {"tenant"}),
        ("fair-share", {"priority"}),
    ],
)
def test_what_a_discipline_does_not_look_at_is_told(discipline: str, unheeded: set[str]) -> None:
    made = planned("predict", f'[serve]\ndiscipline = "{discipline}"\n{CLASSES}')
    assert unheeded_of(made, made.classes) == [
        f"unheeded: {discipline} looks at no {what}, so x-{what} changes no order"
        for what in ("priority", "tenant")
        if what in unheeded
    ]
    assert not unheeded_of(made, Classes())


def test_a_discipline_from_the_code_may_look_at_anything(module: ModuleType) -> None:
    module.__dict__["coded"] = guard(GatewayTimeout(5), discipline=AliceFirst)(predict)
    made = planned("coded", CLASSES)
    assert not unheeded_of(made, made.classes)


def test_the_command_line_says_what_predict_is() -> None:
    made = planned("predict", '[routes."/stream"]\nhandler = "a_model:stream"\ncapacity = 3')
    assert [served.path for served in made.routes] == ["/predict", "/stream"]
    assert made.routes[1].options["capacity"].value == 3
    assert made.routes[0].options["capacity"].value == 1000


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[serve]\nport = 5")
    (tmp_path / "timeouts.toml").write_text("[serve]\nport = 6")
    made = plan("a_model:predict", {}, Path("other.toml"))
    assert made.options["port"] == (5, "other.toml [serve]")


@pytest.mark.parametrize(
    ("name", "text", "flags", "said"),
    [
        (
            "predict",
            "[timeouts]\nqueue = -1",
            {},
            "timeouts.toml [timeouts]: QueueTimeout: timeout must",
        ),
        (
            "predict",
            "[timeouts]\nqueeue = 1",
            {},
            "timeouts.toml [timeouts]: 'queeue' is no policy",
        ),
        (
            "predict",
            "[timeouts]\ngateway = { timout = 1 }",
            {},
            "timeouts.toml [timeouts]: GatewayTimeout",
        ),
        ("predict", "[timeouts]\nidle = 1", {}, "timeouts.toml [timeouts]: IdleTimeout(1) bounds"),
        ("predict", ROUTE + "\nqueue = true", {}, f"timeouts.toml {ROUTE}: QueueTimeout: "),
        ("predict", "", {"queue_timeout": "x"}, "--queue-timeout: QueueTimeout: timeout must be"),
        ("predict", "", {"execution_timeout": "3", "reserve": "1"}, "--reserve is held back from"),
        ("predict", "", {"gateway_timeout": "3", "reserve": "4"}, "--reserve: "),
        ("predict", "", {"port": 65536}, "--port: port must be at most 65535; got 65536"),
        ("predict", "", {"port": -1}, "--port: port must be at least 0"),
        ("predict", "[serve]\nport = -1", {}, "timeouts.toml [serve]: port must be at least 0"),
        ("predict", "[serve]\nmax_body = -1", {}, "timeouts.toml [serve]: max_body must be"),
        (
            "predict",
            "[serve]\nbody_timeout = 'x'",
            {},
            "timeouts.toml [serve]: body_timeout must be",
        ),
        (
            "predict",
            "[serve]\nwrite_timeout = 0",
            {},
            "timeouts.toml [serve]: write_timeout must be",
        ),
        ("predict", "", {"drain_timeout": "0"}, "--drain-timeout: drain_timeout must be"),
        ("predict", "", {"slots": 0}, "--slots: slots must be at least 1; got 0"),
        ("predict", "[serve]\ncapacity = -1", {}, "timeouts.toml [serve]: capacity must be at"),
        (
            "predict",
            '[routes."/predict"]\nslots = 0',
            {},
            'timeouts.toml [routes."/predict"]: slots',
        ),
        ("predict", "", {"workers": "gpu"}, "--workers: workers must be 'task' or"),
        ("predict", "", {"workers": "task"}, "--workers: task workers run async def"),
        ("apredict", "", {"workers": "process"}, "--workers: process workers run def"),
        (
            "predict",
            "[timeouts]\nexecution = { timeout = 2, soft = 1 }",
            {},
            "timeouts.toml [timeouts]: ExecutionTimeout(2, soft=1) has a soft limit",
        ),
        ("predict", "[serve]\nbudgets = ['x']", {}, "timeouts.toml [serve] budgets: "),
        (
            "predict",
            "[serve.classes]\ntenant = 'x tenant'",
            {},
            "timeouts.toml [serve.classes]: tenant must be the name of a header",
        ),
        (
            "predict",
            "[serve.classes]\npriority = 'x-priority'",
            {},
            "timeouts.toml [serve.classes]: levels must list",
        ),
        (
            "predict",
            "[serve.statuses]\nlate = 504",
            {},
            "timeouts.toml [serve] statuses: 'late' is no",
        ),
        ("predict", "[serve.statuses]\nqueue_full = 200", {}, "queue_full must be from 400 to 599"),
        ("predict", "[routes.'/live']\nhandler = 'a_model:predict'", {}, "got '/live'"),
        ("predict", "[routes.'/page/x']\nhandler = 'a_model:predict'", {}, "got '/page/x'"),
        ("predict", "[routes.'/a{b}']\nhandler = 'a_model:predict'", {}, "got '/a{b}'"),
        ("predict", "[routes.'a']\nhandler = 'a_model:predict'", {}, "got 'a'"),
        (
            "predict",
            "[routes.'/a']\nslots = 1",
            {},
            'timeouts.toml [routes."/a"]: handler is missing',
        ),
        (
            "predict",
            "[routes.'/predict']\nhandler = 'a:b'",
            {},
            "is the command line's; leave it out",
        ),
        ("predict", "[routes.'/a']\nhandler = 'a_model:none'", {}, "a_model has no 'none'"),
        ("starred", "", {}, "a_model:starred takes *args"),
    ],
)
def test_an_error_says_whose_word_it_is(
    name: str, text: str, flags: dict[str, Any], said: str
) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        planned(name, text, **flags)
    assert said in str(caught.value)
