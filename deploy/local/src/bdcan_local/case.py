"""`bdcan case`: all that the five services know about one referral, told in the order in which it happened.

It shows ids, codes, states and times. Who the resident is comes from intake's disclosure API alone, for a purpose, so that
the audit says who asked.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct, to_builtins

from bdcan_chassis.printable import printable
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_REFERRALS
from bdcan_contracts.envelope import EnvelopeError, consumed_types, decode
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.processes import SERVICES
from bdcan_local.rights import post
from bdcan_local.table import lines, span
from bdcan_local.tokens import make_token
from bdcan_reconcile.culprits import Culprit
from bdcan_reconcile.promises import Promise, promises
from bdcan_reconcile.reading import Databases, UnreadableError
from bdcan_reconcile.rules import judge

_MOST_RECORDS = 300_000
"""Records that are read in search of causes. Beyond them the story is told without."""

_TIMELINE = (
    "SELECT event_key, at, kind, need_id, detail FROM timeline WHERE referral_id = $1 ORDER BY at, event_key"
)
_SENTENCES = ("explanation", "note")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECEIVED = "SELECT received_at FROM referral WHERE id = $1"


class Told(Struct, frozen=True):
    """One event of the story. `cause`: the kind of the event that made the service act; None: nobody else's event did."""

    at: datetime
    event_key: UUID
    kind: str
    need_id: UUID | None
    detail: dict[str, Any]
    service: str = "intake"
    cause: str | None = None


class Case(Struct, frozen=True):
    """One referral. `doubts`: what reconcile would look at again; a moment ago something may have been on its way."""

    referral_id: UUID
    now: datetime
    state: str
    hub_id: str | None
    owner: str | None
    due_at: datetime | None
    outcome: str | None
    owed: list[Promise]
    needs: list[dict[str, Any]]
    story: list[Told]
    doubts: tuple[Culprit, ...]
    person: dict[str, Any] | None = None


async def find(places: Places, named: str, purpose: str | None, reason: str | None) -> list[Case]:
    """The cases that a reference or an id means. Raises PlatformError."""
    try:
        async with Databases(places.databases, places.clock) as databases:
            found = [
                await _case(places, databases, referral_id) for referral_id in await databases.find(named)
            ]
    except UnreadableError as error:
        raise PlatformError(str(error), "Look at `bdcan status`, and ask again.") from error
    if not found:
        raise PlatformError(
            f"no referral is known as {named!r}",
            "Give a reference, SOURCE:REFERENCE, or the id of a referral, need, call, task, parcel or escalation."
            " What intake refused is no referral: the sender's receipt says why.",
        )
    if purpose is None:
        return found
    return [_with_person(places, case, purpose, reason or "") for case in found]


