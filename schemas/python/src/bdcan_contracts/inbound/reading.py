"""From a record to a request, or to everything that is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar, cast
from uuid import UUID, uuid5

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from bdcan_contracts.envelope import (
    Catalogue,
    EnvelopeError,
    EventType,
    Problem,
    Record,
    event_type_of,
    problems_of,
)
from bdcan_contracts.inbound.envelope import MAX_BYTES, Envelope, load, open_envelope, quoted
from bdcan_contracts.inbound.mending import mend
from bdcan_contracts.models import QuotedRecord
from bdcan_contracts.upstreams import Upstream

__all__ = ["MAX_BYTES", "Reading", "read"]

T = TypeVar("T", bound=BaseModel)

_NAMESPACE: Final = UUID(
    "5d0c6f3e-6a0b-5b53-9c83-0d5d1f3f6b7a"
)  # fixed for ever: keys of known events are made from it
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ACCIDENT = re.compile(rb"null|\\u|\d\.\d|\d[eE]")
"""Where a JSON text may hold what `_plain` looks for; nearly none does."""
_LONGEST_REFERENCE = 100


class Reading(Struct, frozen=True):
    """What a record says. `body` is None where `problems` say why.

    `source` and `reference` are what the answer goes by, also where the body names none. `event_key` identifies what the sender
    calls the same event; None where it has no id. `content` tells whether two events say the same.
    """

    record: QuotedRecord
    source: str
    reference: str
    request: str | None
    body: BaseModel | None
    dry_run: bool
    event_key: UUID | None
    content: UUID
    traceparent: str | None
    problems: tuple[Problem, ...]


def read(record: Record, sender: Upstream, catalogue: Catalogue, *, opaque: str | None = None) -> Reading:
    """Read a record of an upstream system. `opaque`: why nothing but its position is known, as a code."""
    envelope = open_envelope(record.headers, record.value, opaque=opaque)
    said, problems = envelope.attributes, list(envelope.problems)
    value = envelope.data
    if value is None and envelope.body is not None and not envelope.structured:
        value = load(envelope.body, problems)
    plain = value if envelope.body is not None and not _ACCIDENT.search(envelope.body) else _plain(value)
    event_type = _type(catalogue, record.topic, said, envelope, problems)
    body = None
    if isinstance(plain, dict):
        given = cast("dict[str, Any]", plain)
        body = event_type and _body(
            event_type, given, envelope.body if plain is value or value == plain else None, problems
        )
        _check_identity(given, said.get("subject"), envelope, problems)
    elif value is not None:
        problems.append(Problem("", "bad-body", "the body is no JSON object: send one"))
    source, reference = _name(record, sender, plain)
    return Reading(
        record=QuotedRecord(
            id=quoted(said.get("id")),
            source=quoted(said.get("source")),
            type=quoted(said.get("type")),
            key=None if record.key is None else quoted(record.key.decode("utf-8", "replace")) or "",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        ),
        source=source,
        reference=reference,
        request=event_type and event_type.type.split(".")[-2],
        body=None if problems else body,
        dry_run=envelope.dry_run,
        event_key=_event_key(record.topic, said, problems),
        content=_content(said.get("type", ""), plain, record.value),
        traceparent=envelope.traceparent,
        problems=tuple(problems),
    )


def _type(
    catalogue: Catalogue, topic: str, said: dict[str, str], envelope: Envelope, problems: list[Problem]
) -> EventType[Any] | None:
    """The type of the event, where it belongs on this topic."""
    field = "type" if envelope.structured else "ce_type"
    if "type" not in said:
        return None
    kind = catalogue.topic_of(topic)
    try:
        event_type = event_type_of(catalogue, said["type"])
    except EnvelopeError as error:
        problems.append(Problem(field, error.reason, f"{error}: send one of {', '.join(kind.event_types)}"))
        return None
    if kind not in event_type.topics:
        problems.append(Problem(field, "misplaced", f"events of this type do not belong on {topic}"))
        return None
    return event_type


def _body(
    event_type: EventType[T], given: dict[str, Any], unchanged: bytes | None, problems: list[Problem]
) -> T | None:
    """The body, mended where it breaks the schema. What cannot be mended is told as it was sent."""
    validator = event_type.model.__pydantic_validator__
    try:
        return validator.validate_json(unchanged or json.dumps(given).encode())
    except ValidationError as error:
        wrong = problems_of(error)
    mended = mend(given, wrong)
    try:
        return validator.validate_json(json.dumps(mended).encode())
    except ValidationError:
        problems.extend(wrong)
        return None


def _check_identity(
    given: dict[str, Any], subject: str | None, envelope: Envelope, problems: list[Problem]
) -> None:
    """Whoever names a request by half a character, or by two names, means none."""
    for name in ("source", "reference"):
        said = given.get(name)
        if isinstance(said, str) and "\ufffd" in said:
            problems.append(Problem(name, "half-character", "holds half a character: send whole ones"))
    if subject is not None and subject != f"{given.get('source')}:{given.get('reference')}":
        field = "subject" if envelope.structured else "ce_subject"
        message = "is another than source:reference of the body: leave it out, or correct it"
        problems.append(Problem(field, "misplaced", message))


def _plain(value: Any) -> Any:
    """What JSON says, without its accidents: a null says nothing, 2.0 is 2, and half a character is none."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {_plain(name): _plain(inner) for name, inner in members if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _name(record: Record, sender: Upstream, plain: Any) -> tuple[str, str]:
    """The source and the reference that the answer goes by."""
    given = cast("dict[str, Any]", plain) if isinstance(plain, dict) else {}
    source, reference = given.get("source"), given.get("reference")
    if not isinstance(source, str) or source not in sender.sources:
        source = sender.sources[0]
    key = (record.key or b"").decode("utf-8", "replace")
    number = str(reference) if isinstance(reference, int) and not isinstance(reference, bool) else reference
    for said in (number, key.partition(":")[2]):
        if isinstance(said, str) and 0 < len(said) <= _LONGEST_REFERENCE and "\x00" not in said:
            return source, said
    return source, f"record-{record.partition}-{record.offset}"


def _event_key(topic: str, said: dict[str, str], problems: Sequence[Problem]) -> UUID | None:
    """What the sender calls the event. One whose id or source is at fault has no name."""
    if "id" not in said or "source" not in said:
        return None
    if any(p.field.removeprefix("ce_") in ("id", "source") and p.code == "bad-header" for p in problems):
        return None
    return uuid5(_NAMESPACE, f"{topic}\n{said['source']}\n{said['id']}")


def _content(kind: str, plain: Any, value: bytes | None) -> UUID:
    """What type and body say, as a number. The order of keys and the blanks between them do not count."""
    body = value or b"" if plain is None else json.dumps(plain, sort_keys=True).encode()
    return UUID(bytes=hashlib.sha256(kind.encode("utf-8", "replace") + b"\n" + body).digest()[:16])
