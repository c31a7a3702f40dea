"""What is in force, and from where: flags, then the file, then the code, then the defaults.

Law: each limit and each option is decided by itself. A flag for the queue leaves the gateway's limit
to the file, and what nobody has set to its default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from timeouts.adapters.headers import Budgets
from timeouts.config import KINDS
from timeouts.deadline import seconds
from timeouts.errors import TimeoutsError
from timeouts.handler import Handler, handler_of
from timeouts.policy import FirstItemTimeout, GatewayTimeout, IdleTimeout, Policy
from timeouts.serve.file import NAME, Settings, read
from timeouts.serve.target import Target, target
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Status, Statuses
from timeouts.workers import worker_kind

PREDICT = "/predict"
DEFAULT_LIMIT = 30.0
_RANK = {kind: rank for rank, kind in enumerate(KINDS.values())}
_POLICY_FLAGS = {"gateway": "gateway_timeout", "queue": "queue_timeout", "execution": "execution_timeout"}
_POOLED = {"workers": None, "slots": None, "capacity": 1000}
_WHOLE = {
    "host": "127.0.0.1",
    "port": 8000,
    "drain_timeout": 30.0,
    "body_timeout": 30.0,
    "max_body": 64 * 2**20,
}


class Chosen(NamedTuple):
    """A value, and who has chosen it."""

    value: Any
    source: str


@dataclasses.dataclass(frozen=True)
class Served:
    """One route: its handler, the policies it is under, and its options, each with its source."""

    path: str
    target: Target
    handler: Handler
    policies: tuple[Chosen, ...]
    options: Mapping[str, Chosen]

    @property
    def limits(self) -> Stack:
        """The stack that the policies make."""
        return Stack(*(chosen.value for chosen in self.policies))


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that a server is to do."""

    routes: tuple[Served, ...]
    options: Mapping[str, Chosen]
    budgets: Budgets
    statuses: Statuses


def plan(name: str, flags: Mapping[str, Any], config: Path | None = None) -> Plan:
    """Put together what flags, file and code say.

    Args:
        name: the handler of `/predict`, as `MODULE:ATTRIBUTE`.
        flags: what the command line says, by the options' names; None where it says nothing.
        config: the file; without one, `timeouts.toml` in the working directory if it is there.

    Raises:
        ValueError, TypeError: something makes no sense; the message says what, and from where.
    """
    path = config or (Path(NAME) if Path(NAME).exists() else None)
    settings = Settings() if path is None else read(path)
    said = _Said(flags, settings, str(path))
    names = {PREDICT: name} | {route: table.handler for route, table in settings.routes.items()}
    return Plan(
        tuple(said.served(route, target(handler)) for route, handler in names.items()),
        {option: said.whole(option, default) for option, default in _WHOLE.items()},
        Budgets(*settings.serve.budgets or ()),
        _statuses(settings.serve.statuses),
    )


