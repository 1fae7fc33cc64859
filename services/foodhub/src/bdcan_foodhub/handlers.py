"""What the foodhub does when something happened elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from bdcan_chassis.ids import derived_id
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import (
    LANE_OF,
    CalledNeed,
    CallNeedResult,
    Lane,
    ReferralAmended,
    ReferralReassigned,
    ReferralWithdrawn,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskKind,
    WelfareCallCompleted,
)
from bdcan_foodhub import store
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.parcel import State, Step
from bdcan_foodhub.parcel_book import ParcelBook

SiteOf = Callable[[str], str]
"""The site that serves a hub."""


async def on_call_completed(site_of: SiteOf, batch: Batch[WelfareCallCompleted], tx: Tx) -> None:
    """Confirmed food needs become parcels; what a call changed or declined changes or cancels them."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await ParcelBook.of_referrals(tx, referrals)
    for event in batch:
        if referrals[event.data.referral_id].withdrawn_at is not None:
            continue
        hub_id = referrals[event.data.referral_id].hub_id or event.data.hub_id
        for need in event.data.needs:
            wanted = need.need_id not in referrals[event.data.referral_id].withdrawn_needs
            _take_need(book, event, need, hub_id, site_of(hub_id), tx, wanted=wanted)
    await book.save()


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Parcels for needs that were withdrawn are cancelled unless they are on the road, and none is made later."""
    told = [event for event in batch if event.data.withdrawn_need_ids]
    if not told:  # most amendments withdraw nothing
        return
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in told])
    book = await ParcelBook.of_referrals(tx, referrals)
    for event in told:
        gone = frozenset(event.data.withdrawn_need_ids)
        referrals[event.data.referral_id].withdrawn_needs |= gone
        for parcel in book.of_referral(event.data.referral_id):
            if parcel.need_id in gone:
                book.put(parcels.cancel(parcel, "need-withdrawn", tx.now), event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Parcels that are not on the road are cancelled, and none is made later."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await ParcelBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        referral.withdrawn_at = referral.withdrawn_at or event.data.withdrawn_at
        for parcel in book.of_referral(referral.referral_id):
            book.put(parcels.cancel(parcel, "referral-withdrawn", tx.now), event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_reassigned(site_of: SiteOf, batch: Batch[ReferralReassigned], tx: Tx) -> None:
    """The newest hub has the referral's parcels, and those that a later call asks for."""
    referrals = await store.referrals.lock(tx.connection, [e.data.referral_id for e in batch])
    book = await ParcelBook.of_referrals(tx, referrals)
    for event in batch:
        referral = referrals[event.data.referral_id]
        if event.data.version <= referral.hub_version:
            continue
        referral.hub_version, referral.hub_id = event.data.version, event.data.hub_id
        for parcel in book.of_referral(referral.referral_id):
            moved = parcels.move_hub(parcel, event.data.hub_id, site_of(event.data.hub_id))
            book.put((moved, ()), event)
    await store.referrals.save(tx.connection, referrals.values())
    await book.save()


async def on_task_accepted(batch: Batch[TaskAccepted], tx: Tx) -> None:
    """A volunteer fetches the parcel."""
    book = await _delivered_by(batch, tx)
    for event in batch:
        if parcel := book.of_delivery(event.data.kind, event.data.parcel_id):
            book.put(parcels.dispatch(parcel, event.data.task_id, tx.now), event)
    await book.save()


async def on_task_completed(batch: Batch[TaskCompleted], tx: Tx) -> None:
    """The parcel is at the door."""
    book = await _delivered_by(batch, tx)
    for event in batch:
        if parcel := book.of_delivery(event.data.kind, event.data.parcel_id):
            book.put(parcels.deliver(parcel, tx.now), event)
    await book.save()


async def on_task_failed(batch: Batch[TaskFailed], tx: Tx) -> None:
    """The parcel comes back and waits for the next volunteer, unless nobody wants it any more."""
    book = await _delivered_by(batch, tx)
    for event in batch:
        parcel = book.of_delivery(event.data.kind, event.data.parcel_id)
        if parcel is None:
            continue
        book.put(parcels.come_back(parcel, event.data.reason, tx.now), event)
        if book.withdrawn(parcel.referral_id):
            back = book.parcels[parcel.parcel_id]
            book.put(parcels.cancel(back, "referral-withdrawn", tx.now), event)
    await book.save()


async def on_task_cancelled(batch: Batch[TaskCancelled], tx: Tx) -> None:
    """Nobody wants the parcel any more: the volunteer brings back what was on the road, and it is unpacked."""
    book = await _delivered_by(batch, tx)
    for event in batch:
        if parcel := book.of_delivery(event.data.kind, event.data.parcel_id):
            back = book.put(parcels.come_back(parcel, event.data.reason, tx.now), event)
            book.put(parcels.cancel(back, event.data.reason, tx.now), event)
    await book.save()


async def _delivered_by(
    batch: Batch[TaskAccepted] | Batch[TaskCompleted] | Batch[TaskFailed] | Batch[TaskCancelled], tx: Tx
) -> ParcelBook:
    wanted = [e.data.parcel_id for e in batch if e.data.kind is TaskKind.PARCEL_DELIVERY and e.data.parcel_id]
    return await ParcelBook.of_parcels(tx, wanted)


def _take_need(
    book: ParcelBook,
    event: Event[WelfareCallCompleted],
    need: CalledNeed,
    hub_id: str,
    site_id: str,
    tx: Tx,
    *,
    wanted: bool,
) -> None:
    latest, rounds = book.of_need(need.need_id)
    if not wanted or need.result is CallNeedResult.DECLINED or LANE_OF[need.code] is not Lane.FOOD:
        if latest is not None:
            book.put(parcels.cancel(latest, "need-changed-at-call", tx.now), event)
        return
    body = event.data
    step: Step
    if latest is None or latest.state is State.CANCELLED:
        step = parcels.request(
            _parcel_id(need.need_id, rounds),
            body.referral_id,
            need.need_id,
            need.code,
            hub_id,
            site_id,
            body.priority,
            body.household,
            body.diets,
            tx.now,
        )
    else:
        household = body.household or latest.household
        step = parcels.refill(latest, need.code, household, body.diets or latest.diets, tx.now)
    book.put(step, event)


def _parcel_id(need_id: UUID, rounds: int) -> UUID:
    """The need's first parcel, or, after a cancelled one, the next."""
    return derived_id(need_id, "parcel" if rounds == 0 else f"parcel-{rounds + 1}")
