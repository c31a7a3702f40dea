"""Seeing what a server does: hooks, events, logs, metrics, traces, and recordings to be replayed.

Law: only metrics and traces need a guest (`pip install "timeouts[prometheus]"` or
`"timeouts[opentelemetry]"`), and it is imported when one of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from timeouts.observe.events import EventStream
from timeouts.observe.expiry_logger import ExpiryLogger
from timeouts.observe.late_logger import LateLogger
from timeouts.observe.observer import Observer
from timeouts.observe.trace_recorder import TraceRecorder

if TYPE_CHECKING:
    from timeouts.observe.opentelemetry import OpenTelemetryTraces
    from timeouts.observe.prometheus import PrometheusMetrics

_LAZY = {"OpenTelemetryTraces": "opentelemetry", "PrometheusMetrics": "prometheus"}

__all__ = [
    "EventStream",
    "ExpiryLogger",
    "LateLogger",
    "Observer",
    "OpenTelemetryTraces",
    "PrometheusMetrics",
    "TraceRecorder",
]


def __getattr__(name: str) -> Any:
    """Import what needs a guest when it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return __all__
