"""What intake does with the events of others. What each event means for a referral is in `domain/progress.py`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, TypeVar, assert_never

from pydantic import BaseModel, ValidationError

from bdcan_chassis.book import Decide
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.subscription import Batch, Handler, Rejected
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    FieldProblem,
    InboundReferralAccepted,
    InboundReferralRefused,
    InboundReferralSubmitted,
)
from bdcan_contracts.vocabulary import Channel
from bdcan_intake.admission import Accepted, Answer, Duplicate, Refused, take_on
from bdcan_intake.books import Referrals
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.submission import Examined, Person, Submission, examine
from bdcan_intake.forms import read_codes

T = TypeVar("T", bound=BaseModel)

_LISTS = frozenset({Channel.OUTREACH, Channel.NHS_LIST})


async def on_submitted(batch: Batch[InboundReferralSubmitted], tx: Tx) -> None:
    """An upstream system asks for help on behalf of a person. Each submission gets its receipt."""
    today = tx.now.date()
    examined = [_examined(e.data, today) async for e in in_turns(batch)]
    answers = await take_on(Referrals(tx), examined)
    for event, answer in zip(batch, answers, strict=True):
        tx.emit(_receipt(event.data, answer, tx.now), cause=event)


async def on_unreadable(rejected: Rejected, tx: Tx) -> None:
    """Tell the sender, if the record's key names one, why a record could not be read."""
    source, _, reference = (rejected.key or b"").decode("utf-8", "replace").partition(":")
    problems = [
        FieldProblem(field=p.field[:200], code=p.code, message=p.message[:300])
        for p in rejected.error.problems[:100]
    ]
    try:
        refused = InboundReferralRefused(
            source=source,
            reference=reference,
            problems=tuple(problems)
            or (FieldProblem(field="", code=rejected.error.reason, message=str(rejected.error)[:300]),),
            refused_at=tx.now,
        )
    except ValidationError:
        return  # the key names no sender: only the parked record remains
    tx.emit(refused)


async def on_noted(batch: Batch[Any], tx: Tx) -> None:
    """An event that changes nothing about who owns what until when: it gets its entry in the timeline."""
    referrals = Referrals(tx)
    referrals.note(batch)
    await referrals.save()


def follow(decide: Decide[Referral, T]) -> Handler[T]:
    """The handler that moves referrals on by a domain function."""

    async def handler(batch: Batch[T], tx: Tx) -> None:
        await Referrals(tx).handle(batch, decide)

    return handler


def _examined(event: InboundReferralSubmitted, today: date) -> Examined:
    """The submission. A code that is not known here is a problem, as it is at the other doors."""
    examined = examine(_submission(event), today)
    said = {"channel": event.channel, "needs": event.needs, "diets": event.diets, "flags": event.flags}
    codes = read_codes(said, today)
    if not isinstance(codes, list):
        return examined
    unknown = tuple(FieldProblem(field=p.field, code=p.code, message=p.message[:300]) for p in codes)
    return examined._replace(problems=(*examined.problems, *unknown))


def _submission(event: InboundReferralSubmitted) -> Submission:
    person = event.person
    return Submission(
        source=event.source,
        reference=event.reference,
        channel=event.channel,
        person=Person(
            name=person.name,
            phone=person.phone,
            email=person.email,
            birth_date=person.birth_date,
            nhs_number=person.nhs_number,
            address=person.address,
            postcode=person.postcode,
        )
        if person
        else Person(),
        household=event.household,
        needs=event.needs,
        diets=event.diets,
        flags=event.flags,
        priority=event.priority,
        notes=event.notes,
        outreach=event.channel in _LISTS,
        consent=event.consent,
    )


def _receipt(
    event: InboundReferralSubmitted, answer: Answer, now: datetime
) -> InboundReferralAccepted | InboundReferralRefused:
    who = {"source": event.source, "reference": event.reference}
    match answer:
        case Accepted(referral):
            return InboundReferralAccepted(
                **who, referral_id=referral.referral_id, duplicate=False, received_at=referral.received_at
            )
        case Duplicate(referral_id, received_at):
            return InboundReferralAccepted(
                **who, referral_id=referral_id, duplicate=True, received_at=received_at
            )
        case Refused(problems):
            return InboundReferralRefused(**who, problems=problems, refused_at=now)
        case _:
            assert_never(answer)
