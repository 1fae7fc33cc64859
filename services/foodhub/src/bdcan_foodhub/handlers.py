"""What foodhub does with the events of other services."""

from __future__ import annotations

from collections.abc import Callable

from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralAssigned,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import Reason, TaskKind
from bdcan_foodhub import store
from bdcan_foodhub.books import Parcels, Referrals, of_referrals
from bdcan_foodhub.domain import facts as ruling
from bdcan_foodhub.domain import parcel as parcelling
from bdcan_foodhub.domain import referral as referring

SiteOf = Callable[[str], str]
"""The site that serves a hub."""


async def on_call_completed(site_of: SiteOf, batch: Batch[WelfareCallCompleted], tx: Tx) -> None:
    """A confirmed food need becomes a parcel. What the call changed reaches every parcel of the referral."""
    referrals, parcels = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.hear_call(referrals[event.data.referral_id], event.data))
        if referral.over:
            continue
        site_id = site_of(referral.hub_id or event.data.hub_id)
        told = {need.need_id for need in event.data.needs}
        for parcel in parcels.of(referral.referral_id):
            if parcel.need_id not in told:
                parcels.put(ruling.follow(parcel, referral, tx.now), event)
        for need in event.data.needs:
            mine = parcels.of_need(referral.referral_id, need.need_id)
            if step := ruling.take_call(mine, referral, event.data, need, site_id, tx.now):
                parcels.put(step, event)
    await referrals.save()
    await parcels.save()


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Cancel the parcels of withdrawn needs, unless they are on the road. The others follow, stop, or have their driver warned.

    Later calls make no parcel for a withdrawn need.
    """
    referrals, parcels = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        before = referrals[event.data.referral_id]
        referral = referrals.put(referring.amend(before, event.data))
        named = event.data.changed if event.data.version > before.amendment_version else ()
        for parcel in parcels.of(referral.referral_id):
            if parcel.need_id in event.data.withdrawn_need_ids:
                parcels.put(parcelling.cancel(parcel, Reason.NEED_WITHDRAWN, tx.now), event)
            else:
                parcels.put(ruling.follow(parcel, referral, tx.now, named=named), event)
    await referrals.save()
    await parcels.save()


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Cancel the referral's parcels, unless they are on the road. Later calls make no new ones."""
    referrals, parcels = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.withdraw(referrals[event.data.referral_id], event.data))
        for parcel in parcels.of(referral.referral_id):
            parcels.put(parcelling.cancel(parcel, Reason.REFERRAL_WITHDRAWN, tx.now), event)
    await referrals.save()
    await parcels.save()


async def on_assigned(batch: Batch[ReferralAssigned], tx: Tx) -> None:
    """The resident lives in the borough after all, and is rung again. A referral without food is not known here."""
    await Referrals(tx).handle(batch, lambda known, event, _: known and referring.assign(known, event.data))


async def on_linked(batch: Batch[ReferralLinked], tx: Tx) -> None:
    """Other referrals may be about the same person or household: lists show it, and a person decides."""
    await Referrals(tx).handle(batch, lambda known, event, _: referring.link(known, event.data))


async def on_out_of_area(batch: Batch[ReferralOutOfArea], tx: Tx) -> None:
    """Another council must help. Cancel the referral's parcels, unless they are on the road; later calls make no new ones."""
    referrals, parcels = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.leave(referrals[event.data.referral_id], event.data))
        for parcel in parcels.of(referral.referral_id) if referral.out_of_area else ():
            parcels.put(parcelling.cancel(parcel, Reason.OUT_OF_AREA, tx.now), event)
    await referrals.save()
    await parcels.save()


async def on_reassigned(site_of: SiteOf, batch: Batch[ReferralReassigned], tx: Tx) -> None:
    """Move the referral's parcels to the newest hub. Parcels of later calls go there too."""
    referrals, parcels = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.assign(referrals[event.data.referral_id], event.data))
        hub_id = referral.hub_id or event.data.hub_id
        moved = event.data.reason == Reason.ADDRESS_CHANGED
        for parcel in parcels.of(referral.referral_id):
            step = (
                parcelling.move_house(parcel, hub_id, site_of(hub_id), tx.now)
                if moved
                else parcelling.move_hub(parcel, hub_id, site_of(hub_id))
            )
            parcels.put(step, event)
    await referrals.save()
    await parcels.save()


async def on_task_accepted(batch: Batch[TaskAccepted], tx: Tx) -> None:
    """A volunteer fetches the parcel, unless goods in it are past their date by now."""
    parcels = await _delivered_by(batch, tx)
    today = tx.today
    causes = {parcel.parcel_id for parcel in parcels}
    good = {g.cause: g.day for g in await store.lots.GOOD_UNTIL.all(tx.connection, causes=causes)}
    for event in batch:
        if parcel := parcels.of_delivery(event.data.kind, event.data.parcel_id):
            past = good.get(parcel.parcel_id, today) < today
            parcels.put(parcelling.dispatch(parcel, event.data.task_id, tx.now, past_its_date=past), event)
    await parcels.save()


async def on_task_completed(batch: Batch[TaskCompleted], tx: Tx) -> None:
    """The parcel is at the door."""
    parcels = await _delivered_by(batch, tx)
    for event in batch:
        if parcel := parcels.of_delivery(event.data.kind, event.data.parcel_id):
            parcels.put(parcelling.deliver(parcel, tx.now), event)
    await parcels.save()


async def on_task_failed(batch: Batch[TaskFailed], tx: Tx) -> None:
    """The parcel comes back and waits for the next volunteer, unless this borough helps no more."""
    parcels = await _delivered_by(batch, tx)
    records = await store.referrals.OVER.records(
        tx.connection, referral_ids={parcel.referral_id for parcel in parcels}
    )
    over = {record["referral_id"]: record["withdrawn"] for record in records}
    for event in batch:
        if parcel := parcels.of_delivery(event.data.kind, event.data.parcel_id):
            back = parcels.put(ruling.bring_back(parcel, event.data.reason, tx.now), event)
            if back.referral_id in over:
                why = Reason.REFERRAL_WITHDRAWN if over[back.referral_id] else Reason.OUT_OF_AREA
                parcels.put(parcelling.cancel(back, why, tx.now), event)
    await parcels.save()


async def on_task_cancelled(batch: Batch[TaskCancelled], tx: Tx) -> None:
    """Nobody needs the parcel any more. The volunteer brings it back from the road, and it is unpacked."""
    parcels = await _delivered_by(batch, tx)
    for event in batch:
        if parcel := parcels.of_delivery(event.data.kind, event.data.parcel_id):
            back = parcels.put(ruling.bring_back(parcel, event.data.reason, tx.now), event)
            parcels.put(parcelling.cancel(back, event.data.reason, tx.now), event)
    await parcels.save()


async def _delivered_by(
    batch: Batch[TaskAccepted] | Batch[TaskCompleted] | Batch[TaskFailed] | Batch[TaskCancelled], tx: Tx
) -> Parcels:
    parcels = Parcels(tx)
    await parcels.lock_keys(
        event.data.parcel_id
        for event in batch
        if event.data.kind == TaskKind.PARCEL_DELIVERY and event.data.parcel_id
    )
    return parcels
