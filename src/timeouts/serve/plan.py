"""What is in force, and from where: flags, then the file, then the code, then the defaults.

Law: each limit and each option is decided by itself. A flag for the queue leaves the gateway's limit
to the file, and what nobody has set to its default.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from timeouts.adapters.classes import NO_CLASSES, Classes
from timeouts.adapters.headers import Budgets
from timeouts.deadline import seconds
from timeouts.errors import TimeoutsError
from timeouts.handler import Handler, handler_of
from timeouts.options import checked_admission, checked_count, checked_limits, whole_number
from timeouts.serve import admissions
from timeouts.serve.disciplines import DEFAULT, maker, named
from timeouts.serve.file import NAME, Classification, Settings, read
from timeouts.serve.limits import Chosen, blaming, policies
from timeouts.serve.parameters import Parameters
from timeouts.serve.target import Target, target
from timeouts.stack import Stack
from timeouts.statuses import HANDLER_FAILED, STATUSES, Status, Statuses
from timeouts.workers import TaskWorkers, WorkerKind, worker_kind

PREDICT = "/predict"
RESERVED = ("/", "/events", "/live", "/metrics", "/openapi.json", "/page", "/ready", "/stats")
_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)
_POLICY_FLAGS = {
    "gateway": "gateway_timeout",
    "queue": "queue_timeout",
    "execution": "execution_timeout",
}
_POOLED = {
    "workers": None,
    "slots": None,
    "capacity": 1000,
    "discipline": DEFAULT,
    "admission": admissions.NOBODY,
}


def _port(value: Any) -> int:
    if whole_number("port", value, least=0) > 65535:
        raise ValueError(f"port must be at most 65535; got {value!r}")
    return int(value)


def _duration(name: str, default: float) -> tuple[float, Callable[[Any], Any]]:
    return default, partial(seconds, name=name)


_WHOLE: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "host": ("127.0.0.1", str),
    "port": (8000, _port),
    "drain_timeout": _duration("drain_timeout", 30.0),
    "body_timeout": _duration("body_timeout", 30.0),
    "write_timeout": _duration("write_timeout", 30.0),
    "max_body": (64 * 2**20, partial(checked_count, "max_body", least=0)),
}


@dataclasses.dataclass(frozen=True)
class Served:
    """One route: its handler, the policies it is under, and its options, each with its source."""

    path: str
    target: Target
    handler: Handler
    parameters: Parameters
    policies: tuple[Chosen, ...]
    options: Mapping[str, Chosen]

    @property
    def limits(self) -> Stack:
        """The stack that the policies make."""
        return Stack(*(chosen.value for chosen in self.policies))

    @property
    def kind(self) -> WorkerKind:
        """Its workers. Tasks have a loop of their own: a handler that blocks it blocks no one else."""
        return _kind(self.handler, self.options["workers"].value)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that a server is to do."""

    routes: tuple[Served, ...]
    options: Mapping[str, Chosen]
    budgets: Budgets
    classes: Classes
    statuses: Statuses


def plan(name: str, flags: Mapping[str, Any], config: Path | None = None) -> Plan:
    """Put together what flags, file and code say.

    Args:
        name: the handler of `/predict`, as `MODULE:ATTRIBUTE`.
        flags: what the command line says, by the options' names; None where it says nothing.
        config: the file; without one, `timeouts.toml` in the working directory if it is there.

    Raises:
        ValueError: something makes no sense; the message says what, and from where.
    """
    path = config or (Path(NAME) if Path(NAME).exists() else None)
    settings = Settings() if path is None else read(path)
    said = _Said(flags, settings, str(path))
    options = {option: said.whole(option, *rule) for option, rule in _WHOLE.items()}
    with blaming(f"{path} [serve] budgets"):
        budgets = Budgets(*settings.serve.budgets or ())
    with blaming(f"{path} [serve.classes]"):
        classes = _classes(settings.serve.classes)
    with blaming(f"{path} [serve] statuses"):
        statuses = _statuses(settings.serve.statuses)
    return Plan(tuple(said.routes(name)), options, budgets, classes, statuses)


