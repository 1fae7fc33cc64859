"""Consumed events become state and outgoing events. Each handler takes any interleaving of topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import (
    EscalationDeclined,
    HubConfigured,
    HubPaused,
    HubResumed,
    ParcelCancelled,
    ParcelPacked,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralReassigned,
    ReferralWithdrawn,
    VolunteerEnquiryReceived,
)
from bdcan_volunteer_match.domain import call as calling
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.task import Decided, Task
from bdcan_volunteer_match.domain.volunteer import enquired
from bdcan_volunteer_match.record import record_tasks
from bdcan_volunteer_match.store import calls, hubs, tasks, volunteers

T = TypeVar("T", bound=BaseModel)


async def on_assigned(batch: Batch[ReferralAssigned], tx: Tx) -> None:
    """A welfare call is due."""
    await _update_calls(tx, batch, lambda call, e: calling.assign(call, e.data))


async def on_reassigned(batch: Batch[ReferralReassigned], tx: Tx) -> None:
    """The call and the open tasks are the new hub's."""
    after = await _update_calls(tx, batch, lambda call, e: calling.assign(call, e.data))
    hub_of = {referral_id: call.hub_id for referral_id, call in after.items()}
    await _update_tasks_of(
        tx, batch, lambda task, _: tasking.move(task, hub_of[task.referral_id] or task.hub_id)
    )


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Needs, household, diets or urgency changed; a need that nobody asked about leads to a call, one that was withdrawn to nothing."""
    after = await _update_calls(tx, batch, lambda call, e: calling.amend(call, e.data))

    def settle(task: Task, _: Event[ReferralAmended]) -> Decided:
        if task.need_id is None or after[task.referral_id].wants(task.need_id):
            return Decided(task)
        return tasking.cancel(task, "need-withdrawn", tx.now)

    await _update_tasks_of(tx, [e for e in batch if e.data.withdrawn_need_ids], settle)


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Nobody calls any more, and the open tasks are cancelled."""
    await _update_calls(tx, batch, lambda call, e: calling.withdraw(call, e.data.referral_id))
    await _update_tasks_of(tx, batch, lambda task, _: tasking.cancel(task, "referral-withdrawn", tx.now))


async def on_closed(batch: Batch[ReferralClosed], tx: Tx) -> None:
    """What is settled is no longer wanted. A need that the event does not list turned up since, and goes on."""
    await _update_calls(tx, batch, lambda call, e: calling.close(call, e.data))

    def settle(task: Task, event: Event[ReferralClosed]) -> Decided:
        if task.need_id is None or any(task.need_id == need.need_id for need in event.data.needs):
            return tasking.cancel(task, "referral-closed", tx.now)
        return Decided(task)

    await _update_tasks_of(tx, batch, settle)


async def on_escalation_declined(batch: Batch[EscalationDeclined], tx: Tx) -> None:
    """The hub owns the needs again: a follow-up call is due."""
    before = await calls.lock(tx, (e.data.referral_id for e in batch))
    after = dict(before)
    for event in batch:
        referral_id = event.data.referral_id
        after[referral_id] = calling.give_back(after.get(referral_id), event.data, tx.now)
    await calls.save(tx, before, after.values())


async def on_parcel_packed(batch: Batch[ParcelPacked], tx: Tx) -> None:
    """Somebody has to bring the parcel to the door, unless its need has ended."""
    known_calls = await calls.lock(tx, (e.data.referral_id for e in batch))
    task_ids = {tasking.delivery_task_id(e.data.parcel_id) for e in batch}
    known = await tasks.lock(tx, task_ids)
    decided: dict[UUID, tuple[Decided, Event[ParcelPacked]]] = {}
    for event in batch:
        call = known_calls.get(event.data.referral_id)
        task_id = tasking.delivery_task_id(event.data.parcel_id)
        if task_id not in known and (call is None or call.wants(event.data.need_id)):
            opened = tasking.for_parcel(event.data, call and call.hub_id, tx.now)
            decided.setdefault(task_id, (opened, event))
    await record_tasks(tx, known, decided.values())


async def on_parcel_cancelled(batch: Batch[ParcelCancelled], tx: Tx) -> None:
    """There is nothing to deliver any more."""
    known = await tasks.lock(tx, (tasking.delivery_task_id(e.data.parcel_id) for e in batch))
    await record_tasks(
        tx,
        known,
        [
            (tasking.cancel(task, "parcel-cancelled", tx.now), event)
            for event in batch
            if (task := known.pop(tasking.delivery_task_id(event.data.parcel_id), None))
        ],
    )


async def on_enquiry(batch: Batch[VolunteerEnquiryReceived], tx: Tx) -> None:
    """Somebody wants to help: they wait for a person to welcome them."""
    found = {e.data.enquiry_id: enquired(e.data) for e in batch}
    await volunteers.add(tx.connection, list(found.values()))


async def on_hub(batch: Batch[HubConfigured] | Batch[HubPaused] | Batch[HubResumed], tx: Tx) -> None:
    """The list of hubs follows routing's."""
    latest: dict[str, hubs.Hub] = {}
    for event in batch:
        hub = event.data
        known = latest.get(hub.hub_id)
        if known is None or known.version < hub.version:
            latest[hub.hub_id] = hubs.Hub(hub.hub_id, hub.version, hub.name, hub.paused)
    await hubs.save(tx.connection, list(latest.values()))


async def _update_calls(
    tx: Tx, batch: Batch[T], decide: Callable[[WelfareCall | None, Event[T]], WelfareCall]
) -> dict[UUID, WelfareCall]:
    before = await calls.lock(tx, _referrals(batch))
    after = dict(before)
    async for event in in_turns(batch):
        referral_id = _referral(event)
        after[referral_id] = decide(after.get(referral_id), event)
    await calls.save(tx, before, after.values())
    return after


async def _update_tasks_of(tx: Tx, batch: Batch[T], decide: Callable[[Task, Event[T]], Decided]) -> None:
    cause = {_referral(event): event for event in batch}
    live = await tasks.lock_live_of(tx, cause)
    await record_tasks(
        tx,
        {task.task_id: task for task in live},
        [(decide(task, cause[task.referral_id]), cause[task.referral_id]) for task in live],
    )


def _referrals(batch: Batch[T]) -> Iterable[UUID]:
    return (_referral(event) for event in batch)


def _referral(event: Event[T]) -> UUID:
    return event.data.referral_id  # pyright: ignore[reportAttributeAccessIssue] # every caller's events have one
