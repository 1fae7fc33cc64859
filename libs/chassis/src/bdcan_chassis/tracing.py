"""Traces: what became of one referral, from the door that it came through to the last handler, as OpenTelemetry spans.

Off unless the settings name a collector: then nothing here runs, and nothing of OpenTelemetry is imported. A trace begins at
a door: an HTTP request, a row of a list, a record of an upstream system. Whether it is sampled is decided there. A lane of
the setting `trace_always` is always sampled: the first event that names it decides that anew.

Events carry the trace in their header `traceparent`. A *unit* of work (a request, a batch, a round of deadlines, a pass) may go on
with many traces. It has one span in each of them, its *part*, and a span of its own; links join the two. What a unit changes
without an event as its cause goes on with the trace of the row: `chassis.trace` remembers it.

A span holds names from our code, ids and numbers (`ALLOWED`): nothing that a person or a stranger wrote.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

from bdcan_chassis.ids import NUMBER
from bdcan_contracts.envelope import Event, Headers, Record

if TYPE_CHECKING:
    from bdcan_chassis.database import Connection
    from bdcan_chassis.settings import ServiceSettings
    from bdcan_chassis.trace_export import Export

Kind: TypeAlias = Literal["server", "client", "consumer", "producer", "internal"]
Value: TypeAlias = str | int

CONTINUES = "traces:continue"
"""The scope of callers whose traces we go on with: our own services. Anybody else's trace is linked."""

MOST_LINKS = 100
"""Links of one span at most: a batch of 500 records names the first of them."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NAME = re.compile(r"_?[A-Za-z][\w./{}:-]{0,149}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]{1,20}")

ALLOWED: Mapping[str, re.Pattern[str]] = {
    "bdcan.lane": _NAME,
    "bdcan.outcome": _NAME,
    "bdcan.subject": _ID,
    "cloudevents.event_type": _NAME,
    "error.type": re.compile(r"\w[\w.-]{0,149}", re.ASCII),
    "http.request.method": _NAME,
    "http.response.status_code": _NUMBER,
    "http.route": re.compile(r"/?[\w./{}:-]{0,149}", re.ASCII),
    "messaging.batch.message_count": _NUMBER,
    "messaging.consumer.group.name": _NAME,
    "messaging.destination.name": _NAME,
    "messaging.destination.partition.id": _NUMBER,
    "messaging.kafka.offset": _NUMBER,
    "messaging.message.id": _ID,
    "messaging.operation.type": _NAME,
    "messaging.system": _NAME,
}
"""All attributes that a span may have, with what their values look like. Anything else is left out."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_CURRENT: ContextVar[Unit | None] = ContextVar("unit", default=None)


class Context(NamedTuple):
    """A place in a trace."""

    trace: int
    span: int
    sampled: bool

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""
        return f"00-{self.trace:032x}-{self.span:016x}-{self.sampled:02x}"


