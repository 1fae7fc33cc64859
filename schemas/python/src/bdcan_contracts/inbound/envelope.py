"""The CloudEvents envelope of a record that an outsider wrote: binary or structured mode, as the Kafka binding 1.0 has them.

The content type decides which, also beside `ce_` headers. Of what is wrong everything is named, and what can be quoted is
quoted: a receipt must tell its reader which record it is about.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any, cast

from msgspec import Struct

from bdcan_contracts.envelope import Headers, Problem
from bdcan_contracts.json_door import JsonLimitError, RepeatedKeyError, read_json

MAX_BYTES = 262_144
"""What a record's value holds at most."""

_LONGEST = 1024
"""Characters of an attribute at most."""
_NAMES = ("specversion", "id", "source", "type", "subject", "time", "dryrun")
_REQUIRED = ("specversion", "id", "source", "type")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TRACEPARENT = re.compile(r"[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}")
_JSON = re.compile(r"(?:application|text)/(?:[\w.+-]+\+)?json")
_LEAP_SECOND = re.compile(r"(?<=T\d\d:\d\d:)60")
_BOM = b"\xef\xbb\xbf"


class Envelope(Struct, frozen=True):
    """The attributes as they were sent, for a receipt to quote, with everything that is wrong with them."""

    attributes: dict[str, str]
    structured: bool
    body: bytes | None
    """The body as JSON; None where there is none, or nobody can read it."""
    data: Any
    """What the body says, where it had to be read already."""
    traceparent: str | None
    dry_run: bool
    problems: tuple[Problem, ...]


class _Found:
    """What has been found so far."""

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.problems: list[Problem] = []

    def wrong(self, field: str, code: str, message: str) -> None:
        self.problems.append(Problem(field, code, message))


_OPAQUE = {
    "bad-header": ("headers", "a header's name is not UTF-8: send names of plain letters"),
    "too-large": ("", "the batch that the record is in unpacks to more than 32 MiB: send smaller ones"),
}
"""Why nothing but a record's position is known."""


def open_envelope(headers: Headers, value: bytes | None, *, opaque: str | None = None) -> Envelope:
    """Take a record apart. `opaque`: why nothing of it can be read, as a code."""
    found = _Found()
    binary, content_type, traceparent = _headers(headers, found)
    media, is_large = _media_type(content_type), value is not None and len(value) > MAX_BYTES
    if opaque:
        field, message = _OPAQUE[opaque]
        found.wrong(field, opaque, message)
    if is_large:
        found.wrong(
            "", "too-large", f"the record's value has more than {MAX_BYTES} bytes: send a shorter one"
        )
    structured = media.startswith("application/cloudevents")
    body, data = value, None
    if media.startswith("application/cloudevents-batch"):
        found.attributes.update(binary)
        found.wrong("content-type", "batch", "a batch of events: send each event as a record of its own")
        body = None
    elif structured:
        if media != "application/cloudevents+json":
            found.wrong(
                "content-type", "bad-header", "only application/cloudevents+json is read in structured mode"
            )
            body = None
        body, data = _structured(body, found, binary, is_large=is_large)
    elif not opaque:
        found.attributes.update(binary)
        if media and not _JSON.fullmatch(media):
            found.wrong("content-type", "bad-header", "the content type is not JSON: send application/json")
        if value is None or not value:
            found.wrong("", "no-body", "the record has no value: send the request as JSON")
    if not opaque and (not structured or data is not None or body is not None):
        _check(found, "" if structured else "ce_")
    dry_run = found.attributes.get("dryrun", "").lower() == "true"
    trace = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None
    return Envelope(
        found.attributes,
        structured,
        None if is_large or not body else body.removeprefix(_BOM),
        data,
        trace,
        dry_run,
        tuple(found.problems),
    )


def _headers(headers: Headers, found: _Found) -> tuple[dict[str, str], str, str | None]:
    """The attributes of binary mode, the content type, and the trace."""
    binary: dict[str, str] = {}
    content_type, traceparent = "", None
    for name, value in headers:
        if name.startswith("ce_") and (attribute := name[3:]) in _NAMES:
            if attribute in binary:
                found.wrong(name, "bad-header", "the header is there twice: send it once")
                continue
            text = (cast("bytes | None", value) or b"").decode("utf-8", "replace")
            if "\ufffd" in text:
                found.wrong(name, "bad-header", "the header is not UTF-8: send it as UTF-8")
            if text:
                binary[attribute] = text
        elif name.lower() == "content-type":
            content_type = (cast("bytes | None", value) or b"").decode("utf-8", "replace")
        elif name == "traceparent":
            traceparent = (cast("bytes | None", value) or b"").decode("utf-8", "replace")
    return binary, content_type, traceparent


