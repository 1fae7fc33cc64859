"""What a receipt would say about a file, without Kafka and without intake.

A file holds a request as JSON, an event in structured mode, or a record: an object with `headers`, and `value` or `key`. What only
intake knows is not checked: whether an id or a reference was used before, what state a referral is in, and which sources are the
sender's. A bare request is a submission, unless its folder is named after another type of the topic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.envelope import Headers, Problem
from bdcan_contracts.inbound.change import examine_amendment
from bdcan_contracts.inbound.problems import CODES, NOT_YOURS
from bdcan_contracts.inbound.reading import read
from bdcan_contracts.inbound.request import examine_submission
from bdcan_contracts.models import (
    InboundReferralAmended,
    InboundReferralSubmitted,
    InboundReferralWithdrawn,
)
from bdcan_contracts.upstreams import Upstream, is_name

_SUBMITTED = "bdcan.intake.inbound-referral.submitted.v1"
_SOMEBODY = "upstream-system"


class Written(Struct, frozen=True):
    """A record as a file describes it."""

    value: bytes | None
    headers: Headers
    key: bytes | None = None
    topic: str = INBOUND_REFERRALS.name
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


class Verdict(Struct, frozen=True):
    """What a receipt would say. `unclear` names the details that would be kept as typed."""

    file: str
    result: str
    request: str | None
    problems: tuple[Problem, ...]
    unclear: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The same for people, with what to do about each problem."""
        lines = [f"{self.file}: {self.result}"]
        if self.unclear:
            lines.append(f"  kept as typed, because nobody can read it: {', '.join(self.unclear)}")
        for problem in self.problems:
            lines.append(f"  {problem.field or 'the record'}: {problem.code}: {problem.message}")
            if problem.code in CODES:
                lines.append(f"    {CODES[problem.code]}")
        return "\n".join(lines)


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, and the JSON files of the directories. Raises FileNotFoundError."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.json"))
        elif path.exists():
            yield path
        else:
            raise FileNotFoundError(path)


def check(path: Path, today: date, sources: tuple[str, ...] = ()) -> Verdict:
    """What a receipt would say about this file. `sources`: those of the sender; none: whatever the file says."""
    folder = path.parent.name
    record = written(path.read_bytes(), folder if folder in INBOUND_REFERRALS.event_types else _SUBMITTED)
    sender = _sender(record, sources)
    reading = read(record, sender, CATALOGUE)
    problems, unclear = reading.problems, ()
    if isinstance(reading.body, InboundReferralSubmitted):
        examined = examine_submission(reading.body, sender, today)
        problems, unclear = examined.problems, tuple(examined.submission.person.unclear)
    elif isinstance(reading.body, InboundReferralAmended):
        amendment = examine_amendment(reading.body, sender, today)
        problems, unclear = amendment.problems, tuple(amendment.unclear)
    elif isinstance(reading.body, InboundReferralWithdrawn) and reading.body.source not in sender.sources:
        problems = (NOT_YOURS,)
    return Verdict(str(path), "refused" if problems else "accepted", reading.request, problems, unclear)


def written(content: bytes, kind: str = _SUBMITTED) -> Written:
    """The record that a file describes. `kind`: the type of a bare request."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        members = cast("dict[str, Any]", said)
        if "headers" in members and ("value" in members or "key" in members):
            return Written(
                _bytes(members.get("value")), _headers(members["headers"]), _bytes(members.get("key"))
            )
        if "specversion" in members:
            return Written(content, [("content-type", b"application/cloudevents+json")])
    head = {"specversion": "1.0", "id": "1", "source": "file", "type": kind}
    return Written(content, [(f"ce_{name}", value.encode()) for name, value in head.items()])


def _headers(said: Any) -> list[tuple[str, bytes]]:
    pairs = cast("dict[str, Any]", said).items() if isinstance(said, dict) else cast("list[Any]", said)
    return [(str(name), _bytes(value) or b"") for name, value in pairs]


def _bytes(said: Any) -> bytes | None:
    if said is None:
        return None
    return (said if isinstance(said, str) else json.dumps(said)).encode("utf-8", "surrogatepass")


def _sender(record: Written, sources: tuple[str, ...]) -> Upstream:
    if not sources:
        named = read(record, _upstream((_SOMEBODY,)), CATALOGUE).body
        source = getattr(named, "source", "")
        sources = (source if is_name(source) else _SOMEBODY,)
    return _upstream(sources)


def _upstream(sources: tuple[str, ...]) -> Upstream:
    return Upstream(
        name=_SOMEBODY,
        sources=sources,
        inbound_topic=INBOUND_REFERRALS.name,
        receipts_topic=INBOUND_RECEIPTS.name,
    )