def parse(traceparent: str | None) -> Context | None:
    """What a header says; None if it says nothing that W3C Trace Context allows."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    trace, span, flags = (int(part, 16) for part in found.groups())
    return Context(trace, span, bool(flags & 1)) if trace and span else None


def fresh_context() -> Context:
    """A new trace that nobody records."""
    return Context(_random(128), _random(64), sampled=False)


def _random(bits: int) -> int:
    return random.getrandbits(bits) or 1  # ids are no secrets


@dataclass(slots=True, eq=False)
class Span:
    """One step of a trace. It is exported when it is over, if it is sampled then."""

    name: str
    kind: Kind
    trace: int
    sampled: bool
    parent: int | None = None
    started: int = field(default_factory=time.time_ns)
    attributes: dict[str, Value] = field(default_factory=dict)
    links: list[Span | Context] = field(default_factory=list)
    failed: str = ""
    span: int = field(default_factory=lambda: _random(64))

    @classmethod
    def of(cls, name: str, kind: Kind, parent: Context | None, **more: Any) -> Span:
        """A span that goes on with a trace, or begins one that is not sampled."""
        if parent is None:
            return cls(name, kind, _random(128), sampled=False, **more)
        return cls(name, kind, parent.trace, parent.sampled, parent.span, **more)

    @property
    def context(self) -> Context:
        """Its place, for what follows from it."""
        return Context(self.trace, self.span, self.sampled)

    @property
    def traceparent(self) -> str:
        """Its place, as events carry it."""
        return self.context.traceparent

    @property
    def trace_id(self) -> str:
        """As logs and exemplars name it."""
        return f"{self.trace:032x}"


class Unit:
    """One piece of work, and its part in each trace that it goes on with.

    `leads`: its own span begins a trace, and what has no other cause goes on with that one.
    """

    def __init__(self, tracer: Tracer, own: Span, *, leads: bool) -> None:
        self.own = own
        self.leads = leads
        self.tracer = tracer
        self._parts: dict[Hashable, Span] = {}
        self._known: dict[UUID, Context] = {}

    @property
    def trace_id(self) -> str:
        """What its log lines name: its only part, or its own span."""
        return self._shown.trace_id

    @property
    def exemplar(self) -> dict[str, str] | None:
        """For a histogram: a trace that can be looked up."""
        shown = next((span for span in (self._shown, *self._parts.values()) if span.sampled), None)
        return None if shown is None else {"trace_id": shown.trace_id}

    def handle(self, record: Record, event: Event[Any]) -> None:
        """Take part in the trace of a record that is handled."""
        part = Span.of(
            f"process {event.type}", "consumer", parse(event.traceparent), started=self.own.started
        )
        part.attributes |= {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": record.partition,
            "messaging.kafka.offset": record.offset,
            "messaging.message.id": event.id,
            "cloudevents.event_type": event.type,
            "bdcan.subject": event.subject,
        }
        self.tracer.look_at(part, event.data)
        self._parts[event.key] = part

    def begin(self, name: str, key: Hashable, said: str | None) -> Span:
        """A new trace for one of many things that came together. `said`: the sender's own trace, which is linked."""
        if (part := self._parts.get(key)) is not None:
            return part  # a second attempt
        part = Span(name, "internal", _random(128), sampled=self.tracer.samples(), started=self.own.started)
        part.links += [context] if (context := parse(said)) else []
        self._parts[key] = part
        return part

    def part(self, key: Hashable) -> Span | None:
        """Its part in the trace of a row or a record that it knows; None if it knows none."""
        part = self._parts.get(key)
        if part is None and isinstance(key, UUID) and (context := self._known.get(key)):
            part = Span.of("", "internal", context, started=self.own.started)  # a request is named at its end
            part.attributes["bdcan.subject"] = str(key)
            self._parts[key] = part
        return part

    def follow(self, key: Any, cause: Any) -> Any:
        """What an event about a row follows from: its cause, or the unit's part in the row's trace."""
        if cause is not None:
            return self.part(getattr(cause, "key", None)) or cause
        return self.part(key) or (self.own if self.leads else None)

    def mark(self, key: Hashable, outcome: str, *, failed: bool = False) -> None:
        """Say what became of a record."""
        if (part := self._parts.get(key)) is not None:
            part.attributes["bdcan.outcome"] = outcome
            part.failed = outcome if failed else ""

    def answered(self, route: str, status: int) -> None:
        """Name a request by its route, and say how it was answered."""
        self.own.name = f"{self.own.name} {route}"
        self.own.attributes |= {"http.route": route, "http.response.status_code": status}
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.own.failed = str(status)

    def fail(self, error: BaseException) -> None:
        """Say that all of it failed. An error's message may quote what a person sent: only its class is kept."""
        for span in (self.own, *self._parts.values()):
            span.failed = type(error).__name__

    async def look_up(self, connection: Connection, keys: Iterable[Any]) -> None:
        """Learn the traces of these rows."""
        wanted = [key for key in keys if isinstance(key, UUID) and key not in self._parts]
        if wanted:
            for row in await connection.fetch(_FIND, wanted):
                context = parse(row["traceparent"])
                if context is not None and (context.trace != self.own.trace or not self.leads):
                    self._known[row["subject"]] = context

    def end(self) -> None:
        """Export what is sampled. A single part needs no span beside it."""
        parts = [part for part in self._parts.values() if part.sampled]
        if not self.leads:
            self.own.sampled = len(parts) > 1
        if self.own.sampled:
            self.own.links += parts[:MOST_LINKS]
            for part in parts:
                part.links.append(self.own)
        for span in (self.own, *parts):
            span.name = span.name or self.own.name
            self.tracer.write(span)

    @property
    def _shown(self) -> Span:
        return next(iter(self._parts.values())) if not self.leads and len(self._parts) == 1 else self.own


