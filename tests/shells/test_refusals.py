"""Nonsense is refused where it is written; each message names the parameter and the value."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from timeouts import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    ProcessWorkers,
    QueueTimeout,
    Server,
    ShuttingDown,
    TaskWorkers,
    ThreadWorkers,
    guard,
)


def handler(x: Any = None) -> Any:
    return x


async def ahandler(x: Any = None) -> Any:
    return x


def stream() -> Any:
    yield 1


def with_budget(budget: float) -> float:
    return budget


def with_priority(*, priority: float) -> float:
    return priority


OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"slots": 0}, ValueError, "slots must be at least 1; got 0"),
    ({"slots": -1}, ValueError, "slots .* got -1"),
    ({"slots": 1.5}, TypeError, "slots .* got 1.5"),
    ({"slots": True}, TypeError, "slots .* got True"),
    ({"slots": "4"}, TypeError, "slots .* got '4'"),
    ({"slots": math.nan}, TypeError, "slots .* got nan"),
    ({"slots": math.inf}, ValueError, "slots must be a finite number for thread workers; got inf"),
    ({"capacity": -1}, ValueError, "capacity must be at least 0; got -1"),
    ({"capacity": None}, TypeError, "capacity .* got None"),
    (
        {"workers": "nope"},
        ValueError,
        "workers must be 'task' or 'thread' or 'process' or 'ray', .*got 'nope'",
    ),
    ({"workers": "task"}, TypeError, "task workers run async def handlers; handler is none"),
    ({"drain_timeout": 0}, ValueError, "drain_timeout .* got 0"),
    ({"drain_timeout": "soon"}, ValueError, "drain_timeout .* got 'soon'"),
    ({"observers": [print]}, TypeError, "observers .* got <built-in function print>"),
    ({"limits": 5}, (TypeError), "limits must be a policy .* got 5"),
    ({"limits": QueueTimeout}, TypeError, "limits must be a policy .* got <class"),
    ({"limits": FirstItemTimeout(1)}, ValueError, r"FirstItemTimeout\(1\) .* handler is no gen"),
    ({"limits": IdleTimeout(1)}, ValueError, r"IdleTimeout\(1\) .* handler is no generator"),
]


@pytest.mark.parametrize(("options", "kind", "message"), OPTIONS, ids=lambda v: str(v)[:30])
def test_a_server_refuses(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    """At construction."""
    with pytest.raises(kind, match=message):
        Server(handler, **options)


@pytest.mark.parametrize(("options", "kind", "message"), OPTIONS, ids=lambda v: str(v)[:30])
def test_a_guard_refuses(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    """At decoration, not at the first call."""
    limits = options.get("limits")
    rest = {name: value for name, value in options.items() if name != "limits"}
    if limits is not None and not isinstance(limits, (FirstItemTimeout, IdleTimeout)):
        message = (
            f"guard takes policies.*got .*{re.escape(str(getattr(limits, '__name__', limits)))}"
        )
    with pytest.raises(kind, match=message):
        guard(limits, **rest)(handler)


@pytest.mark.parametrize("bad", [None, 5, "handler"])
@pytest.mark.parametrize("use", [Server, guard(), QueueTimeout(1)])
def test_what_cannot_be_called_is_no_handler(use: Callable[[Any], Any], bad: Any) -> None:
    """The message shows what was given."""
    with pytest.raises(TypeError, match=f"handler must be callable; got {bad!r}"):
        use(bad)


@pytest.mark.parametrize("use", [Server, guard(), QueueTimeout(1)])
def test_a_class_is_no_handler(use: Callable[[Any], Any]) -> None:
    """Its instances are not what a limit on `__init__` would bound."""
    with pytest.raises(TypeError, match="not the class dict; guard the method"):
        use(dict)


def test_guard_without_parentheses() -> None:
    """The message shows how it is written."""
    with pytest.raises(TypeError, match=r"as in @guard\(ExecutionTimeout\(1\)\); got <function"):
        guard(handler)  # type: ignore[arg-type]


def test_an_unknown_option_is_a_type_error() -> None:
    """As for any function, and at decoration."""
    with pytest.raises(TypeError, match="slot"):
        guard(slot=3)(handler)  # type: ignore[call-arg]


def test_workers_must_fit_the_handler() -> None:
    """Threads run no coroutines."""
    for workers in ("thread", ThreadWorkers()):
        with pytest.raises(TypeError, match="thread workers run def handlers; ahandler is async"):
            Server(ahandler, workers=workers)
    with pytest.raises(TypeError, match="handler is none"):
        Server(handler, workers=TaskWorkers())


@pytest.mark.parametrize(
    ("value", "kind"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("2", TypeError)]
)
def test_thread_workers_refuse(value: Any, kind: type[Exception]) -> None:
    """A cap of abandoned threads is a whole number, one or more."""
    with pytest.raises(kind, match=f"max_abandoned .* got {value!r}"):
        ThreadWorkers(max_abandoned=value)


PROCESSES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"spares": -1}, ValueError, "spares must be at least 0; got -1"),
    ({"spares": True}, TypeError, "spares must be a whole number; got True"),
    ({"spares": "1"}, TypeError, "spares must be a whole number; got '1'"),
    ({"spares": math.inf}, TypeError, "spares must be a whole number; got inf"),
    ({"start_method": "x"}, ValueError, "start_method must be one of 'fork', .*'spawn'; got 'x'"),
    ({"start_method": None}, ValueError, "start_method must be one of .* got None"),
    ({"start_method": ["fork"]}, ValueError, r"start_method must be one of .* got \['fork'\]"),
    (
        {"preload": handler, "start_method": "spawn"},
        ValueError,
        "preload needs start_method=\"fork\".* got 'spawn': use setup=",
    ),
    (
        {"preload": handler, "start_method": "forkserver"},
        ValueError,
        "preload needs start_method=\"fork\".* got 'forkserver': use setup=",
    ),
    ({"preload": 3}, TypeError, "preload must be a function; got 3"),
    ({"preload": ahandler}, TypeError, "preload must be a plain function, .* got <function ahandl"),
    ({"setup": "model.load"}, TypeError, "setup must be a function; got 'model.load'"),
    ({"setup": ahandler}, TypeError, "setup must be a plain function, .* got <function ahandler"),
    ({"setup": stream}, TypeError, "setup must be a plain function, .* got <function stream"),
    ({"startup_timeout": 0}, ValueError, "startup_timeout must be more than zero .* got 0"),
    ({"startup_timeout": -1}, ValueError, "startup_timeout must be more than zero .* got -1"),
    ({"startup_timeout": math.nan}, ValueError, "startup_timeout must be .* got nan"),
    ({"startup_timeout": True}, TypeError, "startup_timeout must be seconds .* got True"),
    ({"startup_timeout": "soon"}, ValueError, "startup_timeout must be a duration .* got 'soon'"),
    ({"stacks": 1}, TypeError, "stacks must be True or False; got 1"),
    ({"stacks": None}, TypeError, "stacks must be True or False; got None"),
    ({"max_jobs": 0}, ValueError, "max_jobs must be at least 1; got 0"),
    ({"max_jobs": True}, TypeError, "max_jobs must be a whole number; got True"),
    ({"max_jobs": 1.5}, TypeError, "max_jobs must be a whole number; got 1.5"),
    ({"max_jobs": math.inf}, TypeError, "max_jobs must be a whole number; got inf"),
    ({"max_memory": 0}, ValueError, "max_memory must be at least 1; got 0"),
    ({"max_memory": "1G"}, TypeError, "max_memory must be a whole number; got '1G'"),
]


GRACES: list[tuple[Any, type[Exception], str]] = [
    (-1, ValueError, "must be zero or more seconds; got -1"),
    (math.nan, ValueError, "must be zero or more seconds; got nan"),
    (math.inf, ValueError, "must be a finite number of seconds; got inf"),
    (None, ValueError, "must be a finite number of seconds; got None"),
    (False, TypeError, "must be seconds .* got False"),
    ("", ValueError, "must be a duration .* got ''"),
    ([], TypeError, r"must be seconds .* got \[\]"),
]


@pytest.mark.parametrize(("options", "kind", "message"), PROCESSES, ids=lambda v: str(v)[:40])
def test_process_workers_refuse(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """Where they are written, before any process is made."""
    with pytest.raises(kind, match=message):
        ProcessWorkers(**options)


@pytest.mark.parametrize("name", ["term_grace", "stream_grace"])
@pytest.mark.parametrize(("value", "kind", "message"), GRACES, ids=lambda v: str(v)[:20])
def test_a_grace_is_finite(name: str, value: Any, kind: type[Exception], message: str) -> None:
    """It may be zero, but it must come to an end, or nothing would ever be killed."""
    with pytest.raises(kind, match=f"{name} {message}"):
        ProcessWorkers(**{name: value})


def test_process_workers_take_what_makes_sense() -> None:
    """The bounds themselves, and durations however they are written."""
    most = ProcessWorkers(
        setup=handler, preload=handler, spares=0, startup_timeout=None, stacks=False,
        term_grace=0, stream_grace="500ms", max_jobs=1, max_memory=1,  # type: ignore[arg-type]
    )  # fmt: skip
    assert (most.ladder.term_grace, most.stream_grace, most.startup_timeout) == (0, 0.5, math.inf)


@pytest.mark.parametrize("workers", ["process", ProcessWorkers()])
def test_process_workers_must_fit_the_handler(workers: Any) -> None:
    """They run plain functions, and never in unlimited numbers; no process is made to find out."""
    with pytest.raises(TypeError, match="process workers run def handlers; ahandler is async"):
        Server(ahandler, workers=workers)
    with pytest.raises(ValueError, match="finite number for process workers; got inf"):
        Server(handler, workers=workers, slots=math.inf)


def test_a_kind_of_workers_is_an_instance() -> None:
    """The message shows how it is written."""
    with pytest.raises(
        TypeError, match=r"workers must be an instance, ProcessWorkers\(\), not the"
    ):
        Server(handler, workers=ProcessWorkers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("soft", "kind", "message"),
    [
        (2, ValueError, "soft must be shorter than timeout, .* got soft=2, timeout=1"),
        (1, ValueError, "soft must be shorter than timeout, .* got soft=1, timeout=1"),
        (0, ValueError, "must be more than zero seconds.*; got 0"),
        (-1, ValueError, "must be more than zero seconds.*; got -1"),
        (math.nan, ValueError, "must be more than zero seconds.*; got nan"),
        (True, TypeError, "must be seconds .*; got True"),
    ],
    ids=str,
)
def test_a_soft_limit_is_a_duration_before_the_hard_one(
    soft: Any, kind: type[Exception], message: str
) -> None:
    """At the same instant it could not come first."""
    with pytest.raises(kind, match=f"ExecutionTimeout: .*{message}"):
        ExecutionTimeout(1, soft=soft)


SOFT = GatewayTimeout(5) | ExecutionTimeout(1, soft=0.5)


@pytest.mark.parametrize(
    ("function", "options", "name"),
    [
        (handler, {}, "thread"),
        (handler, {"workers": ThreadWorkers(max_abandoned=3)}, "thread"),
        (stream, {}, "thread"),
        (ahandler, {}, "task"),
        (ahandler, {"workers": "task"}, "task"),
    ],
)
def test_a_soft_limit_needs_process_workers(
    function: Callable[..., Any], options: dict[str, Any], name: str
) -> None:
    """Nothing would raise it elsewhere, so it is refused at construction, and at decoration."""
    message = (
        rf"ExecutionTimeout\(1, soft=0.5\) has a soft limit, which {name} workers cannot raise "
        'inside a handler: leave soft out, or use workers="process"'
    )
    with pytest.raises(ValueError, match=message):
        Server(function, SOFT, **options)
    with pytest.raises(ValueError, match=message):
        guard(SOFT, **options)(function)
    with pytest.raises(ValueError, match=message):
        ExecutionTimeout(1, soft=0.5)(function)


def test_a_soft_limit_fits_process_workers() -> None:
    """Nothing is started by looking."""
    Server(handler, SOFT, workers="process").close()


BUDGETS: list[tuple[Any, type[Exception]]] = [
    (0, ValueError),
    (0.0, ValueError),
    (-1, ValueError),
    (math.nan, ValueError),
    ("soon", ValueError),
    (True, TypeError),
    ([5], TypeError),
]


@pytest.mark.parametrize(("budget", "kind"), BUDGETS, ids=repr)
def test_a_budget_is_a_duration(budget: Any, kind: type[Exception]) -> None:
    """In every way of calling; what is refused has not arrived."""
    message = f"budget must .* got {re.escape(repr(budget))}"
    with Server(handler, GatewayTimeout(5)) as server:
        with pytest.raises(kind, match=message):
            server.call(1, budget=budget)
        with pytest.raises(kind, match=message):
            server.submit(1, budget=budget)
        with pytest.raises(kind, match=message):
            asyncio.run(server.acall(1, budget=budget))
        assert server.stats().arrived == 0


@pytest.mark.parametrize("priority", ["high", "", None, [], True, False, math.nan], ids=repr)
def test_a_priority_is_a_number(priority: Any) -> None:
    """One that can be ordered."""
    with Server(handler) as server:
        with pytest.raises(
            (TypeError, ValueError), match=f"priority .* got {re.escape(repr(priority))}"
        ):
            server.call(1, priority=priority)
        assert server.stats().arrived == 0


@pytest.mark.parametrize(
    ("function", "name"), [(with_budget, "budget"), (with_priority, "priority")]
)
def test_parameters_that_a_server_needs_for_itself(
    function: Callable[..., float], name: str
) -> None:
    """A handler may not have them, unless it is guarded: a guard passes everything on."""
    with pytest.raises(ValueError, match=f"{function.__name__} has a parameter '{name}'"):
        Server(function)
    guarded: Any = guard(ExecutionTimeout(5))(function)
    assert guarded(**{name: 7}) == 7
    guarded.close()


def test_a_closed_server_refuses_in_every_way() -> None:
    """With ShuttingDown, which says that nothing has started."""
    server = Server(handler)
    server.close()
    calls: list[Callable[[], Any]] = [
        lambda: server.call(1),
        lambda: asyncio.run(server.acall(1)),
        lambda: server.submit(1).result(),
    ]
    for call in calls:
        with pytest.raises(ShuttingDown) as caught:
            call()
        assert caught.value.started is False


def test_a_stream_has_no_future() -> None:
    """The message says what to do instead."""
    with (
        Server(stream) as server,
        pytest.raises(TypeError, match=r"stream gives a stream.*call\(\)"),
    ):
        server.submit()


@pytest.mark.parametrize("timeout", [0, -1, True, "soon"])
def test_a_drain_refuses_nonsense(timeout: Any) -> None:
    """And nothing is drained by it."""
    with Server(handler) as server:
        with pytest.raises((TypeError, ValueError), match=f"timeout .* got {timeout!r}"):
            server.drain(timeout)
        assert server.call(1) == 1


def test_a_guard_above_a_deployment_of_ray_serve_is_told_where_it_goes() -> None:
    """Ray's class compares in ways of its own, so it is recognised by where it comes from."""
    deployment = type("Deployment", (), {"__module__": "ray.serve.deployment"})()
    with pytest.raises(TypeError, match=r"guard goes below @serve\.deployment"):
        guard(ExecutionTimeout(1))(deployment)
