"""The CloudEvents 1.0 envelope on Kafka (binary content mode), and what a catalogue of topics is made of.

Nothing here knows an event of ours by name: the generated `catalogue` does. What cannot be read raises one of

    EnvelopeError                 the record is no event of this topic
    ├── HeaderError               a header is missing, not UTF-8, or has a value that the specification forbids
    ├── UnknownTypeError          no such event type in the catalogue
    │   └── UnknownVersionError   the type is known, but not in this version
    ├── MisplacedError            the type is known, but belongs on another topic, or the key is not its subject
    └── BodyError                 no body, not UTF-8, not JSON, or not what the type's schema says (with `problems`)

Each has a `reason`, a short code for metrics and dead letters. No message or problem repeats a value that
was sent: a body may hold personal data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID, uuid5

from msgspec import Struct
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

T = TypeVar("T", bound=BaseModel)

Headers = Sequence[tuple[str, bytes]]
"""Kafka record headers, as aiokafka gives and takes them."""

_REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time")
_ANY_REQUIRED = frozenset(_REQUIRED)
_OPTIONAL = frozenset({"content-type", "traceparent"})
_FREE = ("ce_id", "ce_source", "ce_subject")  # the others are compared or parsed
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TRACEPARENT = re.compile(r"[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}")
_NAMESPACE = UUID("6f2f6a4e-52b4-5a0c-9f0a-0d2b8e6f4c11")  # fixed for ever: inbox keys are made from it
_UUID = TypeAdapter(UUID)  # five times as fast as UUID(text)
_MAX_HEADER_BYTES = 1024
# pydantic's own words for these kinds quote what was sent (a pattern's text is ours, a key's is the sender's)
_UNKNOWN_FIELD = "extra_forbidden"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field: `field` is its path (`needs.0.code`), `code` a stable word, `message` for people."""

    field: str
    code: str
    message: str


class Record(Protocol):
    """What aiokafka's ConsumerRecord offers of a record."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Headers: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


class EnvelopeError(Exception):
    """The record is no event of this topic; `reason` is a short, stable code."""

    reason = "bad-envelope"

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class HeaderError(EnvelopeError):
    """A CloudEvents header is missing or has a forbidden value."""

    reason = "bad-header"


class UnknownTypeError(EnvelopeError):
    """The catalogue has no such event type."""

    reason = "unknown-type"


class UnknownVersionError(UnknownTypeError):
    """The catalogue has the type in another version."""

    reason = "unknown-version"


class MisplacedError(EnvelopeError):
    """A known type on a topic that is not its own, or under a key that is not its subject."""

    reason = "misplaced"


class BodyError(EnvelopeError):
    """The body is absent, not UTF-8, not JSON, or breaks the type's schema."""

    reason = "bad-body"


@dataclass(frozen=True, slots=True)
class Reader:
    """A service that reads a topic, and the event types that it reads there."""

    service: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """One Kafka topic. `retention` is None for a compacted topic. `key` is a template over the body's fields.

    `personal_data`: `none`, `pseudonymous` (ids of people) or `personal`. `per_sender`: each upstream system has a topic of its own like this one, which is named after it (`of_sender`).
    """

    name: str
    owner: str
    purpose: str
    key: str
    traffic_class: str
    partitions: int
    retention: timedelta | None
    compacted: bool
    event_types: tuple[str, ...]
    writers: tuple[str, ...]
    consumers: tuple[Reader, ...]
    personal_data: str = "none"
    per_sender: bool = False

    def of_sender(self, sender: str) -> str:
        """The name of an upstream system's own topic. Raises LookupError where each has none."""
        if not self.per_sender:
            raise LookupError(f"{self.name} is one topic for all")
        return f"{self.name}.{sender}"


