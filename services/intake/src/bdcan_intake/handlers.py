"""What intake does with the events of others. What each event means for a referral is in `domain/progress.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any, TypeVar, assert_never
from uuid import UUID

from pydantic import BaseModel, ValidationError

from bdcan_chassis.book import Decide
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import new_id
from bdcan_chassis.json_door import tolerated
from bdcan_chassis.subscription import Batch, Handler, Record, RecordHandler
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import BodyError, EnvelopeError, Event, Problem, decode
from bdcan_contracts.models import (
    ErasureAnswered,
    FieldProblem,
    InboundReferralAccepted,
    InboundReferralRefused,
    InboundReferralSubmitted,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    VolunteerLeft,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_contracts.typed import read_date
from bdcan_contracts.vocabulary import Channel
from bdcan_intake import store
from bdcan_intake.admission import Accepted, Answer, Duplicate, Refused, take_on
from bdcan_intake.books import Enquiries, Erasures, Referrals, Residents, TasksInHand
from bdcan_intake.domain import changes, progress, rights
from bdcan_intake.domain.doer import hear
from bdcan_intake.domain.enquiry import erase, volunteer_id_of
from bdcan_intake.domain.references import told
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.submission import Examined, Person, Submission, examine
from bdcan_intake.forms import read_codes
from bdcan_intake.mending import mend

T = TypeVar("T", bound=BaseModel)
D = TypeVar("D", TaskAccepted, TaskReopened, TaskCompleted, TaskFailed, TaskCancelled)

_NOT_YOURS = Problem("source", "not-yours", "this topic takes no referrals of that source")

_LISTS = frozenset({Channel.OUTREACH, Channel.NHS_LIST})


def on_records(sources: frozenset[str]) -> RecordHandler:
    """The handler of what upstream systems ask for on behalf of people. Each submission gets its receipt.

    `sources`: whom the topic's Kafka users submit as. Another source is refused, whatever it has sent by other doors.
    """

    async def handler(batch: Sequence[Record], tx: Tx) -> None:
        events: list[Event[InboundReferralSubmitted]] = []
        async for record in in_turns(batch):
            try:
                events.append(_read(tx, record))
            except EnvelopeError as error:
                _refuse(record, error, tx)
        examined = [_examined(e.data, tx.today, sources) async for e in in_turns(events)]
        answers = await take_on(Referrals(tx), examined)
        for event, one, answer in zip(events, examined, answers, strict=True):
            tx.emit(_receipt(event.data, one, answer, tx.now), cause=event)

    return handler


def _read(tx: Tx, record: Record) -> Event[InboundReferralSubmitted]:
    body = tolerated(record.value)
    try:
        return decode(tx.catalogue, record.topic, record.key, record.headers, body)
    except BodyError as error:
        mended = mend(body, error.problems) if body else None
        if mended is None:
            raise
        try:
            return decode(tx.catalogue, record.topic, record.key, record.headers, mended)
        except EnvelopeError:
            raise error from None  # the sender hears of what was sent


def _refuse(record: Record, error: EnvelopeError, tx: Tx) -> None:
    """Tell the sender, if the record's key names one, why a record could not be read."""
    source, _, reference = (record.key or b"").decode("utf-8", "replace").partition(":")
    problems = error.problems[:100] or (Problem("", error.reason, str(error)),)
    try:
        refused = InboundReferralRefused(
            source=source, reference=told(source, reference), problems=_told(problems), refused_at=tx.now
        )
    except ValidationError:
        return
    tx.emit(refused)


async def on_noted(batch: Batch[Any], tx: Tx) -> None:
    """An event that changes nothing about who owns what until when: it gets its entry in the timeline."""
    referrals = Referrals(tx)
    referrals.note(batch)
    await referrals.save()


async def on_call_completed(batch: Batch[WelfareCallCompleted], tx: Tx) -> None:
    """What is needed is known. What the call corrected amends the referral, so that every service follows."""
    referrals, residents = Referrals(tx), Residents(tx)
    referrals.note(batch)
    await referrals.lock_keys(event.data.referral_id for event in batch)
    await residents.lock_keys(event.data.referral_id for event in batch if event.data.corrections)
    async for event in in_turns(batch):
        if step := progress.call_completed(referrals.get(event.data.referral_id), event, tx.now, tx.calendar):
            referrals.put(step, event)
        referral, resident = referrals.get(event.data.referral_id), residents.get(event.data.referral_id)
        if referral is None or resident is None or event.data.corrections is None:
            continue
        if amendment := changes.by_call(event.data.corrections, referral, resident):
            resident = residents.put(changes.amend_resident(resident, amendment, tx.today))
            if changes.may_be_amended(referral):
                referrals.put(changes.amend(referral, resident, amendment, new_id, tx.now), event)
    await residents.save()
    await referrals.save()


async def on_call_exhausted(batch: Batch[WelfareCallExhausted], tx: Tx) -> None:
    """Nobody was reached: Community Solutions has what is open, and acknowledges it in working time."""
    await Referrals(tx).handle(
        batch, lambda referral, event, now: progress.call_exhausted(referral, event, now, tx.calendar)
    )


