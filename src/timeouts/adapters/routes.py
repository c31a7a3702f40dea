"""Which rules a request is under, by its path.

Laws:
- An exact path wins over a prefix, and of two prefixes the longer; the order of the table says nothing.
- `"/api/*"` is whatever lies below `/api/`, and not `/api` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from timeouts.policy import Policy
from timeouts.stack import Stack

Limits = Policy | Stack | None
RIGHT = 'a route must be a path such as "/predict", or a prefix such as "/api/*"'


class Routes:
    """A table from paths to stacks.

    Args:
        default: for the paths that the table does not know; None for a stack without rules.
        table: limits by an exact path, or by a prefix that ends in `/*`; None lets a path pass.
        checked: makes a stack of limits, or refuses them.

    Raises:
        TypeError: the table is no mapping, or a path is no string.
        ValueError: a path has no leading slash, or a star that does not end it.
    """

    def __init__(
        self, default: Limits, table: Mapping[str, Limits], checked: Callable[[Limits], Stack]
    ) -> None:
        if not isinstance(table, Mapping):
            raise TypeError(f"routes must be a mapping from paths to limits; got {table!r}")
        self.default = checked(default)
        self._exact: dict[str, Stack | None] = {}
        prefixes: list[tuple[str, Stack | None]] = []
        for path, limits in table.items():
            _check(path)
            stack = None if limits is None else checked(limits)
            if path.endswith("/*"):
                prefixes.append((path[:-1], stack))
            else:
                self._exact[path] = stack
        self._prefixes = sorted(prefixes, key=lambda row: -len(row[0]))

    def of(self, path: str) -> Stack | None:
        """Return the rules of a path; None if it is to pass."""
        if path in self._exact:
            return self._exact[path]
        for prefix, stack in self._prefixes:
            if path.startswith(prefix):
                return stack
        return self.default


def _check(path: object) -> None:
    if not isinstance(path, str):
        raise TypeError(f"{RIGHT}; got {path!r}")
    if not path.startswith("/") or "*" in path.removesuffix("/*"):
        raise ValueError(f"{RIGHT}; got {path!r}")
