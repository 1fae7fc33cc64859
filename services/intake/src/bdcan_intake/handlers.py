"""What intake does with the events of the others: a line in the story, and the referral moved on by a pure function.

Each handler takes all events of its type in a batch: one lock, one write per table. Referrals that intake does not
know get their line and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.subscription import Batch, Rejected
from bdcan_chassis.transaction import Tx
from bdcan_contracts import models
from bdcan_contracts.models import Channel, FieldProblem
from bdcan_intake import journal
from bdcan_intake.admission import ASSIGNMENT_DUE, Accepted, Duplicate, Refused, take_on
from bdcan_intake.domain import progress
from bdcan_intake.domain.referral import Referral, settle
from bdcan_intake.domain.submission import Person, Submission, examine
from bdcan_intake.store import referrals, timeline

_LISTS = frozenset({Channel.OUTREACH, Channel.NHS_LIST})


async def on_submitted(batch: Batch[models.InboundReferralSubmitted], tx: Tx) -> None:
    """An upstream system asks for help on behalf of a person; each submission gets its receipt."""
    today = tx.now.date()
    answers = await take_on(tx, [examine(_submission(e.data), today) async for e in in_turns(batch)])
    for event, answer in zip(batch, answers, strict=True):
        who = {"source": event.data.source, "reference": event.data.reference}
        match answer:
            case Accepted(referral):
                tx.emit(
                    models.InboundReferralAccepted(
                        **who, referral_id=referral.referral_id, duplicate=False, received_at=tx.now
                    ),
                    cause=event,
                )
            case Duplicate(referral_id, received_at):
                tx.emit(
                    models.InboundReferralAccepted(
                        **who, referral_id=referral_id, duplicate=True, received_at=received_at
                    ),
                    cause=event,
                )
            case Refused(problems):
                tx.emit(
                    models.InboundReferralRefused(**who, problems=problems, refused_at=tx.now), cause=event
                )


async def on_unreadable(rejected: Rejected, tx: Tx) -> None:
    """Tell the sender, as far as the record's key says who that is, why a record could not be read."""
    source, _, reference = (rejected.key or b"").decode("utf-8", "replace").partition(":")
    problems = [
        FieldProblem(field=p.field[:200], code=p.code, message=p.message[:300])
        for p in rejected.error.problems[:100]
    ]
    try:
        refused = models.InboundReferralRefused(
            source=source,
            reference=reference,
            problems=tuple(problems)
            or (FieldProblem(field="", code=rejected.error.reason, message=str(rejected.error)[:300]),),
            refused_at=tx.now,
        )
    except ValidationError:
        return  # the key names no sender: the parked record is all there can be
    tx.emit(refused)


async def on_assigned(batch: Batch[models.ReferralAssigned], tx: Tx) -> None:
    """The referral has its hub."""
    await _follow_placement(batch, tx, progress.assigned)


async def on_reassigned(batch: Batch[models.ReferralReassigned], tx: Tx) -> None:
    """The referral moves to another hub."""
    await _follow_placement(batch, tx, progress.assigned)


async def on_held_for_triage(batch: Batch[models.ReferralHeldForTriage], tx: Tx) -> None:
    """Routing's people decide."""
    await _follow_placement(batch, tx, progress.held_for_triage)


async def on_out_of_area(batch: Batch[models.ReferralOutOfArea], tx: Tx) -> None:
    """Another council must help."""
    await _follow_placement(batch, tx, progress.out_of_area)


async def on_call_completed(batch: Batch[models.WelfareCallCompleted], tx: Tx) -> None:
    """The resident was spoken to."""
    await _follow(batch, tx, progress.call_completed)


async def on_call_unanswered(batch: Batch[models.WelfareCallUnanswered], tx: Tx) -> None:
    """Another call is due."""
    await _follow(batch, tx, progress.call_unanswered)


async def on_call_exhausted(batch: Batch[models.WelfareCallExhausted], tx: Tx) -> None:
    """Nobody was reached."""
    await _follow(batch, tx, progress.call_exhausted)


async def on_task_opened(batch: Batch[models.TaskOpened], tx: Tx) -> None:
    """Volunteers are being asked."""
    await _follow(batch, tx, progress.task_opened)