@dataclass(frozen=True)
class EventType(Generic[T]):
    """One event type: its pydantic model, the id of its schema, and the topics that may carry it (first is usual)."""

    type: str
    model: type[T]
    dataschema: str
    topics: tuple[Topic, ...]

    @property
    def owner(self) -> str:
        """The service that owns the type's topics."""
        return self.topics[0].owner

    @cached_property
    def topic_names(self) -> frozenset[str]:
        """Names of the topics that may carry the type."""
        return frozenset(topic.name for topic in self.topics)

    @cached_property
    def fixed_headers(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        """The headers that all events of the type share, as they stand before and behind those that differ."""
        return (
            [
                ("content-type", b"application/json"),
                ("ce_specversion", b"1.0"),
                ("ce_type", self.type.encode()),
            ],
            [("ce_dataschema", self.dataschema.encode())],
        )

    @cached_property
    def _key_fields(self) -> tuple[str, ...]:
        return tuple(re.findall(r"{(\w+)}", self.topics[0].key))

    def subject_of(self, data: BaseModel) -> str:
        """The aggregate's id: `ce_subject` and the record key."""
        if len(self._key_fields) == 1:  # nearly always
            return _text(getattr(data, self._key_fields[0]))
        return ":".join([_text(getattr(data, name)) for name in self._key_fields])

    def topic_in(self, traffic_class: str | None) -> Topic:
        """The topic of this type of `traffic_class` (None: the usual one). Raises LookupError where there is none."""
        if traffic_class is None:
            return self.topics[0]
        for topic in self.topics:
            if topic.traffic_class == traffic_class:
                return topic
        raise LookupError(f"{self.type} has no topic of traffic class {traffic_class!r}")


@dataclass(frozen=True)
class Catalogue:
    """All topics and event types that a program knows."""

    topics: tuple[Topic, ...]
    event_types: tuple[EventType[Any], ...]
    by_type: Mapping[str, EventType[Any]] = field(init=False, repr=False)
    by_model: Mapping[type[BaseModel], EventType[Any]] = field(init=False, repr=False)
    by_topic: Mapping[str, Topic] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_type", {t.type: t for t in self.event_types})
        object.__setattr__(self, "by_model", {t.model: t for t in self.event_types})
        object.__setattr__(self, "by_topic", {t.name: t for t in self.topics})

    def of(self, model: type[T]) -> EventType[T]:
        """The event type whose body is `model`. Raises LookupError for a model of no event."""
        return self.by_model[model]

    def topic_of(self, name: str) -> Topic:
        """The topic of this name; of an upstream system's own topic, the one that it is like. Raises LookupError."""
        if (topic := self.by_topic.get(name)) is not None:
            return topic
        base, _, sender = name.rpartition(".")
        topic = self.by_topic[base]
        if sender and topic.per_sender:
            return topic
        raise LookupError(f"no topic is called {name}")


class Event(Struct, Generic[T], frozen=True):
    """An event as a handler sees it. `data` is the validated body; all else is the envelope."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: T
    traceparent: str | None
    key: UUID
    """Identity for de-duplication: source and id together, as CloudEvents defines it."""


def event_key(source: str, event_id: str, owner: str) -> UUID:
    """Identity of an event for de-duplication.

    An owner's own ids are UUIDv7 and kept as they are, which keeps the inbox index local in time. Any other
    sender's id is unique only beside its source, so both are hashed together: two upstream systems
    that count from 1 never hide each other's events.
    """
    if source == owner:
        try:
            return _UUID.validate_strings(event_id)
        except ValidationError:
            pass
    return uuid5(_NAMESPACE, f"{source}\n{event_id}")


def source_of(service: str) -> str:
    """`ce_source` of the events that a service of ours emits."""
    return f"bdcan.{service}"


def encode_headers(
    event_type: EventType[Any],
    event_id: UUID,
    source: str,
    subject: str,
    time: datetime,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """The headers of an event in binary content mode."""
    before, behind = event_type.fixed_headers
    headers = [
        *before,
        ("ce_id", str(event_id).encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", _time_text(time)),
        *behind,
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers


@lru_cache(maxsize=16)
def _time_text(time: datetime) -> bytes:
    # all events of a unit of work share one instant
    return time.isoformat().encode()


def encode_body(data: BaseModel) -> bytes:
    """The body as JSON; fields without a value are left out."""
    return data.__pydantic_serializer__.to_json(data, exclude_none=True)


def _text(value: object) -> str:
    # UUID's own text is made in Python, and takes three times as long
    return to_json(value)[1:-1].decode() if type(value) is UUID else str(value)


def type_of(headers: Headers) -> str | None:
    """The event type that the headers name, without any check: to skip what one does not read."""
    for name, value in headers:
        if name == "ce_type":
            return None if value is None else value.decode("utf-8", "replace")
    return None


def read_headers(headers: Headers) -> dict[str, str]:
    """The headers that matter here, as text; all others, ours to carry or not, may hold anything.

    Raises HeaderError for a CloudEvents header that occurs twice, is over-long, is not UTF-8, or holds a
    control character (which CloudEvents forbids, and PostgreSQL cannot always store).
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _ANY_REQUIRED:
            if name in found:
                raise HeaderError(f"header {name!r} occurs twice")
            if value is None or len(value) > _MAX_HEADER_BYTES:
                raise HeaderError(f"header {name!r} has no value or is longer than {_MAX_HEADER_BYTES} bytes")
            try:
                found[name] = value.decode()
            except UnicodeDecodeError:
                raise HeaderError(f"header {name!r} is not UTF-8") from None
        elif name in _OPTIONAL and value is not None:
            found[name] = value[:_MAX_HEADER_BYTES].decode("utf-8", "replace")
    for name in _FREE:
        # isprintable is ten times as fast, and right but for a few spaces beyond ASCII
        if name in found and not found[name].isprintable() and _CONTROL.search(found[name]):
            raise HeaderError(f"header {name!r} holds a control character")
    return found


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """What pydantic found, in words that quote nothing."""
    return tuple(
        Problem(
            field=".".join(map(str, e["loc"][:-1] if e["type"] == _UNKNOWN_FIELD else e["loc"])),
            code=e["type"].replace("_", "-"),
            message="a field that the schema does not know" if e["type"] == _UNKNOWN_FIELD else e["msg"],
        )
        for e in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _body(event_type: EventType[T], value: bytes | None) -> T:
    if not value:
        raise BodyError("there is no body")
    try:
        return event_type.model.__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        problems = problems_of(error)
    try:
        value.decode()
    except UnicodeDecodeError:
        raise BodyError("the body is not UTF-8") from None
    if any(p.code == "json-invalid" for p in problems):
        raise BodyError("the body is not JSON")
    raise BodyError(
        "the body breaks the schema: " + "; ".join(f"{p.field}: {p.code}" for p in problems[:20]), problems
    )


def event_type_of(catalogue: Catalogue, type_name: str) -> EventType[Any]:
    """The event type of this name. Raises UnknownVersionError or UnknownTypeError."""
    found = catalogue.by_type.get(type_name)
    if found is not None:
        return found
    base = re.sub(r"\.v\d+$", "", type_name)
    if base != type_name and any(re.sub(r"\.v\d+$", "", known) == base for known in catalogue.by_type):
        raise UnknownVersionError("the event type is known, but not in this version")
    raise UnknownTypeError("the catalogue has no such event type")


@lru_cache(maxsize=256)
def _time(text: str) -> datetime:
    # events of one unit of work share an instant, and stand beside each other
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise HeaderError("ce_time has no offset from UTC")
        return time.astimezone(UTC)  # an OverflowError here, not in whoever converts it later
    except (ValueError, OverflowError):
        raise HeaderError("ce_time is not an RFC 3339 time") from None


def decode(
    catalogue: Catalogue, topic: str, key: bytes | None, headers: Headers, value: bytes | None
) -> Event[Any]:
    """Read a Kafka record as an event of `topic`. Raises EnvelopeError; see the tree above."""
    head = read_headers(headers)
    if not all(map(head.get, _REQUIRED)):
        missing = [name for name in _REQUIRED if not head.get(name)]
        raise HeaderError(
            f"missing: {', '.join(missing)}", tuple(Problem(n, "missing", "is required") for n in missing)
        )
    if head["ce_specversion"] != "1.0":
        raise HeaderError("ce_specversion is not 1.0")
    content_type = head.get("content-type", "application/json")
    if content_type != "application/json" and _media_type(content_type) != "application/json":
        raise HeaderError("content-type is not application/json")
    time = _time(head["ce_time"])
    event_type = event_type_of(catalogue, head["ce_type"])
    if topic not in event_type.topic_names and not _is_like_one_of(catalogue, topic, event_type.topics):
        raise MisplacedError(f"events of this type do not belong on {topic}")
    subject = head["ce_subject"]
    if key is None or key != subject.encode():
        raise MisplacedError("the record key is not ce_subject")
    traceparent = head.get("traceparent")
    if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
        traceparent = None  # W3C Trace Context: one that cannot be read is dropped, never an error
    data = _body(event_type, value)
    if event_type.subject_of(data) != subject:
        raise MisplacedError("the body is about another aggregate than ce_subject")
    return Event(
        id=head["ce_id"],
        type=event_type.type,
        source=head["ce_source"],
        subject=subject,
        time=time,
        data=data,
        traceparent=traceparent,
        key=event_key(head["ce_source"], head["ce_id"], source_of(event_type.owner)),
    )


def _is_like_one_of(catalogue: Catalogue, name: str, topics: tuple[Topic, ...]) -> bool:
    """Whether it is an upstream system's own topic of that kind."""
    try:
        return catalogue.topic_of(name) in topics
    except LookupError:
        return False


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def consumed_types(catalogue: Catalogue, service: str) -> Iterable[tuple[Topic, str]]:
    """Each (topic, type) that the catalogue says `service` reads."""
    for topic in catalogue.topics:
        for consumer in topic.consumers:
            if consumer.service == service:
                yield from ((topic, type_name) for type_name in consumer.types)
