"""A provider that keeps its spans, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SECOND = 1_000_000_000


class Kept:
    """Spans that have ended, of one provider; and how many have begun."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(_Counting(self))
        self.begun = 0

    @property
    def spans(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())

    def of(self, name: str) -> list[Any]:
        """Return the spans of a name, in the order of their ends."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Any:
        """Return the only span of a name."""
        (span,) = self.of(name)
        return span


class _Counting(SimpleSpanProcessor):
    def __init__(self, kept: Kept) -> None:
        super().__init__(kept._exporter)
        self._kept = kept

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self._kept.begun += 1
        super().on_start(span, parent_context)


def seconds(span: ReadableSpan) -> float:
    """Return how long a span lasted."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / SECOND


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return what we have written on a span, without our prefix."""
    return {
        name.removeprefix("timeouts."): value
        for name, value in (span.attributes or {}).items()
        if name.startswith("timeouts.")
    }


def by_parent(spans: Iterable[Any]) -> dict[int, list[Any]]:
    """Return the spans of each parent."""
    families: dict[int, list[Any]] = {}
    for span in spans:
        if span.parent is not None:
            families.setdefault(span.parent.span_id, []).append(span)
    return families
