"""What escalation does when something happened elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from bdcan_chassis.ids import derived_id
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import (
    LANE_OF,
    CallNeedResult,
    EscalationKind,
    Lane,
    Need,
    NeedCode,
    NeedState,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralWithdrawn,
    SafeguardingConcernRaised,
    TaskConcernRaised,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_escalation import store
from bdcan_escalation.case_book import CaseBook
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.store.referrals import Referral

_HANDED_OVER = {Lane.COMPLEX: EscalationKind.COMPLEX, Lane.SAFEGUARDING: EscalationKind.SAFEGUARDING}
"""Lanes whose needs are Community Solutions' business, and as what."""


async def on_concern_raised(batch: Batch[SafeguardingConcernRaised], tx: Tx) -> None:
    """Intake heard that somebody may be at risk: it goes on at once, withdrawn or not."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        need = Need(need_id=event.data.need_id, code=event.data.code)
        _open_need(
            book, referrals[event.data.referral_id], need, Priority.URGENT, tx, event, event.data.respond_by
        )
    await book.save()


async def on_task_concern(batch: Batch[TaskConcernRaised], tx: Tx) -> None:
    """A volunteer saw something that worries them. The concern is a need of its own."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        need = Need(need_id=event.data.concern_id, code=event.data.code)
        _open(
            book,
            derived_id(event.data.concern_id, "escalation"),
            referrals[event.data.referral_id],
            EscalationKind.SAFEGUARDING,
            (need,),
            Priority.URGENT,
            tx,
            event,
        )
    await book.save()


