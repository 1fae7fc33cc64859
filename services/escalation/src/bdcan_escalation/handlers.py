"""What escalation does with the events of other services."""

from __future__ import annotations

from bdcan_chassis.errors import BadRecordError
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    EscalationKind,
    Lane,
    Need,
    NeedState,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    SafeguardingConcernRaised,
    TaskConcernRaised,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_escalation.books import Escalations, Referrals, of_referrals
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.domain import handover
from bdcan_escalation.domain import referral as referring
from bdcan_escalation.domain.referral import Referral


async def on_concern_raised(batch: Batch[SafeguardingConcernRaised], tx: Tx) -> None:
    """Somebody may be at risk: escalate at once, even if the referral is withdrawn."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral, earlier = referrals[event.data.referral_id], escalations.of(event.data.referral_id)
        need = Need(need_id=event.data.need_id, code=event.data.code, lane=event.data.lane)
        step = handover.hand_over(
            referral, earlier, need, Priority.URGENT, tx.now, tx.calendar, respond_by=event.data.respond_by
        )
        if step:
            escalations.put(step, event)
    await escalations.save()


async def on_task_concern(batch: Batch[TaskConcernRaised], tx: Tx) -> None:
    """A volunteer saw something that worries them. The concern is a need of its own."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral, earlier = referrals[event.data.referral_id], escalations.of(event.data.referral_id)
        concern = Need(need_id=event.data.concern_id, code=event.data.code, lane=event.data.lane)
        if step := handover.raise_concern(referral, earlier, concern, tx.now, tx.calendar):
            escalations.put(step, event)
    await escalations.save()


async def on_assigned(batch: Batch[ReferralAssigned], tx: Tx) -> None:
    """The hub is known. Urgent complex needs do not wait for the welfare call."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = _place(referrals, escalations, event.data)
        for need in event.data.needs if event.data.priority is Priority.URGENT else ():
            earlier = escalations.of(referral.referral_id)
            if need.lane is Lane.COMPLEX and (
                step := handover.hand_over(referral, earlier, need, event.data.priority, tx.now, tx.calendar)
            ):
                escalations.put(step, event)
    await referrals.save()
    await escalations.save()


async def on_reassigned(batch: Batch[ReferralReassigned], tx: Tx) -> None:
    """The referral has another hub: what Community Solutions gives back returns there."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        _place(referrals, escalations, event.data)
    await referrals.save()
    await escalations.save()


async def on_out_of_area(batch: Batch[ReferralOutOfArea], tx: Tx) -> None:
    """Another council must help. Complex needs that are not sent yet are not forwarded; a concern for somebody's safety is."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.leave(referrals[event.data.referral_id], event.data))
        for escalation in escalations.of(referral.referral_id) if referral.out_of_area else ():
            if escalation.kind is EscalationKind.COMPLEX:
                escalations.put(cases.withdraw(escalation, tx.now), event)
    await referrals.save()
    await escalations.save()


async def on_call_completed(batch: Batch[WelfareCallCompleted], tx: Tx) -> None:
    """Escalate the needs that the call confirmed, changed or found. Withdraw a declined need that is not sent yet."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        body = event.data
        referral = referrals.put(referring.called_by(referrals[body.referral_id], body.hub_id))
        for said in body.needs:
            earlier = escalations.of(referral.referral_id)
            if handover.is_handed_over(said):
                need = Need(need_id=said.need_id, code=said.code, lane=said.lane)
                step = handover.hand_over(
                    referral, earlier, need, body.priority, tx.now, tx.calendar, call_id=body.call_id
                )
                if step:
                    escalations.put(step, event)
                continue
            for escalation in earlier:
                if escalation.need_ids == (said.need_id,):
                    escalations.put(cases.withdraw(escalation, tx.now), event)
        _note_call(escalations, body)
    await referrals.save()
    await escalations.save()


async def on_call_exhausted(batch: Batch[WelfareCallExhausted], tx: Tx) -> None:
    """Nobody was reached: open a welfare concern for every need that Community Solutions does not have."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        body = event.data
        if not body.needs:  # written before volunteer-match named the concern itself as a need
            raise BadRecordError("no-needs", "nobody was reached, and the event names no need")
        referral = referrals.put(referring.called_by(referrals[body.referral_id], body.hub_id))
        earlier = escalations.of(referral.referral_id)
        if step := handover.raise_welfare_concern(referral, earlier, body, tx.now, tx.calendar):
            escalations.put(step, event)
        _note_call(escalations, body)
    await referrals.save()
    await escalations.save()


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Withdraw the escalations of withdrawn needs, unless they are sent."""
    told = [event for event in batch if event.data.withdrawn_need_ids]
    if not told:  # most amendments withdraw nothing
        return
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in told))
    for event in told:
        referral = referrals.put(referring.amend(referrals[event.data.referral_id], event.data))
        for escalation in escalations.of(referral.referral_id):
            if referral.withdrawn_needs.issuperset(escalation.need_ids):
                escalations.put(cases.withdraw(escalation, tx.now), event)
    await referrals.save()
    await escalations.save()


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Withdraw the referral's complex escalations, unless they are sent."""
    referrals, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        referral = referrals.put(referring.withdraw(referrals[event.data.referral_id], event.data))
        for escalation in escalations.of(referral.referral_id):
            escalations.put(cases.withdraw(escalation, tx.now), event)
    await referrals.save()
    await escalations.save()


async def on_closed(batch: Batch[ReferralClosed], tx: Tx) -> None:
    """Withdraw the escalations of needs that ended otherwise, unless they are sent."""
    _, escalations = await of_referrals(tx, (e.data.referral_id for e in batch))
    for event in batch:
        over = {n.need_id for n in event.data.needs if n.state is not NeedState.REFERRED_ON}
        for escalation in escalations.of(event.data.referral_id):
            if over.issuperset(escalation.need_ids):
                escalations.put(cases.withdraw(escalation, tx.now), event)
    await escalations.save()


def _place(
    referrals: Referrals, escalations: Escalations, at: ReferralAssigned | ReferralReassigned
) -> Referral:
    """The referral and its escalations belong to the hub that routing names."""
    referral = referrals.put(referring.assign(referrals[at.referral_id], at))
    for escalation in escalations.of(referral.referral_id):
        escalations.put(cases.at_hub(escalation, referral.hub_id))
    return referral


def _note_call(escalations: Escalations, call: WelfareCallCompleted | WelfareCallExhausted) -> None:
    named = {need.need_id for need in call.needs}
    for escalation in escalations.of(call.referral_id):
        if not named.isdisjoint(escalation.need_ids):
            escalations.put(cases.reported(escalation, call.call_id))
