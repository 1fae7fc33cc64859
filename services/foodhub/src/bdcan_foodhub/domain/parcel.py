"""A parcel and what may happen to it.

requested → reserved | short → picking → packed → dispatched → delivered, or cancelled on the way. A parcel
that comes back from the door is packed again and waits for the next volunteer. Each step takes the
parcel and the time and returns the parcel as it is then, with what the world is told.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_contracts.models import (
    Diet,
    Household,
    MissingItem,
    NeedCode,
    ParcelCancelled,
    ParcelDelivered,
    ParcelDispatched,
    ParcelPacked,
    ParcelRequested,
    ParcelReserved,
    ParcelReturned,
    ParcelShort,
    Priority,
)
from bdcan_foodhub.domain.contents import Line, bags_for, contents, pieces, weight_grams
from bdcan_foodhub.domain.errors import NotAllowedError

RETRY_AFTER = timedelta(hours=4)
"""A short parcel is looked at again after so long even if no stock came in."""

LOOK_AGAIN_AFTER = timedelta(hours=24)
"""An overdue parcel raises its alarm again after so long."""

_DUE_WITHIN = {
    Priority.URGENT: timedelta(hours=24),
    Priority.STANDARD: timedelta(hours=72),
    Priority.ROUTINE: timedelta(days=5),
}


class State(StrEnum):
    """Where a parcel is."""

    REQUESTED = "requested"
    SHORT = "short"
    RESERVED = "reserved"
    PICKING = "picking"
    PACKED = "packed"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


WAITING = frozenset({State.REQUESTED, State.SHORT})
"""States in which a parcel waits for stock."""

HOLDING = frozenset({State.RESERVED, State.PICKING})
"""States in which stock is promised to a parcel."""

FINAL = frozenset({State.DELIVERED, State.CANCELLED})
"""States that a parcel never leaves."""


class Parcel(Struct, frozen=True):
    """One parcel for one need."""

    parcel_id: UUID
    referral_id: UUID
    need_id: UUID
    hub_id: str
    site_id: str
    code: NeedCode
    priority: Priority
    household: Household | None
    diets: tuple[Diet, ...]
    lines: tuple[Line, ...]
    state: State
    requested_at: datetime
    due_at: datetime
    changed_at: datetime
    missing: tuple[MissingItem, ...] = ()
    retry_at: datetime | None = None
    task_id: UUID | None = None
    bags: int | None = None
    weight_grams: int | None = None
    overdue: bool = False


Step = tuple[Parcel, tuple[BaseModel, ...]]
"""A parcel after a step, and the events of the step."""


def request(
    parcel_id: UUID,
    referral_id: UUID,
    need_id: UUID,
    code: NeedCode,
    hub_id: str,
    site_id: str,
    priority: Priority,
    household: Household | None,
    diets: tuple[Diet, ...],
    now: datetime,
) -> Step:
    """A confirmed food need becomes a parcel. Raises ValueError for a need that no parcel meets."""
    parcel = Parcel(
        parcel_id=parcel_id,
        referral_id=referral_id,
        need_id=need_id,
        hub_id=hub_id,
        site_id=site_id,
        code=code,
        priority=priority,
        household=household,
        diets=tuple(sorted(set(diets))),
        lines=contents(code, household, diets),
        state=State.REQUESTED,
        requested_at=now,
        due_at=now + _DUE_WITHIN[priority],
        changed_at=now,
    )
    return parcel, (_requested(parcel, now),)


def refill(
    parcel: Parcel, code: NeedCode, household: Household | None, diets: tuple[Diet, ...], now: datetime
) -> Step:
    """A later call changed what the parcel must hold. Once it is being picked, it goes out as it is."""
    lines = contents(code, household, diets)
    same = (parcel.code, frozenset(parcel.lines)) == (code, frozenset(lines))
    if same or parcel.state not in WAITING | {State.RESERVED}:
        return parcel, ()
    changed = replace(
        parcel,
        code=code,
        household=household,
        diets=tuple(sorted(set(diets))),
        lines=lines,
        state=State.REQUESTED,
        changed_at=now,
        missing=(),
        retry_at=None,
    )
    return changed, (_requested(changed, now),)


def move_hub(parcel: Parcel, hub_id: str, site_id: str) -> Parcel:
    """Another hub has the resident now. Stock that is set aside stays where it is."""
    if parcel.state in FINAL:
        return parcel
    return replace(parcel, hub_id=hub_id, site_id=site_id if parcel.state in WAITING else parcel.site_id)


def reserve(parcel: Parcel, now: datetime) -> Step:
    """All that it needs is set aside."""
    _must(parcel, WAITING, "be reserved")
    after = replace(parcel, state=State.RESERVED, changed_at=now, missing=(), retry_at=None)
    return after, (
        ParcelReserved(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            site_id=parcel.site_id,
            reserved_at=now,
        ),
    )


def fall_short(parcel: Parcel, missing: tuple[MissingItem, ...], now: datetime) -> Step:
    """Stock does not suffice. Says so once, and again each time a promised look has come and gone."""
    _must(parcel, WAITING, "fall short")
    if parcel.retry_at is not None and now < parcel.retry_at:
        return replace(parcel, state=State.SHORT, missing=missing), ()
    retry_at = now + RETRY_AFTER
    after = replace(parcel, state=State.SHORT, missing=missing, retry_at=retry_at, changed_at=now)
    return after, (
        ParcelShort(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            site_id=parcel.site_id,
            missing=missing,
            retry_at=retry_at,
            short_at=now,
        ),
    )


def lose_reservation(parcel: Parcel, now: datetime) -> Step:
    """What was set aside is gone: it waits for stock again, and the next allocation says what came of that."""
    _must(parcel, {State.RESERVED}, "lose its reservation")
    return replace(parcel, state=State.REQUESTED, changed_at=now), ()


def start_picking(parcel: Parcel, now: datetime) -> Step:
    """Somebody collects the lines. Again is the same."""
    if parcel.state is State.PICKING:
        return parcel, ()
    _must(parcel, {State.RESERVED}, "be picked")
    return replace(parcel, state=State.PICKING, changed_at=now), ()


def pack(parcel: Parcel, bags: int | None, grams: int | None, now: datetime) -> Step:
    """The bags are ready. Bags and weight are worked out from the lines unless somebody counted. Again is the same."""
    if parcel.state is State.PACKED:
        return parcel, ()
    _must(parcel, {State.PICKING}, "be packed")
    weight = weight_grams(parcel.lines) if grams is None else grams
    after = replace(
        parcel,
        state=State.PACKED,
        changed_at=now,
        weight_grams=weight,
        bags=bags_for(weight) if bags is None else bags,
    )
    return after, (_packed(after, now),)


def dispatch(parcel: Parcel, task_id: UUID, now: datetime) -> Step:
    """A volunteer has taken the delivery on. Ignored unless the parcel waits for one."""
    if parcel.state is not State.PACKED:
        return parcel, ()
    after = replace(parcel, state=State.DISPATCHED, changed_at=now, task_id=task_id)
    return after, (
        ParcelDispatched(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            task_id=task_id,
            dispatched_at=now,
        ),
    )


def deliver(parcel: Parcel, now: datetime) -> Step:
    """It is at the door. That it was packed is enough: the dispatch may never have been told."""
    if parcel.state not in {State.PACKED, State.DISPATCHED}:
        return parcel, ()
    after = replace(parcel, state=State.DELIVERED, changed_at=now, overdue=False)
    return after, (
        ParcelDelivered(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            delivered_at=now,
        ),
    )


def come_back(parcel: Parcel, reason: str, now: datetime) -> Step:
    """The delivery failed: the parcel waits, packed, for the next volunteer."""
    if parcel.state is not State.DISPATCHED:
        return parcel, ()
    after = replace(parcel, state=State.PACKED, changed_at=now, task_id=None)
    return after, (
        ParcelReturned(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            reason=reason,
            returned_at=now,
        ),
    )


def cancel(parcel: Parcel, reason: str, now: datetime) -> Step:
    """It is no longer wanted. On the road or at its end it is left alone."""
    if parcel.state in FINAL or parcel.state is State.DISPATCHED:
        return parcel, ()
    after = replace(parcel, state=State.CANCELLED, changed_at=now, overdue=False, missing=(), retry_at=None)
    return after, (
        ParcelCancelled(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            reason=reason,
            cancelled_at=now,
        ),
    )


def _requested(parcel: Parcel, now: datetime) -> ParcelRequested:
    return ParcelRequested(
        parcel_id=parcel.parcel_id,
        referral_id=parcel.referral_id,
        need_id=parcel.need_id,
        hub_id=parcel.hub_id,
        site_id=parcel.site_id,
        code=parcel.code,
        priority=parcel.priority,
        household=parcel.household,
        diets=parcel.diets,
        items=pieces(parcel.lines),
        due_at=parcel.due_at,
        requested_at=now,
    )


def _packed(parcel: Parcel, now: datetime) -> ParcelPacked:
    return ParcelPacked(
        parcel_id=parcel.parcel_id,
        referral_id=parcel.referral_id,
        need_id=parcel.need_id,
        hub_id=parcel.hub_id,
        site_id=parcel.site_id,
        priority=parcel.priority,
        bags=parcel.bags or 1,
        weight_grams=parcel.weight_grams or 0,
        due_at=parcel.due_at,
        packed_at=now,
    )


def _must(parcel: Parcel, allowed: frozenset[State] | set[State], what: str) -> None:
    if parcel.state not in allowed:
        raise NotAllowedError(f"A parcel that is {parcel.state} cannot {what}.")