async def on_task_completed(batch: Batch[models.TaskCompleted], tx: Tx) -> None:
    """A volunteer is done."""
    await _follow(batch, tx, progress.task_completed)


async def on_task_cancelled(batch: Batch[models.TaskCancelled], tx: Tx) -> None:
    """A task is no longer wanted."""
    await _follow(batch, tx, progress.task_cancelled)


async def on_parcel_requested(batch: Batch[models.ParcelRequested], tx: Tx) -> None:
    """Foodhub prepares a parcel."""
    await _follow(batch, tx, progress.parcel_requested)


async def on_parcel_short(batch: Batch[models.ParcelShort], tx: Tx) -> None:
    """Stock does not suffice."""
    await _follow(batch, tx, progress.parcel_short)


async def on_parcel_packed(batch: Batch[models.ParcelPacked], tx: Tx) -> None:
    """The parcel is ready."""
    await _follow(batch, tx, progress.parcel_packed)


async def on_parcel_returned(batch: Batch[models.ParcelReturned], tx: Tx) -> None:
    """The parcel came back."""
    await _follow(batch, tx, progress.parcel_returned)


async def on_parcel_delivered(batch: Batch[models.ParcelDelivered], tx: Tx) -> None:
    """The parcel reached the door."""
    await _follow(batch, tx, progress.parcel_delivered)


async def on_parcel_cancelled(batch: Batch[models.ParcelCancelled], tx: Tx) -> None:
    """The parcel is no longer wanted."""
    await _follow(batch, tx, progress.parcel_cancelled)


async def on_escalation_opened(batch: Batch[models.EscalationOpened], tx: Tx) -> None:
    """Needs go to Community Solutions."""
    await _follow(batch, tx, progress.escalation_opened)


async def on_escalation_acknowledged(batch: Batch[models.EscalationAcknowledged], tx: Tx) -> None:
    """A person there has seen it."""
    await _follow(batch, tx, progress.escalation_acknowledged)


async def on_escalation_accepted(batch: Batch[models.EscalationAccepted], tx: Tx) -> None:
    """Community Solutions takes it on."""
    await _follow(batch, tx, progress.escalation_accepted)


async def on_escalation_declined(batch: Batch[models.EscalationDeclined], tx: Tx) -> None:
    """Community Solutions gives it back."""
    await _follow(batch, tx, progress.escalation_declined)


async def on_escalation_closed(batch: Batch[models.EscalationClosed], tx: Tx) -> None:
    """Community Solutions is done."""
    await _follow(batch, tx, progress.escalation_closed)


async def on_escalation_overdue(batch: Batch[models.EscalationOverdue], tx: Tx) -> None:
    """A step is late."""
    await _follow(batch, tx, progress.escalation_overdue)


async def on_told(batch: Batch[Any], tx: Tx) -> None:
    """An event that changes nothing about who owns what until when: its line is all."""
    await timeline.add(tx.connection, [journal.heard(event) for event in batch])


Step = Callable[[Referral, Any, datetime], Referral]


async def _follow(batch: Batch[Any], tx: Tx, step: Step) -> None:
    """Move referrals on, event by event."""
    before = await referrals.lock(tx, {event.data.referral_id for event in batch})
    after = dict(before)
    entries = []
    async for event in in_turns(batch):
        entries.append(journal.heard(event))
        referral = after.get(event.data.referral_id)
        if referral is None:
            continue
        moved = step(referral, event.data, event.time)
        if moved is referral:
            continue
        after[referral.referral_id], turn = settle(moved, tx.now)
        if turn:
            entries.append(journal.tell(tx, turn, lane=referral.lane, cause=event))
    await timeline.add(tx.connection, entries)
    await referrals.save(tx.connection, before, after, tx.now)


async def _follow_placement(batch: Batch[Any], tx: Tx, step: Step) -> None:
    await _follow(batch, tx, step)
    for event in batch:
        tx.cancel_deadline(ASSIGNMENT_DUE, event.data.referral_id)


def _submission(event: models.InboundReferralSubmitted) -> Submission:
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