def _structured(
    value: bytes | None, found: _Found, binary: dict[str, str], *, is_large: bool
) -> tuple[bytes | None, Any]:
    """The body of a structured event, as JSON and as what it says. Fills in the attributes."""
    event: Any = None
    if not value:
        if not found.problems:
            found.wrong("", "no-body", "the record has no value: send the event as JSON")
    elif is_large:
        event = _loaded(value)
    else:
        event = load(value.removeprefix(_BOM), found.problems)
    if not isinstance(event, dict):
        found.attributes.update(binary)  # headers beside it may say which record it is
        if event is not None:
            found.wrong("", "bad-body", "a structured event is a JSON object: send one")
        return None, None
    members = cast("dict[str, Any]", event)
    for name in _NAMES:
        said = members.get(name)
        if isinstance(said, bool) and name == "dryrun":
            found.attributes[name] = str(said).lower()
        elif isinstance(said, (int, float)) and not isinstance(said, bool):
            found.attributes[name] = str(said)
        elif isinstance(said, str) and said:
            found.attributes[name] = said
        elif said not in (None, ""):
            found.wrong(name, "bad-header", "the attribute is no text: send a text")
    if is_large:
        return None, None
    return _data(members, found)


def _data(event: dict[str, Any], found: _Found) -> tuple[bytes | None, Any]:
    content_type = event.get("datacontenttype")
    if isinstance(content_type, str) and not _JSON.fullmatch(_media_type(content_type)):
        found.wrong("datacontenttype", "bad-header", "the content type is not JSON: send application/json")
    if event.get("data") is not None:
        data = event["data"]
        return json.dumps(data).encode(), data
    encoded = event.get("data_base64")
    if not isinstance(encoded, str):
        found.wrong("data", "no-body", "the event has no data: send the request as its data")
        return None, None
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        found.wrong("data_base64", "bad-body", "the data is not base64: send JSON as the event's data")
        return None, None
    return body, load(body.removeprefix(_BOM), found.problems)


def load(body: bytes, problems: list[Problem]) -> Any:
    """What JSON says; None where a problem was found."""
    try:
        if (said := read_json(body)) is not None:
            return said
        problems.append(Problem("", "bad-body", "the body says null: send a JSON object"))
    except (RepeatedKeyError, JsonLimitError) as error:
        problems.append(error.problem)
    except UnicodeDecodeError:
        problems.append(Problem("", "bad-body", "the body is not UTF-8: send it as UTF-8"))
    except (ValueError, RecursionError):
        problems.append(Problem("", "bad-body", "the body is not JSON: send a JSON object"))
    return None


def _loaded(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _check(found: _Found, prefix: str) -> None:
    """Look at each attribute."""
    said = found.attributes
    for name in _REQUIRED:
        if name not in said and not any(p.field == prefix + name for p in found.problems):
            found.wrong(prefix + name, "missing", "is required")
    for name, text in said.items():
        if len(text) > _LONGEST:
            found.wrong(
                prefix + name, "bad-header", f"the attribute has more than {_LONGEST} characters: shorten it"
            )
        elif not text.isprintable() and _CONTROL.search(text):
            found.wrong(prefix + name, "bad-header", "the attribute holds a control character: leave it out")
        elif _SURROGATE.search(text):
            found.wrong(prefix + name, "bad-header", "the attribute holds half a character: send whole ones")
    if said.get("specversion", "1.0") != "1.0":
        found.wrong(f"{prefix}specversion", "bad-header", "only CloudEvents 1.0 is read: send 1.0")
    if "time" in said and not _is_time(said["time"]):
        found.wrong(
            f"{prefix}time", "bad-header", "is no time as RFC 3339 has it, such as 2020-03-23T09:00:00Z"
        )
    if said.get("dryrun", "true").lower() not in ("true", "false"):
        found.wrong(f"{prefix}dryrun", "bad-header", "is true or false")


def _is_time(text: str) -> bool:
    """Whether it is a time with its offset. RFC 3339 allows lower case, a blank for the T, and a leap second."""
    plain = _LEAP_SECOND.sub("59", text.upper().replace(" ", "T", 1))
    try:
        return datetime.fromisoformat(plain).tzinfo is not None
    except ValueError:
        return False


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def quoted(text: str | None) -> str | None:
    """An attribute as a receipt quotes it: whole up to the limit, and storable everywhere."""
    if not text:
        return None
    return _SURROGATE.sub("\ufffd", text.replace("\x00", "\ufffd"))[:_LONGEST]
