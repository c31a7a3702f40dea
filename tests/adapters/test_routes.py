"""Which rules a path is under: a law beside a naive oracle, then the ties and the refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Stack
from timeouts.adapters.routes import Limits, Routes

NAMES = st.lists(st.sampled_from(["a", "b"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
KEYS = NAMES | NAMES.map(lambda path: path.rstrip("/") + "/*")


def as_stack(limits: Limits) -> Stack:
    return Stack() if limits is None else Stack(*limits.policies)


@given(st.dictionaries(KEYS, st.none() | st.integers(1, 9).map(GatewayTimeout), max_size=5), NAMES)
def test_an_exact_path_wins_and_then_the_longest_prefix(
    table: dict[str, GatewayTimeout | None], path: str
) -> None:
    """Whatever the order of the table."""
    default = GatewayTimeout(99)
    fits = [key for key in table if key.endswith("/*") and path.startswith(key[:-1])]
    if path in table:
        expected: Limits = table[path]
    elif fits:
        expected = table[max(fits, key=len)]
    else:
        expected = default
    for rows in (table, dict(reversed(table.items()))):
        found = Routes(default, rows, as_stack).of(path)
        assert found == (None if expected is None else as_stack(expected))


def test_a_prefix_is_whole_segments_and_not_the_folder_itself() -> None:
    api = QueueTimeout(1) | ExecutionTimeout(2)
    routes = Routes(None, {"/api/*": api}, as_stack)
    assert routes.of("/api/x/y") == api
    assert routes.of("/api/") == api
    assert routes.of("/api") == Stack()
    assert routes.of("/apis") == Stack()


def test_a_star_alone_is_every_path() -> None:
    assert Routes(GatewayTimeout(1), {"/*": None}, as_stack).of("/anything") is None


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        ({"predict": None}, ValueError, "such as \"/predict\".*got 'predict'"),
        ({"/a/*/b": None}, ValueError, 'a prefix such as "/api/\\*"'),
        ({"/a*": None}, ValueError, "got '/a\\*'"),
        ({b"/a": None}, TypeError, "got b'/a'"),
        ([("/a", None)], TypeError, "routes must be a mapping from paths to limits"),
    ],
)
def test_a_wrong_table_is_refused(table: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Routes(None, table, as_stack)
