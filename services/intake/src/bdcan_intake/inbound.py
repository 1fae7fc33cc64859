"""What intake does with the records of upstream systems: each gets exactly one receipt, whatever is wrong with it.

What a record says is found in `bdcan_contracts.inbound`, without a database. Here the sender is looked up, an event that was
sent before gets the receipt of then, and requests go to the function of their type (`REQUESTS`). A sender's mistake is a receipt
and a count. Only a failure of this module parks a record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar, assert_never, cast
from uuid import UUID

import msgspec
from msgspec import Struct
from pydantic import BaseModel

from bdcan_chassis.errors import BadRecordError
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.stages import in_stages
from bdcan_chassis.subscription import Opaque
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem, Record
from bdcan_contracts.inbound import Reading, examine_submission, metric_code, read
from bdcan_contracts.inbound.problems import ID_REUSED, SENDER_REVOKED
from bdcan_contracts.inbound.submission import Person
from bdcan_contracts.models import (
    FieldProblem,
    InboundReferralAccepted,
    InboundReferralRefused,
    InboundReferralSubmitted,
    QuotedRecord,
)
from bdcan_contracts.upstreams import Upstream
from bdcan_intake import metrics, store
from bdcan_intake.admission import Accepted, Answer, Duplicate, Refused, take_on
from bdcan_intake.books import KnownEvents, Referrals
from bdcan_intake.domain.known_event import KnownEvent, know
from bdcan_intake.domain.references import named_alike, quoted, told
from bdcan_intake.inbound_changes import Answered, Change, Wanted, change

T = TypeVar("T", bound=BaseModel)

Receipt: TypeAlias = InboundReferralAccepted | InboundReferralRefused

_MOST_PROBLEMS = 100


class Request(Struct, frozen=True):
    """A record that says something intake can answer."""

    sender: Upstream
    reading: Reading

    @property
    def aggregate(self) -> tuple[str, str]:
        """What requests keep their order by."""
        return self.reading.source, self.reading.reference

    @property
    def kind(self) -> tuple[str, bool]:
        """Its type, and whether it is a dry run: one function answers all of one kind."""
        return self.reading.request or "", self.reading.dry_run


AnswerAll: TypeAlias = Callable[[Sequence[Request], Tx], Awaitable[list[Answered]]]
"""Answers requests of one type, in their order: one `Answered` for each."""


async def submitted(requests: Sequence[Request], tx: Tx) -> list[Answered]:
    """Take on what upstream systems ask for on behalf of people."""
    examined = [
        examine_submission(_body(request, InboundReferralSubmitted), request.sender, tx.today)
        async for request in in_turns(requests)
    ]
    records = [request.reading.record for request in requests]
    causes = tx.begin_traces(
        "submitted",
        [(record.topic, record.partition, record.offset) for record in records],
        [request.reading.traceparent for request in requests],
    )
    answers = await take_on(Referrals(tx), examined, causes)
    return [
        Answered(
            answer,
            one.submission.person,
            answer.referral.told_reference if isinstance(answer, Accepted) else None,
        )
        for answer, one in zip(answers, examined, strict=True)
    ]


async def changed(requests: Sequence[Request], tx: Tx) -> list[Answered]:
    """Amend or withdraw the referrals that upstream systems sent before."""
    wanted = [Wanted(request.sender, cast("Change", request.reading.body)) for request in requests]
    return await change(wanted, tx)


REQUESTS: Mapping[str, AnswerAll] = {"submitted": submitted, "amended": changed, "withdrawn": changed}
"""What answers which type of request. A new type gets its line here."""


async def on_records(batch: Sequence[Record], tx: Tx) -> None:
    """Answer the records of a batch, each with one receipt, in their order."""
    requests = [_request(record, tx) async for record in in_turns(batch)]
    keys = {key for request in requests if (key := request.reading.event_key)}
    events = KnownEvents(tx)
    known = {one.event_key: one for one in await store.known_events.FIND.all(tx.connection, event_keys=keys)}
    answers = await _answer_new(_new_among(requests, known), tx)
    for place, request in enumerate(requests):
        reading, result = request.reading, "repeated"
        if answered := answers.get(place):
            receipt, result = _receipt(request, answered, tx), _result(answered.answer)
            if reading.event_key and not reading.dry_run and not request.sender.revoked_at:
                known[reading.event_key] = events.put(
                    know(reading.event_key, reading.content, receipt, tx.now)
                )
        elif (event := known[_key(request)]).content == reading.content:
            receipt = _again(request, event)
        else:
            receipt, result = _receipt(request, Answered(Refused((ID_REUSED,))), tx), "refused"
        tx.emit(receipt, cause=reading, topic=request.sender.receipts_topic)
        for news in answered.told if answered else ():
            news.emit(tx)
        _count(request, receipt, result, tx)
    await events.save()


def _request(record: Record, tx: Tx) -> Request:
    sender = tx.upstreams.of_inbound_topic(record.topic)
    if sender is None:  # it was there when the topic was subscribed to
        raise BadRecordError("unknown-sender", "no upstream system writes to this topic any more")
    return Request(sender, read(record, sender, tx.catalogue, opaque=_why_opaque(record)))


def _why_opaque(record: Record) -> str | None:
    return record.reason if isinstance(record, Opaque) else None


def _key(request: Request) -> UUID:
    key = request.reading.event_key
    assert key is not None  # noqa: S101 # what has no id is new
    return key


def _new_among(requests: Sequence[Request], known: Mapping[UUID, KnownEvent]) -> dict[int, Request]:
    """The requests that have no receipt yet, by their place. Of two under one id the first is new."""
    new: dict[int, Request] = {}
    claimed: set[UUID] = set()
    for place, request in enumerate(requests):
        key = request.reading.event_key
        if key in known or key in claimed:
            continue
        if key is not None and not request.reading.dry_run:
            claimed.add(key)
        new[place] = request
    return new


async def _answer_new(new: Mapping[int, Request], tx: Tx) -> dict[int, Answered]:
    answers: dict[int, Answered] = {}
    good: dict[int, Request] = {}
    for place, request in new.items():
        if request.sender.revoked_at is not None:
            answers[place] = Answered(Refused((SENDER_REVOKED,)))
        elif request.reading.problems:
            answers[place] = Answered(Refused(request.reading.problems))
        else:
            good[place] = request
    for (kind, is_dry), places in in_stages(good, lambda p: good[p].aggregate, lambda p: good[p].kind):
        if is_dry:
            for place in places:
                answers[place] = await _rehearse(REQUESTS[kind], good[place], tx)
        else:
            group = await REQUESTS[kind]([good[place] for place in places], tx)
            answers |= zip(places, group, strict=True)
    return answers


async def _rehearse(answer: AnswerAll, request: Request, tx: Tx) -> Answered:
    """The answer as if. Whatever it wrote is rolled back."""
    mark, savepoint = tx.mark(), tx.connection.transaction()
    await savepoint.start()
    try:
        [answered] = await answer([request], tx)
    finally:
        await savepoint.rollback()
        tx.rewind(mark)
    return answered._replace(told=())


def _again(request: Request, event: KnownEvent) -> Receipt:
    """The receipt of then, about the record of now."""
    kind = InboundReferralAccepted if event.referral_id else InboundReferralRefused
    receipt = kind.model_validate_json(msgspec.json.encode(event.receipt))
    return receipt.model_copy(
        update={
            "record": _quoted(request, receipt.reference, Person()),
            "dry_run": request.reading.dry_run or None,
        }
    )


def _receipt(request: Request, answered: Answered, tx: Tx) -> Receipt:
    reading, (answer, person, name, _) = request.reading, answered
    name = _name(answer, name or told(reading.source, reading.reference, person))
    common: dict[str, Any] = {
        "source": reading.source,
        "reference": name,
        "record": _quoted(request, name, person),
        "request": reading.request,
        "dry_run": reading.dry_run or None,
    }
    match answer:
        case Accepted(referral):
            return InboundReferralAccepted(
                **common,
                referral_id=referral.referral_id,
                duplicate=False,
                previous_referral_id=referral.previous_referral_id,
                received_at=referral.received_at,
                state=referral.state,
                open=referral.open,
                unclear=_unclear(person),
            )
        case Duplicate(referral_id, received_at, state):
            return InboundReferralAccepted(
                **common,
                referral_id=referral_id,
                duplicate=True,
                received_at=received_at,
                state=state,
                open=True,
                unclear=_unclear(person),
            )
        case Refused(problems):
            return InboundReferralRefused(**common, problems=_told(problems), refused_at=tx.now)
        case _:
            assert_never(answer)


def _name(answer: Answer, reference: str) -> str:
    known = answer.referral.told_reference if isinstance(answer, Accepted) else answer.told_reference
    return named_alike(known, reference)


def _quoted(request: Request, name: str, person: Person) -> QuotedRecord:
    reading = request.reading
    return quoted(reading.record, reading.source, reading.reference, name, person)


def _unclear(person: Person) -> tuple[str, ...]:
    return tuple(name[:60] for name in person.unclear)[:50]


def _told(problems: Iterable[Problem]) -> tuple[FieldProblem, ...]:
    cut = islice(problems, _MOST_PROBLEMS)
    return tuple(FieldProblem(field=p.field[:200], code=p.code[:60], message=p.message[:300]) for p in cut)


def _result(answer: Answer) -> str:
    if isinstance(answer, Refused):
        return "refused"
    return "duplicate" if isinstance(answer, Duplicate) else "accepted"


def _count(request: Request, receipt: Receipt, result: str, tx: Tx) -> None:
    sender = request.sender.name
    tx.count(metrics.INBOUND_RECORDS.labels(sender, result))
    if result == "refused" and isinstance(receipt, InboundReferralRefused):
        for code in {metric_code(problem.code) for problem in receipt.problems}:
            tx.count(metrics.INBOUND_PROBLEMS.labels(sender, code))


def _body(request: Request, model: type[T]) -> T:
    body = request.reading.body
    assert isinstance(body, model)  # noqa: S101 # a reading without problems has the body of its type
    return body
