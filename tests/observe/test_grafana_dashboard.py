"""The dashboard asks for metrics that there are, by labels that they have."""

from __future__ import annotations

import functools
import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.observe.traffic import Request, play
from timeouts import ExecutionTimeout, Job, Server
from timeouts.observe.prometheus import PrometheusMetrics

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana-dashboard.json"
BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]

SELECTOR = re.compile(r"(timeouts_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")


@functools.cache
def exposed() -> dict[str, list[dict[str, str]]]:
    """Return the series of each name, after something of every kind has happened."""
    registry = CollectorRegistry()
    metrics = PrometheusMetrics(registry)
    play([Request(), Request(takes=99), Request(), Request(budget=1)], [metrics], slots=1)
    job = Job(1)
    job.error = ExecutionTimeout(1).error()
    metrics.killed(job, 1, "", 0.1, 0.0)
    metrics.respawned(0, 1, 0.1, 0.0)
    series: dict[str, list[dict[str, str]]] = {}
    with Server(print, observers=[metrics]):  # the gauges are those of a server that is there
        for family in registry.collect():
            for sample in family.samples:
                series.setdefault(sample.name, []).append(sample.labels)
    return series


def faults(expression: str) -> list[str]:
    """Return what an expression asks for in vain."""
    selectors = SELECTOR.findall(expression)
    if len(selectors) != expression.count("timeouts_"):
        return ["a metric without labels"]
    groups = GROUPING.findall(expression)
    grouped = {word.strip() for group in groups for word in group.split(",")}
    return [
        fault
        for name, matchers in selectors
        for fault in _faults_of(name, MATCHER.findall(matchers), grouped)
    ]


def _faults_of(name: str, matchers: list[tuple[str, str, str]], grouped: set[str]) -> list[str]:
    series = exposed().get(name)
    if series is None:
        return [f"no metric {name}"]
    asked = {label for label, _, _ in matchers} | grouped
    missing = [f"{name} has no label {label}" for label in sorted(asked - set(series[0]))]
    exact = [(label, value) for label, how, value in matchers if how == "="]
    return missing or [
        f"{name} has no {label} {value}"
        for label, value in exact
        if not any(one[label] == value for one in series)
    ]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_exists(expression: str) -> None:
    """As `PrometheusMetrics` exposes them, with the values that are asked for by name."""
    assert faults(expression) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ('timeouts_jobs{server="default"}', "no metric timeouts_jobs"),
        ('timeouts_slots{route="default"}', "timeouts_slots has no label route"),
        ('timeouts_jobs_total{outcome="complete"}', "timeouts_jobs_total has no outcome complete"),
        ('sum by (kind) (timeouts_slots{server=~".*"})', "timeouts_slots has no label kind"),
        ("timeouts_slots", "a metric without labels"),
    ],
)
def test_a_fault_would_be_found(expression: str, fault: str) -> None:
    assert faults(expression) == [fault]


def test_every_family_is_shown() -> None:
    """Nothing is counted that nobody looks at."""
    shown = {name for expression in EXPRESSIONS for name, _ in SELECTOR.findall(expression)}
    one_each = (name for name in exposed() if not name.endswith(("_count", "_sum", "_created")))
    assert shown == set(one_each)


def test_the_data_source_is_a_variable() -> None:
    """So that it can be imported anywhere."""
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    asked = [variables["server"]["datasource"]]
    for panel in PANELS:
        asked += [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in asked)


def test_every_expression_heeds_the_chosen_servers() -> None:
    """Or the choice would be a lie for some panels."""
    for expression in EXPRESSIONS:
        assert 'server=~"$server"' in expression


def test_quantiles_never_mix_what_was_cut_short_with_what_was_not() -> None:
    """A histogram capped at the limit lies."""
    for expression in EXPRESSIONS:
        if re.search(r"(waiting|service|sojourn)_seconds", expression):
            assert 'expired="' in expression


def test_it_can_be_imported() -> None:
    """What Grafana needs is there: ids and letters are unique, and no panel covers another."""
    assert BOARD["title"] == "timeouts"
    assert BOARD["schemaVersion"] >= 36
    assert "id" not in BOARD  # it would be taken for the id in the database it is imported into
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        letters = [target["refId"] for target in panel["targets"]]
        assert all(a < b for a, b in pairwise(letters))
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
