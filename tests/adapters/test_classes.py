"""Tenants and priorities that come in headers: any header gives a class, and nobody is above what was listed."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.adapters.classes import NO_CLASSES, UNCLASSED, Classes, ServiceClass
from timeouts.adapters.grpc.base import from_context
from timeouts.adapters.headers import Lookup, from_asgi, from_wsgi

Pairs = list[tuple[str, str]]
LEVELS = {"interactive": 0.0, "normal": 5.0, "batch": 10.0}
CLASSES = Classes(tenant="x-tenant", priority="x-priority", levels=LEVELS, default="normal")

latin = st.text(st.characters(max_codepoint=255))
"""What bytes become on arrival."""

said = st.sampled_from([*LEVELS, " batch", "Batch", "interactive, batch", "-1", "1e9", ""]) | latin
names = st.sampled_from(["x-tenant", "x-priority", "host", "x-priority2"])
sent = st.lists(st.tuples(names, said), max_size=5)
words = st.from_regex(r"[!-~]{1,12}", fullmatch=True)
tokens = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True)
priorities = st.floats(allow_nan=False)
tables = st.dictionaries(words, priorities, min_size=1, max_size=5)


def in_asgi(pairs: Pairs) -> Lookup:
    return from_asgi([(name.encode(), value.encode("latin-1")) for name, value in pairs])


def in_wsgi(pairs: Pairs) -> Lookup:
    """As servers do it, which join a header that comes twice."""
    environ: dict[str, Any] = {}
    for name, value in pairs:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    return from_wsgi(environ)


def in_grpc(pairs: Pairs) -> Lookup:
    return from_context(SimpleNamespace(invocation_metadata=lambda: tuple(pairs)))


HOSTS = pytest.mark.parametrize("host", [in_asgi, in_wsgi, in_grpc])


def naive(pairs: Pairs, name: str) -> str:
    return ", ".join(value for key, value in pairs if key == name).strip(" \t")


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@HOSTS
@given(pairs=sent)
def test_any_headers_give_a_class(host: Callable[[Pairs], Lookup], pairs: Pairs) -> None:
    """The level that is named, letter for letter, or the default; the tenant that is named, or none."""
    priority, tenant = CLASSES.read(host(pairs))
    named = naive(pairs, "x-priority")
    assert priority == (LEVELS[named] if named in LEVELS else LEVELS["normal"])
    assert tenant == (naive(pairs, "x-tenant") or None)


@given(tables, sent, st.data())
def test_nobody_is_served_before_the_best_that_is_listed(
    levels: dict[str, float], pairs: Pairs, data: Any
) -> None:
    """And who names nothing that is listed is served as late as any."""
    header = data.draw(st.sampled_from([*levels, "x" * 13, "", None]))
    pairs = [] if header is None else [("x-priority", header)]
    priority = Classes(priority="x-priority", levels=levels).read(in_asgi(pairs)).priority
    assert priority == levels.get(header, max(levels.values()))


@given(st.lists(st.tuples(st.binary() | st.just(b"x-tenant"), st.binary())))
def test_any_bytes_give_a_class(headers: list[tuple[bytes, bytes]]) -> None:
    priority, tenant = CLASSES.read(from_asgi(headers))
    assert priority in LEVELS.values()
    assert tenant is None or tenant.strip(" \t") == tenant != ""


@given(tokens | st.none(), tokens | st.none(), tables, st.data())
def test_classes_are_a_value(
    tenant: str | None, priority: str | None, levels: dict[str, float], data: Any
) -> None:
    """Printable, comparable, hashable, and able to travel."""
    table = {} if priority is None else levels
    default = data.draw(st.sampled_from([*table, None]))
    classes = Classes(tenant=tenant, priority=priority, levels=table, default=default)
    again = eval(repr(classes), {"Classes": Classes, "inf": math.inf})
    for other in (again, pickle.loads(pickle.dumps(classes))):
        assert (other, hash(other), repr(other)) == (classes, hash(classes), repr(classes))


# ── by example ───────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_read_that_was_not_opted_in() -> None:
    pairs = [("x-tenant", "alice"), ("x-priority", "interactive")]

    def refuse(name: str) -> str:
        raise AssertionError(f"{name} was read")

    assert NO_CLASSES.read(refuse) == UNCLASSED == ServiceClass(0.0, None)
    assert Classes(tenant="x-tenant").read(in_asgi(pairs)) == (0.0, "alice")
    levels = Classes(priority="x-priority", levels={"batch": 3, "interactive": -1})
    assert levels.read(in_asgi(pairs)) == (-1.0, None)


def test_a_name_is_in_any_case_and_a_level_in_its_own() -> None:
    classes = Classes(tenant="X-Tenant", priority="X-PRIORITY", levels=LEVELS)
    assert classes.names == ("x-tenant", "x-priority")
    assert classes.read(in_asgi([("x-priority", "Interactive")])).priority == 10


def test_what_a_client_puts_before_what_a_proxy_adds_raises_nobody() -> None:
    """Two headers are joined, and joined they are no level that is listed."""
    pairs = [("x-priority", "interactive"), ("x-priority", "batch")]
    for host in (in_asgi, in_wsgi, in_grpc):
        assert CLASSES.read(host(pairs)).priority == LEVELS["normal"]


def test_of_metadata_in_bytes_each_byte_is_a_letter() -> None:
    context = SimpleNamespace(invocation_metadata=lambda: (("id-bin", b"\xff\x00a"),))
    assert Classes(tenant="id-bin").read(from_context(context)).tenant == "\xff\x00a"


def test_no_metadata_is_no_tenant() -> None:
    context = SimpleNamespace(invocation_metadata=lambda: None)
    assert CLASSES.read(from_context(context)).tenant is None


def test_the_table_is_the_operators_own() -> None:
    """Changed afterwards, it changes nothing."""
    mine = dict(LEVELS)
    classes = Classes(priority="x-priority", levels=mine)
    mine["interactive"] = 99
    assert classes.read(in_asgi([("x-priority", "interactive")])).priority == 0


def test_it_shows_what_it_reads() -> None:
    assert repr(NO_CLASSES) == "Classes()"
    shown = "Classes(priority='p', levels={'a': 0.0, 'b': 1.5}, default='b')"
    assert repr(Classes(priority="p", levels={"a": 0, "b": 1.5})) == shown


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        (
            {"tenant": 5},
            TypeError,
            'tenant must be the name of a header, such as "x-tenant"; got 5',
        ),
        ({"tenant": ""}, ValueError, "tenant must be the name of a header"),
        ({"tenant": "x tenant"}, ValueError, "got 'x tenant'"),
        ({"tenant": "x-ténant"}, ValueError, "tenant must be the name of a header"),
        ({"priority": 1, "levels": LEVELS}, TypeError, "priority must be the name of a header"),
        ({"priority": "x-priority"}, ValueError, "levels must list what 'x-priority' may say"),
        ({"levels": LEVELS}, ValueError, "priority must be the name of the header"),
        ({"priority": "p", "levels": ["a"]}, TypeError, "levels must be a table such as"),
        ({"priority": "p", "levels": {1: 1}}, ValueError, "levels must have the words .*; got 1"),
        ({"priority": "p", "levels": {" a": 1}}, ValueError, "got ' a'"),
        ({"priority": "p", "levels": {"": 1}}, ValueError, "got ''"),
        (
            {"priority": "p", "levels": {"a": "1"}},
            TypeError,
            r"levels\['a'\]: priority must be a n",
        ),
        ({"priority": "p", "levels": {"a": True}}, TypeError, r"levels\['a'\]: .*got True"),
        ({"priority": "p", "levels": {"a": math.nan}}, ValueError, r"levels\['a'\]: .*ordered"),
        (
            {"priority": "p", "levels": {"a": 1}, "default": "b"},
            ValueError,
            r"default must be one of the levels \(a\); got 'b'",
        ),
        ({"priority": "p", "levels": {"a": 1}, "default": []}, ValueError, r"got \[\]"),
        ({"default": "a"}, ValueError, r"default must be .*\(none, since there are no levels"),
        ({"header": "x"}, TypeError, "header"),
    ],
    ids=repr,
)
def test_nonsense_is_refused(options: dict[str, Any], error: Any, told: str) -> None:
    with pytest.raises(error, match=told):
        Classes(**options)
