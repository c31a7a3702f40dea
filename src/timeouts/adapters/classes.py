"""Who asks, and how important it is, as headers say it: a tenant and a priority for each request.

Laws:
- A header is read only if it was opted in by name.
- Reading is total: whatever a header says, and if it is not there, the request has a class. A client is
  never refused for it.
- A priority is one of those that the operator has listed, each under a name; whoever names none of them
  gets the default, by default the least important.
- Nothing is kept of a tenant here: it is a word on a job, and is gone with the job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from timeouts.adapters.headers import Lookup
from timeouts.options import checked_priority

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name, RFC 9110
_WORD = re.compile(r"[!-~]+(?: +[!-~]+)*")
_RIGHT = '{"interactive": 0, "batch": 10}'
_NO_LEVELS: Mapping[str, float] = {}


class ServiceClass(NamedTuple):
    """What `Server.call` takes of a request, beside its budget.

    Attributes:
        priority: for disciplines that rank; smaller is served first.
        tenant: on whose behalf, for disciplines that share out; None for whoever says nothing.
    """

    priority: float = 0.0
    tenant: str | None = None


UNCLASSED = ServiceClass()


@dataclass(frozen=True, init=False, repr=False)
class Classes:
    """Read who asks, and how important it is, from the headers opted in by name.

    Args:
        tenant: the header that says on whose behalf a request comes, such as `"x-tenant"`, or an API key.
            Its whole value is the tenant; those who send none, or nothing in it, are one tenant, None.
        priority: the header that names a level, such as `"x-priority"`.
        levels: the levels that it may name, and the priority of each; smaller is served first.
        default: the level of who names none of them; by default the one that is served last.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: know who sets a header. Let the proxy in front replace, and not add to, what clients send,
    unless they may say themselves who they are and how important: who makes up a tenant for each request
    has a share for each. Change the order of the queue: that is for a `discipline` that looks at them.
    """

    tenant: str | None
    priority: str | None
    levels: Mapping[str, float] = field(hash=False)
    default: str | None

    def __init__(
        self,
        *,
        tenant: str | None = None,
        priority: str | None = None,
        levels: Mapping[str, float] = _NO_LEVELS,
        default: str | None = None,
    ) -> None:
        checked = _checked_levels(levels, priority)
        object.__setattr__(self, "tenant", _checked_name("tenant", tenant, "x-tenant"))
        object.__setattr__(self, "priority", _checked_name("priority", priority, "x-priority"))
        object.__setattr__(self, "levels", checked)
        object.__setattr__(self, "default", _checked_default(default, checked))

    @property
    def names(self) -> tuple[str, ...]:
        """The headers that are read, in lower case."""
        return tuple(name for name in (self.tenant, self.priority) if name is not None)

    def read(self, lookup: Lookup) -> ServiceClass:
        """Return the class of a request.

        Args:
            lookup: gives a header's value by its name; see `from_asgi` and `from_wsgi`.
        """
        return ServiceClass(self._priority(lookup), self._tenant(lookup))

    def _priority(self, lookup: Lookup) -> float:
        if self.priority is None or self.default is None:
            return UNCLASSED.priority
        named = _said(self.priority, lookup)
        return self.levels[named if named in self.levels else self.default]

    def _tenant(self, lookup: Lookup) -> str | None:
        return None if self.tenant is None else _said(self.tenant, lookup) or None

    def __repr__(self) -> str:
        """Show what was written, and the default."""
        said = {name: getattr(self, name) for name in ("tenant", "priority", "levels", "default")}
        return f"Classes({', '.join(f'{name}={value!r}' for name, value in said.items() if value)})"


def checked_classes(classes: Any) -> Classes:
    """Return the classes, or refuse what are none."""
    if not isinstance(classes, Classes):
        raise TypeError(
            f'classes must be Classes, such as Classes(tenant="x-tenant"); got {classes!r}'
        )
    return classes


def _said(name: str, lookup: Lookup) -> str:
    return (lookup(name) or "").strip(" \t")


def _checked_name(parameter: str, name: Any, example: str) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise (ValueError if isinstance(name, str) else TypeError)(
            f'{parameter} must be the name of a header, such as "{example}"; got {name!r}'
        )
    return name.lower()


def _checked_levels(levels: Any, priority: Any) -> dict[str, float]:
    if not isinstance(levels, Mapping):
        raise TypeError(f"levels must be a table such as {_RIGHT}; got {levels!r}")
    if priority is not None and not levels:
        raise ValueError(f"levels must list what {priority!r} may say, such as {_RIGHT}")
    if priority is None and levels:
        raise ValueError(
            f'priority must be the name of the header, such as "x-priority", that says which of the levels; '
            f"got levels={levels!r} and no priority"
        )
    return {_checked_level(name): _checked_value(name, value) for name, value in levels.items()}


def _checked_level(name: Any) -> str:
    if not isinstance(name, str) or not _WORD.fullmatch(name):
        raise ValueError(
            f'levels must have the words that the header may say as keys, such as "batch"; got {name!r}'
        )
    return name


def _checked_value(name: str, value: Any) -> float:
    try:
        return checked_priority(value)
    except (TypeError, ValueError) as wrong:
        raise type(wrong)(f"levels[{name!r}]: {wrong}") from None


def _checked_default(default: Any, levels: Mapping[str, float]) -> str | None:
    if default is None:
        return max(levels, key=levels.__getitem__, default=None)
    if not isinstance(default, str) or default not in levels:
        known = ", ".join(levels) or "none, since there are no levels"
        raise ValueError(f"default must be one of the levels ({known}); got {default!r}")
    return default


NO_CLASSES = Classes()
