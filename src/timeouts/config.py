"""The same policies as data: read from a dict, a TOML file or the environment, and written back.

Law: `load(dump(stack)) == stack` for every stack of built-in policies.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack

KINDS: dict[str, type[Any]] = {
    "gateway": GatewayTimeout,
    "first_item": FirstItemTimeout,
    "queue": QueueTimeout,
    "execution": ExecutionTimeout,
    "idle": IdleTimeout,
}


def load(data: Mapping[str, Any]) -> Stack:
    """Build a stack from data, in the order of its keys, outermost first.

    Args:
        data: a policy's short name (`gateway`, `first_item`, `queue`, `execution`, `idle`) for each
            key; for each value a duration as policies take it, or a table of the policy's own
            parameters, such as `{"timeout": 30, "reserve": 6}`.

    Raises:
        TypeError, ValueError: a name or a value makes no sense; the message names both.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"limits must be a table such as {{'queue': 5}}; got {data!r}")
    return Stack(*(_policy(name, value, where=name) for name, value in data.items()))


def load_toml(path: str | Path, table: str = "timeouts") -> Stack:
    """Build a stack from a table of a TOML file; dots lead into nested tables.

    Args:
        path: the file.
        table: the table's name, such as `"timeouts"` or `"tool.timeouts"`.

    Raises:
        KeyError: the file has no such table.
        TypeError, ValueError: as for `load`, or the file is not TOML.
    """
    found: Any = tomllib.loads(Path(path).read_text("utf-8"))
    for name in table.split("."):
        if not isinstance(found, dict) or name not in found:
            raise KeyError(f"{path} has no table [{table}]")
        found = found[name]
    return load(found)


def load_env(environ: Mapping[str, str] = os.environ, prefix: str = "TIMEOUTS_") -> Stack:
    """Build a stack from variables such as `TIMEOUTS_QUEUE=5s` and `TIMEOUTS_GATEWAY_RESERVE=6`.

    Args:
        environ: where to look.
        prefix: what the variables' names begin with; a name that begins so and means nothing is an
            error, because a misspelt limit would be no limit.

    Raises:
        TypeError, ValueError: a variable makes no sense; the message names it.
    """
    known = {
        prefix + _spelt(name, field.name): (name, field)
        for name, kind in KINDS.items()
        for field in fields(kind)
    }
    data: dict[str, dict[str, str]] = {}
    for variable in (v for v in environ if v.startswith(prefix)):
        if variable not in known:
            raise ValueError(f"{variable} means nothing; known are {', '.join(known)}")
    for variable, (name, field) in known.items():
        if variable in environ:
            data.setdefault(name, {})[field.name] = environ[variable]
    return Stack(
        *(_policy(name, table, where=_variables(known, name)) for name, table in data.items())
    )


def dump(stack: Stack) -> dict[str, Any]:
    """Write a stack as data that `load` reads, and JSON and TOML can hold.

    Raises:
        TypeError: a policy is not one of the built-in kinds.
    """
    return {_name(policy): _dumped(policy) for policy in stack.policies}


def _policy(name: str, value: Any, where: str) -> Policy:
    if name not in KINDS:
        raise ValueError(f"{name!r} is no policy; known are {', '.join(KINDS)}")
    try:
        built: Policy = KINDS[name](**value) if isinstance(value, Mapping) else KINDS[name](value)
    except (TypeError, ValueError) as wrong:
        raise type(wrong)(f"{where}: {wrong}") from None
    return built


def _variables(known: Mapping[str, tuple[str, Any]], name: str) -> str:
    return ", ".join(variable for variable, (policy, _) in known.items() if policy == name)


def _spelt(policy: str, field: str) -> str:
    return (policy if field == "timeout" else f"{policy}_{field}").upper()


def _name(policy: Policy) -> str:
    for name, kind in KINDS.items():
        if type(policy) is kind:
            return name
    raise TypeError(f"only built-in policies can be written as data; got {policy!r}")


def _dumped(policy: Any) -> Any:
    data = TypeAdapter(type(policy)).dump_python(policy)
    changed = {f.name: data[f.name] for f in fields(policy) if getattr(policy, f.name) != f.default}
    return changed["timeout"] if changed.keys() == {"timeout"} else changed