async def on_assigned(batch: Batch[ReferralAssigned], tx: Tx) -> None:
    """The hub is known. Urgent complex needs do not wait for the welfare call."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        if event.data.version > referral.hub_version:
            referral.hub_version, referral.hub_id = event.data.version, event.data.hub_id
            referral.priority = event.data.priority
            for escalation in book.of_referral(referral.referral_id):
                book.put((cases.at_hub(escalation, referral.hub_id), ()))
        if event.data.priority is not Priority.URGENT:
            continue
        for need in event.data.needs:
            if LANE_OF[need.code] is Lane.COMPLEX:
                _open_need(book, referral, need, event.data.priority, tx, event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_call_completed(batch: Batch[WelfareCallCompleted], tx: Tx) -> None:
    """What the call confirmed, changed or found is handed over; what it declined is not, if nobody has it yet."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        referral.hub_id = referral.hub_id or event.data.hub_id
        for said in event.data.needs:
            if said.result is not CallNeedResult.DECLINED and LANE_OF[said.code] in _HANDED_OVER:
                need = Need(need_id=said.need_id, code=said.code)
                _open_need(
                    book, referral, need, event.data.priority, tx, event, said_at=event.data.completed_at
                )
                continue
            for escalation in book.of_need(referral.referral_id, said.need_id):
                if escalation.need_ids == (said.need_id,):
                    book.put(cases.withdraw(escalation, tx.now), event)
        _spoken_of(book, referral, [said.need_id for said in event.data.needs], event.data.completed_at)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_call_exhausted(batch: Batch[WelfareCallExhausted], tx: Tx) -> None:
    """Nobody was reached: a welfare concern, with every need that Community Solutions does not have already."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        referral.hub_id = referral.hub_id or event.data.hub_id
        if referral.withdrawn_at is None and (needs := _unreached(book, referral, event.data)):
            _open(
                book,
                derived_id(event.data.call_id, "escalation"),
                referral,
                EscalationKind.WELFARE_CONCERN,
                needs,
                referral.priority,
                tx,
                event,
            )
        _spoken_of(book, referral, [need.need_id for need in event.data.needs], event.data.exhausted_at)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Needs that were withdrawn are not handed over any more, if nobody has been told of them."""
    told = [event for event in batch if event.data.withdrawn_need_ids]
    if not told:  # most amendments withdraw nothing
        return
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in told])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in told:
        referral = referrals[event.data.referral_id]
        referral.withdrawn_needs |= frozenset(event.data.withdrawn_need_ids)
        for escalation in book.of_referral(referral.referral_id):
            if referral.withdrawn_needs.issuperset(escalation.need_ids):
                book.put(cases.withdraw(escalation, tx.now), event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Complex needs that nobody has been told of are not handed over any more."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        referral.withdrawn_at = referral.withdrawn_at or event.data.withdrawn_at
        for escalation in book.of_referral(referral.referral_id):
            book.put(cases.withdraw(escalation, tx.now), event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_closed(batch: Batch[ReferralClosed], tx: Tx) -> None:
    """What ended otherwise is not handed over any more. What Community Solutions has runs its course."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await CaseBook.of_referrals(tx, referrals)
    for event in batch:
        over = {n.need_id for n in event.data.needs if n.state is not NeedState.REFERRED_ON}
        for escalation in book.of_referral(event.data.referral_id):
            if over.issuperset(escalation.need_ids):
                book.put(cases.withdraw(escalation, tx.now), event)
    await book.save()


def _open_need(
    book: CaseBook,
    referral: Referral,
    need: Need,
    priority: Priority,
    tx: Tx,
    event: Event[SafeguardingConcernRaised] | Event[ReferralAssigned] | Event[WelfareCallCompleted],
    respond_by: datetime | None = None,
    said_at: datetime | None = None,
) -> None:
    """Hand one need over, unless Community Solutions has it or is done with it. One that was given back may be handed over again."""
    earlier = book.of_need(referral.referral_id, need.need_id)
    kind = _HANDED_OVER[LANE_OF[need.code]]
    at = said_at or event.time
    if any(e.answers(at) and (e.kind is kind or kind is EscalationKind.COMPLEX) for e in earlier):
        return
    withdrawn = referral.withdrawn_at is not None or need.need_id in referral.withdrawn_needs
    if withdrawn and kind is not EscalationKind.SAFEGUARDING:
        return
    escalation_id = _next_id(book, need.need_id)
    _open(book, escalation_id, referral, kind, (need,), priority, tx, event, respond_by)


def _next_id(book: CaseBook, need_id: UUID) -> UUID:
    """The need's first escalation, or, after those that ended, the next."""
    place = 1
    while (
        found := derived_id(need_id, "escalation" if place == 1 else f"escalation-{place}")
    ) in book.escalations:
        place += 1
    return found


def _open(
    book: CaseBook,
    escalation_id: UUID,
    referral: Referral,
    kind: EscalationKind,
    needs: tuple[Need, ...],
    priority: Priority,
    tx: Tx,
    event: Event[SafeguardingConcernRaised]
    | Event[TaskConcernRaised]
    | Event[ReferralAssigned]
    | Event[WelfareCallCompleted]
    | Event[WelfareCallExhausted],
    respond_by: datetime | None = None,
) -> None:
    if escalation_id in book.escalations:
        return
    step = cases.open_escalation(
        escalation_id, referral.referral_id, kind, needs, referral.hub_id, priority, tx.now, respond_by
    )
    book.put(step, event)


def _spoken_of(book: CaseBook, referral: Referral, need_ids: Iterable[UUID], at: datetime) -> None:
    for need_id in need_ids:
        for escalation in book.of_need(referral.referral_id, need_id):
            book.put((cases.spoken_of(escalation, at), ()))


def _unreached(book: CaseBook, referral: Referral, event: WelfareCallExhausted) -> tuple[Need, ...]:
    """The needs of a welfare concern: those that Community Solutions does not have, or else, once, those that it has.

    What it has refused since the last call is not among them: the hub calls again. Where nobody ever learned what is needed,
    the concern is the need: intake makes the same one.
    """
    if event.needs:
        needs = tuple(n for n in event.needs if n.need_id not in referral.withdrawn_needs)
    else:
        concern = derived_id(event.referral_id, "welfare-concern")
        needs = (Need(need_id=concern, code=NeedCode.SAFEGUARDING_ADULT),)
    earlier = {n.need_id: book.of_need(event.referral_id, n.need_id) for n in needs}
    left = tuple(n for n in needs if not any(e.answers(event.exhausted_at) for e in earlier[n.need_id]))
    if left:
        return left
    standing = {i: {e.kind for e in found if not e.given_back} for i, found in earlier.items()}
    return tuple(
        n for n in needs if standing[n.need_id] and EscalationKind.WELFARE_CONCERN not in standing[n.need_id]
    )
