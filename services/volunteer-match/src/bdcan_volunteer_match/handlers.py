"""What volunteer-match does when something happened elsewhere. Events of different topics come in any order."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

from bdcan_chassis.book import Decide
from bdcan_chassis.erasure import Erasures, forgotten
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.step import Step
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import (
    EscalationDeclined,
    ParcelCancelled,
    ParcelPacked,
    ParcelStopped,
    ParcelWarned,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralHeldForTriage,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReopened,
    ReferralWithdrawn,
    VolunteerEnquiryErasureRequested,
    VolunteerEnquiryReceived,
)
from bdcan_contracts.vocabulary import Reason
from bdcan_volunteer_match import store
from bdcan_volunteer_match.books import Calls, Hubs, Tasks, Volunteers, follow_facts
from bdcan_volunteer_match.domain import call as calling
from bdcan_volunteer_match.domain import hub, joining, volunteer
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.hub import HubEvent
from bdcan_volunteer_match.domain.task import Task, delivery_task_id

F = TypeVar("F", ReferralAssigned, ReferralReassigned, ReferralAmended)
T = TypeVar("T", ReferralWithdrawn, ReferralClosed)


async def on_assigned(batch: Batch[ReferralAssigned], tx: Tx) -> None:
    """A welfare call is due. A later decision of routing may bring other facts."""
    await _follow_facts(batch, tx, lambda call, event, _now: calling.assign(call, event.data))


async def on_reassigned(batch: Batch[ReferralReassigned], tx: Tx) -> None:
    """The call and the live tasks go to the new hub. Whoever has a task keeps it, and is told."""
    await _follow_facts(batch, tx, lambda call, event, _now: calling.assign(call, event.data))


async def on_out_of_area(batch: Batch[ReferralOutOfArea], tx: Tx) -> None:
    """The home is out of area: nobody rings or comes any more, also where intake keeps the referral open."""
    calls, tasks = Calls(tx), Tasks(tx)
    await calls.handle(batch, lambda call, event, _now: calling.leave_area(call, event.data))
    await tasks.lock(store.tasks.LOCK_LIVE_OF, referral_ids={event.data.referral_id for event in batch})
    async for event in in_turns(batch):
        call = calls[event.data.referral_id]
        if call.assignment_version == event.data.version:
            for task in tasks.of(call.referral_id):
                tasks.put(tasking.leave_area(task, call, tx.now), event)
    await tasks.save()


async def on_held_for_triage(batch: Batch[ReferralHeldForTriage], tx: Tx) -> None:
    """A person decides anew which hub has the referral: nobody rings before."""
    await Calls(tx).handle(batch, lambda call, event, _now: calling.hold_for_triage(call, event.data))


async def on_reopened(batch: Batch[ReferralReopened], tx: Tx) -> None:
    """Intake opened the referral again: what was out of area is asked about."""
    await Calls(tx).handle(batch, lambda call, event, _now: calling.reopen_by_intake(call, event.data))


async def on_amended(batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Facts or needs changed. A new need leads to a call; a withdrawn one needs no help; live tasks follow the facts."""
    await _follow_facts(batch, tx, lambda call, event, _now: calling.amend(call, event.data))