class _Said:
    """What each party says."""

    def __init__(self, flags: Mapping[str, Any], settings: Settings, path: str) -> None:
        self._flags = flags
        self._settings = settings
        self._path = path

    def whole(self, option: str, default: Any, check: Callable[[Any], Any]) -> Chosen:
        """Choose an option of the whole server."""
        value, source = _first(
            (self._flags.get(option), _flag(option)),
            (getattr(self._settings.serve, option), f"{self._path} [serve]"),
            (default, "default"),
        )
        with blaming(source):
            return Chosen(check(value), source)

    def routes(self, name: str) -> Iterator[Served]:
        """Yield what is served: the handler of the command line, and those of the file."""
        yield self._served(PREDICT, name)
        for path, table in self._settings.routes.items():
            if path != PREDICT:
                with blaming(self._path):
                    _check_path(path)
                if table.handler is None:
                    raise ValueError(
                        f'{self._route(path)}: handler is missing, such as "model:embed"'
                    )
                yield self._served(path, table.handler)
            elif table.handler is not None:
                raise ValueError(
                    f"{self._route(path)}: the handler of {PREDICT} is the command line's; leave it out"
                )

    def _served(self, path: str, name: str) -> Served:
        found = target(name)
        handler = handler_of(found.function)
        chosen = policies(
            handler, found.limits.policies, self._tables(path), self._flags.get("reserve")
        )
        options = self._pooled(path, found, handler)
        _check(handler, chosen, options)
        return Served(path, found, handler, Parameters(found.function, name), chosen, options)

    def _tables(self, path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        yield self._settings.timeouts, f"{self._path} [timeouts]"
        if path in self._settings.routes:
            table = self._settings.routes[path].timeouts
            yield table, f'{self._path} [routes."{path}".timeouts]'
        for kind, flag in _POLICY_FLAGS.items():
            if (value := self._flags.get(flag)) is not None:
                yield {kind: value}, _flag(flag)

    def _pooled(self, path: str, found: Target, handler: Handler) -> dict[str, Chosen]:
        route = self._settings.routes.get(path)
        given = {
            **found.given,
            "discipline": named(found.given.get("discipline")),
            "admission": admissions.named(found.given.get("admission")),
        }
        chosen = {
            option: _first(
                (self._flags.get(option), _flag(option)),
                (getattr(route, option, None), self._route(path)),
                (getattr(self._settings.serve, option), f"{self._path} [serve]"),
                (_unless(given.get(option), default), "code"),
                (default, "default"),
            )
            for option, default in _POOLED.items()
        }
        if chosen["workers"].value is None:
            chosen["workers"] = Chosen("task" if handler.is_async else "thread", "default")
        if chosen["slots"].value is None:
            with blaming(chosen["workers"].source):
                kind = _kind(handler, chosen["workers"].value)
            chosen["slots"] = Chosen(kind.default_slots, "default")
        return chosen

    def _route(self, path: str) -> str:
        return f'{self._path} [routes."{path}"]'


def _check(handler: Handler, chosen: tuple[Chosen, ...], options: Mapping[str, Chosen]) -> None:
    """Refuse what cannot be served, and say whose word that is."""
    workers, slots, capacity, discipline, admission = (options[name] for name in _POOLED)
    with blaming(discipline.source):
        order = maker(discipline.value)
    with blaming(admission.source):
        checked_admission(admissions.rule(admission.value), order)
    with blaming(capacity.source):
        checked_count("capacity", capacity.value, least=0)
    with blaming(slots.source):
        checked_count("slots", slots.value, least=1)
    with blaming(workers.source):
        kind = _kind(handler, workers.value)
        kind.check(handler, 1, Stack())
    for source, limits in [(slots.source, Stack())] + [(c.source, Stack(c.value)) for c in chosen]:
        with blaming(source):
            kind.check(handler, slots.value, checked_limits(limits, handler))


def _kind(handler: Handler, workers: Any) -> WorkerKind:
    if handler.is_async and workers == "task":
        return TaskWorkers(own_loop=True)
    return worker_kind(workers, handler)


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path) or f"/{path.split('/')[1]}" in RESERVED:
        raise ValueError(
            f'a route must be a path such as "/embed", and none of {", ".join(RESERVED)}; got {path!r}'
        )


def _first(*said: tuple[Any, str]) -> Chosen:
    return next((Chosen(*one) for one in said if one[0] is not None), Chosen(None, "default"))


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _classes(said: Classification | None) -> Classes:
    return NO_CLASSES if said is None else Classes(**dict(said))


def _statuses(codes: Mapping[str, int]) -> Statuses:
    known = {cls.name: cls for cls in _family(TimeoutsError)}
    for name, code in codes.items():
        if name not in known:
            raise ValueError(f"{name!r} is no outcome; known are {', '.join(sorted(known))}")
        if not 400 <= code <= 599:
            raise ValueError(f"the code of {name} must be from 400 to 599; got {code}")
    return STATUSES.override(
        {
            known[name]: Status(code, STATUSES.get(known[name], HANDLER_FAILED).grpc)
            for name, code in codes.items()
        }
    )


def _family(cls: type[TimeoutsError]) -> Iterator[type[TimeoutsError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _family(child)