def as_json(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """The cases for machines."""
    return [to_builtins(case) for case in cases]


def as_text(case: Case, say: Callable[[str], None]) -> None:
    """A case for people: who owes what first, then what is odd, then the story."""
    where = f", {case.hub_id}" if case.hub_id else ""
    end = f" ({case.outcome})" if case.outcome else ""
    say(f"referral {case.referral_id}: {case.state}{end}{where}")
    if case.person is not None:
        for name, value in case.person.items():
            say(f"  {name}: {printable(value)}")
    say("")
    needs = [
        (
            need["code"],
            need["lane"],
            need["state"] + (f" ({need['reason']})" if need["reason"] else ""),
            need["owner"],
            when(_instant(need["due_at"]), case.now) if need["owner"] else None,
        )
        for need in case.needs
    ]
    for line in lines(("needs", "lane", "state", "with", "by"), needs):
        say(line)
    say("")
    if case.owed:
        owed = [(x.who, x.what, x.state, when(x.due_at, case.now)) for x in case.owed]
        for line in lines(("who owes", "what", "state", "by"), owed):
            say(line)
    else:
        say("nobody owes anything")
    for doubt in case.doubts:
        say(f"odd: {doubt.kind}: {printable(doubt.about)} {printable(doubt.says)}")
        say(f"     {printable(doubt.repair)}")
    say("")
    names = {str(told.event_key): f"{place} {told.kind}" for place, told in enumerate(case.story, 1)}
    rows = []
    for place, told in enumerate(case.story, 1):
        cause = names.get(told.cause or "")
        rows.append((place, f"{told.at:%d %b %H:%M:%S}", told.service, told.kind, cause, _told(told.detail)))
    for line in lines(("", "time", "service", "event", "because of", "detail"), rows):
        say(line)


async def _case(places: Places, databases: Databases, referral_id: UUID) -> Case:
    stores = (await databases.read([referral_id])).stores
    doubts = tuple(doubt for doubt in judge(stores) if doubt.referral_id == referral_id)
    told = [
        Told(row["at"], row["event_key"], row["kind"], row["need_id"], _object(row["detail"]))
        for row in await databases.fetch("intake", _TIMELINE, referral_id)
    ]
    received = await databases.fetch("intake", _RECEIVED, referral_id)
    causes = await _causes(places, referral_id) if received else {}
    story = [
        Told(t.at, t.event_key, t.kind, t.need_id, t.detail, *causes.get(t.event_key, ("intake", None)))
        for t in told
    ]
    referral = next(iter(stores.referrals), None)
    return Case(
        referral_id,
        stores.now,
        referral.state if referral else "unknown to intake",
        referral and referral.hub_id,
        referral and referral.owner,
        referral and referral.due_at,
        referral and referral.outcome,
        promises(stores),
        [to_builtins(need) for need in stores.needs],
        story,
        doubts,
    )


async def _causes(places: Places, referral_id: UUID) -> dict[UUID, tuple[str, str | None]]:
    """Who told each event, and the key of the event that made them.

    Events of one trace follow from each other. A service acts on what it reads: the cause is the newest earlier event of
    the trace that the teller reads. Where there is none, a person or a deadline made the service act.
    """
    reads = {
        service: {(topic.name, name) for topic, name in consumed_types(CATALOGUE, service)}
        for service in SERVICES
    }
    traces: defaultdict[str, list[tuple[datetime, UUID, str, str, str]]] = defaultdict(list)
    for topic, event in await _events(places.kafka, referral_id):
        owner = CATALOGUE.of(type(event.data)).owner
        trace = (event.traceparent or str(event.key))[:35]
        traces[trace].append((event.time, event.key, event.type, topic, owner))
    found: dict[UUID, tuple[str, str | None]] = {}
    for events in traces.values():
        events.sort(key=lambda event: event[0])
        for at, key, _, _, owner in events:
            # at the same instant too: a service whose clock is behind acts at the time of what it reads
            read = [e for e in events if e[0] <= at and e[4] != owner and (e[3], e[2]) in reads[owner]]
            found[key] = (owner, str(read[-1][1]) if read else None)
    return found


async def _events(kafka: Mapping[str, Any], referral_id: UUID) -> list[tuple[str, Any]]:
    """The events about a referral that the topics still hold, with their topics; none where that is too much to read."""
    consumer = AIOKafkaConsumer(**kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    found: list[tuple[str, Any]] = []
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic.name, number)
            for topic in CATALOGUE.topics
            if topic.name != INBOUND_REFERRALS.name
            for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        if sum(ends.values()) - sum(starts.values()) > _MOST_RECORDS:
            return []
        for place, start in starts.items():  # told where: the fetcher looks for a place by itself meanwhile
            consumer.seek(place, start)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=300, max_records=5000)).values():
                for raw in batch:
                    if raw.value is None or str(referral_id).encode() not in raw.value:
                        continue
                    try:
                        event = decode(CATALOGUE, raw.topic, raw.key, raw.headers, raw.value)
                    except EnvelopeError:
                        continue
                    if getattr(event.data, "referral_id", None) == referral_id:
                        found.append((raw.topic, event))
    finally:
        await consumer.stop()
    return found


def _with_person(places: Places, case: Case, purpose: str, reason: str) -> Case:
    if places.system is None or "intake" not in places.apis:
        raise PlatformError(
            "this system does not let the command make a token for you",
            "Ask intake yourself: POST /v1/disclosures with your own token.",
        )
    token = make_token(
        places.system.secrets, "operator", (f"disclosures:{purpose}",), (case.hub_id,) if case.hub_id else ()
    )
    asked = {"referral_id": str(case.referral_id), "purpose": purpose, "reason": reason}
    headers = {"Authorization": f"Bearer {token.text}"}
    person = post(f"{places.apis['intake']}/v1/disclosures", headers, asked)
    return Case(**{**{name: getattr(case, name) for name in case.__struct_fields__}, "person": person})


def when(due_at: datetime | None, now: datetime) -> str | None:
    """A time, and how far away it is."""
    if due_at is None:
        return None
    left = (due_at - now).total_seconds()
    return f"{due_at:%d %b %H:%M}, " + (f"in {span(left)}" if left >= 0 else f"{span(left)} LATE")


def _told(detail: Mapping[str, Any]) -> str:
    """The detail of an event, short enough to read: codes first, sentences last, of an id its beginning."""
    said = [f"{name}: {_short(value)}" for name, value in detail.items() if name not in _SENTENCES]
    return "; ".join(said + [f"{name}: {detail[name]}" for name in _SENTENCES if name in detail])


def _short(value: Any) -> str:
    text = str(value)
    if _ID.fullmatch(text):
        return f"{text[:8]}…"
    at = _instant(text)
    return text if at is None else f"{at:%d %b %H:%M}"


def _instant(text: Any) -> datetime | None:
    """The time that a text says, where it says one with its offset."""
    if isinstance(text, datetime):
        return text
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _object(text: str | dict[str, Any]) -> dict[str, Any]:
    return json.loads(text) if isinstance(text, str) else text