class _Said:
    """What each party says."""

    def __init__(self, flags: Mapping[str, Any], settings: Settings, path: str) -> None:
        self._flags = flags
        self._settings = settings
        self._path = path

    def whole(self, option: str, default: Any) -> Chosen:
        """Choose an option of the whole server."""
        chosen = self._first(
            (self._flags.get(option), _flag(option)),
            (getattr(self._settings.serve, option), f"{self._path} [serve]"),
            (default, "default"),
        )
        if option.endswith("_timeout"):
            return Chosen(seconds(chosen.value, option), chosen.source)
        return chosen

    def served(self, path: str, found: Target) -> Served:
        """Choose all there is to choose of one route."""
        if not path.startswith("/") or path in RESERVED:
            raise ValueError(
                f'a route must be a path such as "/embed", and none of {", ".join(RESERVED)}; got {path!r}'
            )
        handler = handler_of(found.function)
        policies = tuple(self._policies(path, found, handler))
        return Served(path, found, handler, policies, self._pooled(path, found, handler))

    def _pooled(self, path: str, found: Target, handler: Handler) -> dict[str, Chosen]:
        route = self._settings.routes.get(path)
        chosen = {
            option: self._first(
                (self._flags.get(option), _flag(option)),
                (getattr(route, option, None), f'{self._path} [routes."{path}"]'),
                (getattr(self._settings.serve, option), f"{self._path} [serve]"),
                (_unless(found.given.get(option), default), "code"),
                (default, "default"),
            )
            for option, default in _POOLED.items()
        }
        if chosen["workers"].value is None:
            chosen["workers"] = Chosen("task" if handler.is_async else "thread", "default")
        if chosen["slots"].value is None:
            kind = worker_kind(chosen["workers"].value, handler)
            chosen["slots"] = Chosen(kind.default_slots, "default")
        return chosen

    def _policies(self, path: str, found: Target, handler: Handler) -> Iterator[Chosen]:
        chosen = {type(policy): Chosen(policy, "code") for policy in found.limits.policies}
        route = self._settings.routes.get(path)
        for table, source in (
            (self._settings.timeouts, f"{self._path} [timeouts]"),
            ({} if route is None else route.timeouts, f'{self._path} [routes."{path}".timeouts]'),
        ):
            self._override(chosen, table, source)
        for kind, flag in _POLICY_FLAGS.items():
            if (value := self._flags.get(flag)) is not None:
                self._override(chosen, {kind: value}, _flag(flag))
        self._reserve(chosen)
        yield from sorted(
            chosen.values() or _defaults(handler), key=lambda one: _RANK.get(type(one.value), len(_RANK))
        )

    def _override(self, chosen: dict[Any, Chosen], table: Mapping[str, Any], source: str) -> None:
        for kind, value in table.items():
            if kind not in KINDS:
                raise ValueError(f"{source}: {kind!r} is no policy; known are {', '.join(KINDS)}")
            policy = _policy(kind, value, source)
            if policy is None:
                chosen.pop(KINDS[kind], None)
            else:
                chosen[KINDS[kind]] = Chosen(policy, source)

    def _reserve(self, chosen: dict[Any, Chosen]) -> None:
        reserve = self._flags.get("reserve")
        if reserve is None:
            return
        gateway = chosen.get(GatewayTimeout)
        if gateway is None:
            raise ValueError("--reserve is held back from a gateway timeout, and there is none")
        source = gateway.source if "--" in gateway.source else f"{gateway.source}, {_flag('reserve')}"
        chosen[GatewayTimeout] = Chosen(GatewayTimeout(gateway.value.timeout, reserve), source)

    @staticmethod
    def _first(*said: tuple[Any, str]) -> Chosen:
        return next((Chosen(*one) for one in said if one[0] is not None), Chosen(None, "default"))


RESERVED = ("/", "/events", "/live", "/metrics", "/openapi.json", "/ready", "/stats")


def _defaults(handler: Handler) -> list[Chosen]:
    """Return finite limits for who has set none: a hung predict must not hang its clients."""
    policies = (
        [FirstItemTimeout(DEFAULT_LIMIT), IdleTimeout(DEFAULT_LIMIT)]
        if handler.is_stream
        else [GatewayTimeout(DEFAULT_LIMIT)]
    )
    return [Chosen(policy, "default") for policy in policies]


def _policy(kind: str, value: Any, source: str) -> Policy | None:
    if isinstance(value, str) and value.lower() == "none":
        return None
    try:
        built: Policy = KINDS[kind](**value) if isinstance(value, Mapping) else KINDS[kind](value)
    except (TypeError, ValueError) as wrong:
        raise type(wrong)(f"{source}: {kind}: {wrong}") from None
    return built


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _statuses(codes: Mapping[str, int]) -> Statuses:
    known = {cls.name: cls for cls in _family(TimeoutsError)}
    for name in codes:
        if name not in known:
            raise ValueError(f"serve.statuses: {name!r} is no outcome; known are {', '.join(sorted(known))}")
    return STATUSES.override(
        {known[name]: Status(code, STATUSES[known[name]].grpc) for name, code in codes.items()}
    )


def _family(cls: type[TimeoutsError]) -> Iterator[type[TimeoutsError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _family(child)
