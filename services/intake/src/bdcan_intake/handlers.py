"""What intake does with the events of others. What each event means for a referral is in `domain/progress.py`."""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from bdcan_chassis.book import Decide
from bdcan_chassis.erasure import Erasure as Requested
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import new_id
from bdcan_chassis.subscription import Batch, Handler
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    ErasureAnswered,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    VolunteerActivated,
    VolunteerLeft,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_contracts.vocabulary import Reason
from bdcan_intake import store
from bdcan_intake.books import Enquiries, Erasures, Referrals, Residents, TasksInHand
from bdcan_intake.domain import changes, progress, rights
from bdcan_intake.domain.doer import hear
from bdcan_intake.domain.enquiry import erase, volunteer_id_of, welcome
from bdcan_intake.domain.referral import Referral
from bdcan_intake.erasing import ERASER

T = TypeVar("T", bound=BaseModel)
D = TypeVar("D", TaskAccepted, TaskReopened, TaskCompleted, TaskFailed, TaskCancelled)


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


async def on_volunteer_activated(batch: Batch[VolunteerActivated], tx: Tx) -> None:
    """Hubs have welcomed whoever enquired: only they are told from now on who it is."""
    enquiries = Enquiries(tx)
    ids = {event.data.volunteer_id for event in batch}
    found = await enquiries.lock(store.enquiries.LOCK_OF_VOLUNTEERS, volunteer_ids=ids)
    theirs = {volunteer_id_of(one.enquiry_id): one.enquiry_id for one in found}
    for event in batch:
        if (enquiry_id := theirs.get(event.data.volunteer_id)) is not None:
            enquiries.put(welcome(enquiries[enquiry_id], event.data), event)
    await enquiries.save()


async def on_volunteer_left(batch: Batch[VolunteerLeft], tx: Tx) -> None:
    """Erase who the volunteer was: in the enquiry, and in the reasons of its disclosures."""
    left = {event.data.volunteer_id for event in batch}
    unknown = {event.data.volunteer_id for event in batch if event.data.unknown}
    enquiries = Enquiries(tx)
    found = await enquiries.lock(store.enquiries.LOCK_OF_VOLUNTEERS, volunteer_ids=left)
    theirs = [one for one in found if volunteer_id_of(one.enquiry_id) in left]
    for one in theirs:
        enquiries.put(erase(one, tx.now))
    await enquiries.save()
    tx.erase_reasons(one.enquiry_id for one in theirs)
    erasures = Erasures(tx)
    enquiry_ids = [one.enquiry_id for one in theirs]
    waiting = await erasures.lock(
        store.erasures.LOCK_OF_ENQUIRIES, enquiry_ids=enquiry_ids, volunteer_ids=list(left)
    )
    for erasure in waiting:
        erasures.put(rights.enquiry_erased(erasure, enquiry_ids, tx.now))
        erasures.put(rights.volunteers_erased(erasures[erasure.erasure_id], left, tx.now, unknown=unknown))
    await erasures.save()


async def on_erasure_answered(batch: Batch[ErasureAnswered], tx: Tx) -> None:
    """A service says what it has erased of a person, or what it waits for. A request that we do not know is met, too."""
    erasures = Erasures(tx)
    await erasures.lock_keys(event.data.erasure_id for event in batch)
    asked: dict[UUID, Requested] = {}
    async for event in in_turns(batch):
        erasure = erasures.get(event.data.erasure_id)
        if rights.is_forgotten(erasure, event.data):
            erasure = rights.remember(erasure, event.data)
            referral_id = event.data.referral_id
            asked[referral_id] = Requested(
                referral_id, erasure.erasure_id, erasure.requested_at, erasure.erase_by
            )
        if erasure is not None:
            erasures.put(rights.answer(erasure, event.data, tx.now), event)
    await erasures.save()
    if asked:
        referrals = Referrals(tx)
        for referral in await referrals.lock_keys(asked):
            if referral.open and not referral.withdrawn_reason:
                referrals.put(changes.withdraw(referral, Reason.PERSON_ERASED, tx.now))
        await referrals.save()
        await ERASER.request(tx, asked.values())


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
