"""Exports spans over OTLP/HTTP, in a thread of its own. Nothing waits for it: what no collector takes is dropped and counted.

Only imported where a collector is named. OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_HEADERS, …_CERTIFICATE, …_COMPRESSION)
work as it documents them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context as Nothing
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from bdcan_chassis import metrics
from bdcan_chassis.tracing import ALLOWED, MOST_LINKS, Context, Span, Value

MOST_WAITING = 4096
"""Spans that wait for the collector at most: some four megabytes."""

_AT_ONCE = 512
_EVERY_MS = 1000
_SECONDS = 5.0  # for one attempt of the collector
_LEAVE_SECONDS = 1.0
_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Export:
    """Gives spans to OpenTelemetry's exporter."""

    def __init__(self, endpoint: str, resource: Mapping[str, str]) -> None:
        self._ids = _GivenIds()
        self._given = 0
        url = endpoint.rstrip("/") + "/v1/traces"
        self._counted = _Counted(OTLPSpanExporter(endpoint=url, timeout=_SECONDS))
        self._processor = BatchSpanProcessor(
            self._counted,
            max_queue_size=MOST_WAITING,
            max_export_batch_size=_AT_ONCE,
            schedule_delay_millis=_EVERY_MS,
        )
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # the unit has decided
            id_generator=self._ids,
            resource=Resource(resource),
            shutdown_on_exit=False,  # it would wait for the collector
            span_limits=SpanLimits(max_links=MOST_LINKS),
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("bdcan")

    def write(self, span: Span, ended: int) -> None:
        """Queue a span. It is dropped if too many wait."""
        if self._given - self._counted.settled >= MOST_WAITING:
            metrics.SPANS_DROPPED.labels("too-many").inc()
            return
        self._given += 1
        self._ids.trace, self._ids.span = span.trace, span.span
        parent = Nothing()
        if span.parent is not None:
            parent = set_span_in_context(
                NonRecordingSpan(_place(Context(span.trace, span.parent, sampled=True))), parent
            )
        links = [other for other in span.links if isinstance(other, Context) or other.sampled]
        made = self._tracer.start_span(
            span.name,
            parent,
            _KINDS[span.kind],
            allowed(span.attributes),
            [Link(_place(other if isinstance(other, Context) else other.context)) for other in links],
            span.started,
        )
        if span.failed:
            made.set_attributes(allowed({"error.type": span.failed}))
            made.set_status(Status(StatusCode.ERROR))
        made.end(ended)

    async def close(self) -> None:
        """Export what waits. Gives up soon: a process that stops waits for no collector."""
        closing = threading.Thread(target=self._processor.shutdown, name="spans-close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _LEAVE_SECONDS)


def allowed(attributes: Mapping[str, Value]) -> dict[str, Value]:
    """The attributes that may leave, with values of the kind that is expected of them."""
    return {
        name: value
        for name, value in attributes.items()
        if (pattern := ALLOWED.get(name)) and pattern.fullmatch(str(value))
    }


def _place(context: Context) -> SpanContext:
    return SpanContext(context.trace, context.span, is_remote=True, trace_flags=_SAMPLED)


class _GivenIds(IdGenerator):
    """Gives the ids that events already carry."""

    trace = 0
    span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class _Counted(SpanExporter):
    """Counts what the collector took, and what it did not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.settled = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.settled += len(spans)
            if result is SpanExportResult.SUCCESS:
                metrics.SPANS_EXPORTED.inc(len(spans))
            else:
                metrics.SPANS_DROPPED.labels("no-collector").inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
