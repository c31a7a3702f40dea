"""Metrics and traces have a guest each, imported when asked for and named when missing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

import timeouts
from timeouts import observe

GUESTS = {
    "OpenTelemetryTraces": ("opentelemetry", "opentelemetry"),
    "PrometheusMetrics": ("prometheus_client", "prometheus"),
}


@contextmanager
def without(guest: str) -> Iterator[ModuleType]:
    """Hide a guest and give `timeouts.observe` as it is imported then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeouts, "observe", observe)  # put back afterwards
        patch.setitem(sys.modules, guest, None)
        for name in [name for name in sys.modules if name.startswith("timeouts.observe")]:
            patch.delitem(sys.modules, name)
        yield importlib.import_module("timeouts.observe")


def test_public_names_are_sorted_and_can_be_had() -> None:
    """`dir` shows them, those not imported yet as well."""
    assert observe.__all__ == sorted(set(observe.__all__))
    assert [name for name in observe.__all__ if not hasattr(observe, name)] == []
    assert set(GUESTS) < set(dir(observe))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """In Python's own words."""
    with pytest.raises(AttributeError, match=r"module 'timeouts\.observe' has no attribute 'nope'"):
        _ = observe.nope


@pytest.mark.parametrize("name", GUESTS)
def test_a_missing_guest_is_named_with_its_extra(name: str) -> None:
    """The message can be pasted into a shell; all else is there."""
    guest, extra = GUESTS[name]
    message = rf'pip install "timeouts\[{extra}\]"'
    with without(guest) as fresh:
        assert fresh.EventStream
        with pytest.raises(ImportError, match=message):
            getattr(fresh, name)


def test_the_library_comes_without_its_guests() -> None:
    """In a process of its own: nothing of theirs has been imported."""
    script = (
        "import sys, timeouts, timeouts.observe\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('opentelemetry', 'prometheus_client')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout == "[]\n"