async def on_linked(batch: Batch[ReferralLinked], tx: Tx) -> None:
    """Other referrals may be about the same person or household: one call serves all."""
    await Calls(tx).handle(batch, lambda call, event, _now: joining.link(call, event.data))


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Nobody calls any more, and the live tasks are cancelled."""
    await Calls(tx).handle(batch, lambda call, event, _now: calling.withdraw(call, event.data.referral_id))
    await _handle_tasks(batch, tx, lambda task, _: tasking.cancel(task, Reason.REFERRAL_WITHDRAWN, tx.now))


async def on_closed(batch: Batch[ReferralClosed], tx: Tx) -> None:
    """The needs that the event lists are settled. A need that it does not list came up later, and stays open."""
    await Calls(tx).handle(batch, lambda call, event, _now: calling.close(call, event.data))
    await _handle_tasks(batch, tx, lambda task, closed: tasking.close(task, closed, tx.now))


async def on_escalation_declined(batch: Batch[EscalationDeclined], tx: Tx) -> None:
    """Community Solutions declined needs: the hub owns them again, and a follow-up call is due."""
    await Calls(tx).handle(batch, lambda call, event, now: calling.give_back(call, event.data, now))


async def on_parcel_packed(batch: Batch[ParcelPacked], tx: Tx) -> None:
    """A volunteer has to bring the parcel to the door, unless its need has ended."""
    calls = Calls(tx)
    await calls.lock_keys(event.data.referral_id for event in batch)
    await Tasks(tx).handle(
        batch,
        lambda task, event, now: tasking.for_parcel(task, calls.get(event.data.referral_id), event.data, now),
        key=_delivery,
    )


async def on_parcel_cancelled(batch: Batch[ParcelCancelled], tx: Tx) -> None:
    """There is nothing to deliver any more."""
    await Tasks(tx).handle(
        batch,
        lambda task, _event, now: tasking.cancel(task, Reason.PARCEL_CANCELLED, now) if task else None,
        key=_delivery,
    )


async def on_parcel_stopped(batch: Batch[ParcelStopped], tx: Tx) -> None:
    """A person decides about the parcel: whoever brings it must know."""
    await Tasks(tx).handle(
        batch,
        lambda task, event, _now: (
            tasking.hear_of_parcel(task, event.data.facts, stopped=True) if task else None
        ),
        key=_delivery,
    )


async def on_parcel_warned(batch: Batch[ParcelWarned], tx: Tx) -> None:
    """A fact changed after the parcel left: whoever has it must know."""
    await Tasks(tx).handle(
        batch,
        lambda task, event, _now: (
            tasking.hear_of_parcel(task, event.data.facts, stopped=False) if task else None
        ),
        key=_delivery,
    )


async def on_enquiry(batch: Batch[VolunteerEnquiryReceived], tx: Tx) -> None:
    """Somebody wants to help: they wait for a person to welcome them."""
    await Volunteers(tx).handle(
        batch,
        lambda known, event, _now: volunteer.enquire(known, event.data, tx.calendar),
        key=lambda enquiry: volunteer.volunteer_id_of(enquiry.enquiry_id),
    )


async def on_enquiry_erasure(batch: Batch[VolunteerEnquiryErasureRequested], tx: Tx) -> None:
    """Whoever enquired, or whom a hub took on, wants to be erased: the volunteer leaves.

    An id of a volunteer whom nobody knows gets its answer too, and a tombstone.
    """
    volunteers = Volunteers(tx)
    await volunteers.handle(
        batch,
        lambda known, _event, now: known and volunteer.erase_on_request(known, now),
        key=lambda asked: asked.volunteer_id or volunteer.volunteer_id_of(asked.enquiry_id),
    )
    strangers = {
        event.data.volunteer_id: event
        for event in batch
        if event.data.volunteer_id and volunteers.get(event.data.volunteer_id) is None
    }
    if strangers:
        tombstones = Erasures(tx)
        await tombstones.lock_keys(strangers)
        for volunteer_id, event in strangers.items():
            told = volunteer.nobody(volunteer_id, tx.now)
            tombstones.put(forgotten(volunteer_id, tx.now, told), event)
        await tombstones.save()


async def on_hub(batch: Batch[HubEvent], tx: Tx) -> None:
    """The list of hubs follows routing's."""
    await Hubs(tx).handle(
        batch, lambda known, event, _now: hub.announce(known, event.data), key=attrgetter("hub_id")
    )


async def _follow_facts(batch: Batch[F], tx: Tx, decide: Decide[WelfareCall, F]) -> None:
    """Decide about the calls, event by event, and let the live tasks follow from the first facts to the last."""
    calls = Calls(tx)
    before = {call.referral_id: call for call in await calls.lock_keys(e.data.referral_id for e in batch)}
    causes: dict[UUID, Event[F]] = {}
    async for event in in_turns(batch):
        key = event.data.referral_id
        step = decide(calls.get(key), event, tx.now)
        if step is not None and calls.put(step, event) != before.get(key):
            causes[key] = event
    await calls.save()
    await follow_facts(tx, before, {key: calls[key] for key in causes}, causes)


async def _handle_tasks(batch: Batch[T], tx: Tx, decide: Callable[[Task, T], Step[Task]]) -> None:
    """Decide about the live tasks of the referrals of a batch, event by event in its order, and save."""
    tasks = Tasks(tx)
    await tasks.lock(store.tasks.LOCK_LIVE_OF, referral_ids={event.data.referral_id for event in batch})
    async for event in in_turns(batch):
        for task in tasks.of(event.data.referral_id):
            tasks.put(decide(task, event.data), event)
    await tasks.save()


def _delivery(event: ParcelPacked | ParcelCancelled | ParcelStopped | ParcelWarned) -> UUID:
    return delivery_task_id(event.parcel_id)