async def on_volunteer_left(batch: Batch[VolunteerLeft], tx: Tx) -> None:
    """Erase who the volunteer was: in the enquiry, and in the reasons of its disclosures."""
    left = {event.data.volunteer_id for event in batch}
    enquiries = Enquiries(tx)
    found = await enquiries.lock(store.enquiries.LOCK_OF_VOLUNTEERS, volunteer_ids=left)
    theirs = [one for one in found if volunteer_id_of(one.enquiry_id) in left]
    for one in theirs:
        enquiries.put(erase(one, tx.now))
    await enquiries.save()
    tx.erase_reasons(one.enquiry_id for one in theirs)
    erasures = Erasures(tx)
    enquiry_ids = [one.enquiry_id for one in theirs]
    for erasure in await erasures.lock(store.erasures.LOCK_OF_ENQUIRIES, enquiry_ids=enquiry_ids):
        erasures.put(rights.enquiry_erased(erasure, enquiry_ids, tx.now))
    await erasures.save()


async def on_erasure_answered(batch: Batch[ErasureAnswered], tx: Tx) -> None:
    """A service says what it has erased of a person, or what it waits for."""
    await Erasures(tx).handle(
        batch,
        lambda erasure, event, now: erasure and rights.answer(erasure, event.data, now),
        key=attrgetter("erasure_id"),
    )


async def lock_referrals(tx: Tx, referral_ids: Collection[UUID]) -> None:
    """Lock all referrals of a batch at once: its handlers lock them kind by kind, and planners in the order of their ids."""
    await store.referrals.LOCK.value(tx.connection, referral_ids=referral_ids)


def with_doer(then: Handler[D]) -> Handler[D]:
    """A handler that also notes who has the task in hand."""

    async def handler(batch: Batch[D], tx: Tx) -> None:
        await then(batch, tx)  # it locks the referrals, where it must
        await TasksInHand(tx).handle(batch, hear, key=attrgetter("task_id"))

    return handler


def follow(decide: Decide[Referral, T]) -> Handler[T]:
    """The handler that moves referrals on by a domain function."""

    async def handler(batch: Batch[T], tx: Tx) -> None:
        await Referrals(tx).handle(batch, decide)

    return handler


def _examined(event: InboundReferralSubmitted, today: date, sources: frozenset[str]) -> Examined:
    """The submission. A code that is not known here is a problem, as it is at the other doors."""
    examined = _coded(event, today)
    if event.source in sources:
        return examined
    return examined._replace(
        problems=(_NOT_YOURS,)
    )  # and nothing else: other problems would tell of the door


def _coded(event: InboundReferralSubmitted, today: date) -> Examined:
    said = {"channel": event.channel, "needs": event.needs, "diets": event.diets, "flags": event.flags}
    codes = read_codes(said, today)
    if not isinstance(codes, list):
        return examine(_submission(event, vars(codes), today), today)
    examined = examine(_submission(event, said, today), today)
    return examined._replace(problems=(*examined.problems, *codes))


def _submission(event: InboundReferralSubmitted, codes: dict[str, Any], today: date) -> Submission:
    given = vars(event) | codes
    details: dict[str, Any] = dict(vars(event.person)) if event.person else {}
    unclear = {detail.field: detail.text for detail in given.pop("unclear")}
    if born := read_date(unclear.get("birth_date"), today):
        details["birth_date"] = born
        del unclear["birth_date"]
    given["person"] = Person(**details, unclear=unclear)
    return Submission(**given, outreach=given["channel"] in _LISTS)


def _receipt(
    event: InboundReferralSubmitted, examined: Examined, answer: Answer, now: datetime
) -> InboundReferralAccepted | InboundReferralRefused:
    unclear = tuple(name[:60] for name in examined.submission.person.unclear)[:50]
    reference = told(event.source, event.reference, examined.submission.person)
    match answer:
        case Accepted(referral):
            return InboundReferralAccepted(
                source=event.source,
                reference=reference,
                referral_id=referral.referral_id,
                duplicate=False,
                previous_referral_id=referral.previous_referral_id,
                received_at=referral.received_at,
                state=referral.state,
                open=referral.open,
                unclear=unclear,
            )
        case Duplicate(referral_id, received_at, state):
            return InboundReferralAccepted(
                source=event.source,
                reference=reference,
                referral_id=referral_id,
                duplicate=True,
                received_at=received_at,
                state=state,
                open=True,
                unclear=unclear,
            )
        case Refused(problems):
            return InboundReferralRefused(
                source=event.source, reference=reference, problems=_told(problems), refused_at=now
            )
        case _:
            assert_never(answer)


def _told(problems: Iterable[Problem]) -> tuple[FieldProblem, ...]:
    return tuple(FieldProblem(field=p.field[:200], code=p.code, message=p.message[:300]) for p in problems)
