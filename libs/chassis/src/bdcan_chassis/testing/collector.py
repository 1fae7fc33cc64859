"""A collector of traces for tests: takes OTLP over HTTP, and shows each span that came and each byte of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it arrived. Ids are hexadecimal; `parent` is empty where it has none."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    error: bool
    seconds: float


@dataclass
class Collector:
    """What has come so far."""

    url: str
    spans: list[Seen] = field(default_factory=list)
    received: bytes = b""
    answers: threading.Event = field(default_factory=threading.Event)
    """Unset it to let the collector hang."""

    def named(self, *names: str) -> list[Seen]:
        """The spans of these names."""
        return [span for span in self.spans if span.name in names]

    def trace_of(self, span: Seen) -> list[Seen]:
        """All spans of its trace."""
        return [other for other in self.spans if other.trace == span.trace]

    def take(self, body: bytes) -> None:
        """Note a request of an exporter."""
        self.received += body
        request = ExportTraceServiceRequest.FromString(body)
        for of_process in request.resource_spans:
            resource = _values(of_process.resource.attributes)
            for scope in of_process.scope_spans:
                self.spans += [_seen(resource["service.name"], span) for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.answers.wait()
            running.take(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # named by the library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    running = Collector(f"http://127.0.0.1:{server.server_port}")
    running.answers.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield running
    finally:
        running.answers.set()
        server.shutdown()
        server.server_close()


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        _values(span.attributes),
        span.status.code == span.status.STATUS_CODE_ERROR,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )
