"""Which policies a route is under, and who has said so: flags, then the file, then the code.

Law: each kind of policy is decided by itself. The later party replaces what the earlier has said of that
kind, or takes it away by "none", and leaves the other kinds alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from timeouts.config import KINDS
from timeouts.handler import Handler
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)

DEFAULT_LIMIT = 30.0
_RANK = {kind: rank for rank, kind in enumerate(KINDS.values())}
_BEFORE_THE_WORK = {QueueTimeout, FirstItemTimeout}


class Chosen(NamedTuple):
    """A value, and who has chosen it."""

    value: Any
    source: str


Said = dict[type, Chosen | None]
"""What has been said of each kind of policy; None says that there is to be none."""


@contextmanager
def blaming(source: str) -> Generator[None]:
    """Have an error say who has said what it complains of."""
    try:
        yield
    except (ImportError, TypeError, ValueError) as wrong:  # the first of workers that need an extra
        raise ValueError(f"{source}: {wrong}") from None


def policies(
    handler: Handler,
    code: Iterable[Policy],
    tables: Iterable[tuple[Mapping[str, Any], str]],
    reserve: Any = None,
) -> tuple[Chosen, ...]:
    """Choose policies, outermost first.

    Args:
        handler: what they are for.
        code: those that it has in its code.
        tables: what others say, by the policies' short names, and who they are; the last one counts.
        reserve: what is to be held back from the gateway timeout, whoever has set that.

    Raises:
        ValueError: something makes no sense; the message says what, and from where.
    """
    said: Said = {type(policy): Chosen(policy, "code") for policy in code}
    for table, source in tables:
        said |= {_kind(name, source): _read(name, value, source) for name, value in table.items()}
    _add_defaults(said, handler)
    if reserve is not None:
        _hold_back(said, reserve)
    chosen = [one for one in said.values() if one is not None]
    return tuple(sorted(chosen, key=lambda one: _RANK.get(type(one.value), len(_RANK))))


def _kind(name: str, source: str) -> type[Any]:
    if name not in KINDS:
        raise ValueError(f"{source}: {name!r} is no policy; known are {', '.join(KINDS)}")
    return KINDS[name]


def _read(name: str, value: Any, source: str) -> Chosen | None:
    if isinstance(value, str) and value.lower() == "none":
        return None
    with blaming(source):
        policy = KINDS[name](**value) if isinstance(value, Mapping) else KINDS[name](value)
    return Chosen(policy, source)


def _add_defaults(said: Said, handler: Handler) -> None:
    """Bound the work, if nobody has said anything of it: one that hangs must not hang its clients."""
    if said.keys() - _BEFORE_THE_WORK:
        return
    kinds: list[type[Any]] = (
        [FirstItemTimeout, IdleTimeout]
        if handler.is_stream
        else [ExecutionTimeout if QueueTimeout in said else GatewayTimeout]
    )
    for kind in kinds:
        said.setdefault(kind, Chosen(kind(DEFAULT_LIMIT), "default"))


def _hold_back(said: Said, reserve: Any) -> None:
    flag, chosen = "--reserve", said.get(GatewayTimeout)
    if chosen is None:
        raise ValueError(f"{flag} is held back from a gateway timeout, and there is none")
    with blaming(flag):
        policy = GatewayTimeout(chosen.value.timeout, reserve)
    said[GatewayTimeout] = Chosen(policy, f"{chosen.source}, {flag}")