class Tracer:
    """Makes the spans of a process and hands them to its exporter, which drops what no collector takes."""

    def __init__(self, export: Export, ratio: float, always: Collection[str]) -> None:
        self._export = export
        self._ratio = ratio
        self.always = frozenset(always)

    def samples(self) -> bool:
        """Whether a new trace is sampled. Nobody outside can know or choose it."""
        return random.random() < self._ratio  # noqa: S311 # no secret

    @contextmanager
    def request(self, method: str) -> Iterator[Unit]:
        """A request's unit. Whoever answers it names the route and the status before the end."""
        said = method if method in _METHODS else "_OTHER"
        own = Span(said, "server", _random(128), sampled=self.samples())
        own.attributes["http.request.method"] = said
        with self._current(Unit(self, own, leads=True)) as unit:
            yield unit

    @contextmanager
    def work(
        self, name: str, kind: Kind, quiet: tuple[type[Exception], ...] = (), **attributes: Value
    ) -> Iterator[Unit]:
        """A unit inside the process. An error of a `quiet` class is none."""
        unit = Unit(self, Span.of(name, kind, None, attributes=attributes), leads=False)
        with self._current(unit, quiet):
            yield unit

    def look_at(self, span: Span, data: object) -> bool:
        """Note the lane that an event names. Returns whether the trace is sampled from now on because of it."""
        lanes = {getattr(data, "lane", None)}
        lanes.update(getattr(need, "lane", None) for need in getattr(data, "needs", None) or ())
        named = sorted(str(lane) for lane in lanes if lane is not None)
        first = next((lane for lane in named if lane in self.always), None)
        if first is not None or len(named) == 1:
            span.attributes["bdcan.lane"] = first or named[0]
        starts = first is not None and not span.sampled
        span.sampled = span.sampled or starts
        return starts

    def relayed(self, topic: str, headers: Headers, waiting_since: float) -> None:
        """Export how an event went from the outbox to Kafka, if its trace is sampled."""
        said = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
        context = parse(said.get("traceparent"))
        if context is None or not context.sampled:
            return
        span = Span.of(f"send {topic}", "producer", context, started=int(waiting_since * 1e9))
        span.attributes |= {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.message.id": said.get("ce_id", ""),
            "cloudevents.event_type": said.get("ce_type", ""),
            "bdcan.subject": said.get("ce_subject", ""),
        }
        self.write(span)

    def write(self, span: Span) -> None:
        """Export a span that is over, if it is sampled."""
        if span.sampled:
            self._export.write(span, time.time_ns())

    async def close(self) -> None:
        """Export what is left, for a moment at most."""
        await self._export.close()

    @contextmanager
    def _current(self, unit: Unit, quiet: tuple[type[Exception], ...] = ()) -> Iterator[Unit]:
        token = _CURRENT.set(unit)
        try:
            yield unit
        except BaseException as error:
            if not isinstance(error, quiet):
                unit.fail(error)
            raise
        finally:
            _CURRENT.reset(token)
            unit.end()


def open_tracer(settings: ServiceSettings, service: str, process: str, version: str) -> Tracer | None:
    """The tracer of a process; None where no collector is named."""
    if not settings.otlp_endpoint:
        return None
    # only now: OpenTelemetry's imports take time and memory
    from bdcan_chassis.trace_export import Export

    resource = {
        "service.namespace": "bdcan",
        "service.name": service,
        "service.version": version,
        "service.instance.id": f"{service}-{process}",
    }
    return Tracer(Export(settings.otlp_endpoint, resource), settings.trace_ratio, settings.trace_always)


def working(
    tracer: Tracer | None, name: str, kind: Kind = "internal", quiet: tuple[type[Exception], ...] = ()
) -> AbstractContextManager[Unit | None]:
    """A unit of work; None where nothing is traced."""
    return nullcontext() if tracer is None else tracer.work(name, kind, quiet)


def current_unit() -> Unit | None:
    """The unit of work that runs here."""
    return _CURRENT.get()


@contextmanager
def calling(name: str, subject: UUID) -> Iterator[dict[str, str]]:
    """A call of the world outside, for one row of the running unit. Gives the headers that the call sends."""
    unit = _CURRENT.get()
    part = unit and unit.part(subject)
    if unit is None or part is None:
        yield {}
        return
    span = Span.of(name, "client", part.context)
    try:
        yield {"traceparent": span.traceparent}
    except BaseException as error:
        span.failed = type(error).__name__
        raise
    finally:
        span.sampled = part.sampled
        unit.tracer.write(span)


def meet(traceparent: str | None, *, trusted: bool) -> None:
    """Take note of the trace of an authenticated caller. A stranger's is linked, and decides nothing."""
    unit, context = _CURRENT.get(), parse(traceparent)
    if unit is None or context is None:
        return
    if trusted:
        unit.own.trace, unit.own.parent = context.trace, context.span
        unit.own.sampled = context.sampled or unit.own.sampled
    else:
        unit.own.links.append(context)


def name_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: name the trace of the running unit."""
    unit = _CURRENT.get()
    if unit is not None:
        event.setdefault("trace", unit.trace_id)
    return event


async def remember(connection: Connection, traces: Mapping[UUID, Span]) -> None:
    """Keep where the traces of these rows have got to. Only sampled ones: the others have no spans."""
    # sorted, so that two transactions lock the rows in one order
    found = [(key, traces[key].traceparent) for key in sorted(traces, key=NUMBER) if traces[key].sampled]
    if found:
        await connection.execute(_KEEP, [key for key, _ in found], [trace for _, trace in found])


_FIND = "SELECT subject, traceparent FROM chassis.trace WHERE subject = ANY ($1::uuid[])"

_KEEP = """
INSERT INTO chassis.trace (subject, traceparent)
SELECT subject, traceparent FROM unnest($1::uuid[], $2::text[]) AS n (subject, traceparent)
ON CONFLICT (subject) DO UPDATE SET traceparent = excluded.traceparent, moved_at = excluded.moved_at
"""
