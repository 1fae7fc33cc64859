"""A parcel and what may happen to it.

requested → reserved | short → picking → packed → dispatched → delivered, or cancelled on the way. A parcel that comes back
from the door is packed again and waits for the next volunteer. Each function takes the parcel and the time, and returns a
step: the new parcel, its events and its deadlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    Household,
    Lane,
    MissingItem,
    ParcelCancelled,
    ParcelDelivered,
    ParcelDispatched,
    ParcelPacked,
    ParcelRequested,
    ParcelReserved,
    ParcelReturned,
    ParcelShort,
    Priority,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import Reason
from bdcan_foodhub.domain.contents import Line, bags_for, contents, pieces, weight_grams
from bdcan_foodhub.domain.errors import NotAllowedError
from bdcan_foodhub.domain.items import FORBIDDEN
from bdcan_foodhub.domain.stock import Move, MoveKind, Movement, Promise

DUE = "parcel-due"
"""Deadline: the parcel should be at the door by now."""

RETRY = "parcel-retry"
"""Deadline: a short parcel is looked at again."""

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
    """One parcel for one need. `missing` is what a short parcel lacks. The allocation tries it again at `retry_at`."""

    parcel_id: UUID
    referral_id: UUID
    need_id: UUID
    hub_id: str
    site_id: str
    code: str
    priority: Priority
    household: Household | None
    diets: tuple[str, ...]
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

    @property
    def undecided(self) -> tuple[str, ...]:
        """Diets that this release does not know. A person decides what they rule out; until then nothing is reserved."""
        return tuple(diet for diet in self.diets if diet not in FORBIDDEN)

    @property
    def missing_items(self) -> tuple[str, ...]:
        """The items that the parcel lacks."""
        return tuple(item.item_id for item in self.missing)


def take_call(
    mine: Sequence[Parcel],
    event: WelfareCallCompleted,
    need: CalledNeed,
    hub_id: str,
    site_id: str,
    now: datetime,
    *,
    wanted: bool,
) -> Step[Parcel] | None:
    """Apply a call's report of a need: request, refill or cancel its parcel. None if it has no parcel and needs none.

    `mine`: the need's parcels so far, of which at most one is not cancelled. `wanted` is False for a need that was withdrawn.
    """
    alive = next((parcel for parcel in mine if parcel.state is not State.CANCELLED), None)
    if not wanted or need.result is CallNeedResult.DECLINED or need.lane is not Lane.FOOD:
        return alive and cancel(alive, Reason.NEED_CHANGED_AT_CALL, now)
    if alive is None:
        return request(
            uuid5(need.need_id, f"parcel-{len(mine) + 1}" if mine else "parcel"),
            event.referral_id,
            need.need_id,
            need.code,
            hub_id,
            site_id,
            event.priority,
            event.household,
            event.diets,
            now,
        )
    return refill(alive, need.code, event.household or alive.household, event.diets or alive.diets, now)


def request(
    parcel_id: UUID,
    referral_id: UUID,
    need_id: UUID,
    code: str,
    hub_id: str,
    site_id: str,
    priority: Priority,
    household: Household | None,
    diets: tuple[str, ...],
    now: datetime,
) -> Step[Parcel]:
    """A confirmed food need becomes a parcel."""
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
    return Step(parcel, (_requested(parcel, now),), {DUE: parcel.due_at})


def refill(
    parcel: Parcel, code: str, household: Household | None, diets: tuple[str, ...], now: datetime
) -> Step[Parcel]:
    """Change what the parcel must hold, after a later call. A parcel that is being picked goes out as it is."""
    lines = contents(code, household, diets)
    unknown = any(diet not in FORBIDDEN and diet not in parcel.diets for diet in diets)
    same = not unknown and (parcel.code, frozenset(parcel.lines)) == (code, frozenset(lines))
    if same or parcel.state not in WAITING | {State.RESERVED}:
        return Step(parcel)
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
    return Step(changed, (_requested(changed, now),), _no_retry(parcel))


def move_hub(parcel: Parcel, hub_id: str, site_id: str) -> Step[Parcel]:
    """Another hub now has the resident. Reserved stock stays at its site."""
    if parcel.state in FINAL:
        return Step(parcel)
    moved = site_id if parcel.state in WAITING else parcel.site_id
    return Step(replace(parcel, hub_id=hub_id, site_id=moved))


def reserve(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """All that the parcel needs is reserved for it."""
    _must(parcel, WAITING, "be reserved")
    after = replace(parcel, state=State.RESERVED, changed_at=now, missing=(), retry_at=None)
    event = ParcelReserved(
        **_about(parcel),
        site_id=parcel.site_id,
        reserved_at=now,
    )
    return Step(after, (event,), _no_retry(parcel))


def fall_short(parcel: Parcel, missing: tuple[MissingItem, ...], now: datetime) -> Step[Parcel]:
    """There is not enough stock. Emits an event once, and again each time that a retry at `retry_at` fails."""
    _must(parcel, WAITING, "fall short")
    if parcel.retry_at is not None and now < parcel.retry_at:
        waiting = replace(parcel, state=State.SHORT, missing=missing)
        return Step(waiting, (), {RETRY: parcel.retry_at})
    retry_at = now + RETRY_AFTER
    after = replace(parcel, state=State.SHORT, missing=missing, retry_at=retry_at, changed_at=now)
    event = ParcelShort(
        **_about(parcel),
        site_id=parcel.site_id,
        missing=missing,
        retry_at=retry_at,
        short_at=now,
    )
    return Step(after, (event,), {RETRY: retry_at})


def wait_for_decision(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """Nobody knows what one of its diets rules out: it waits for a person, and is looked at again until one has decided."""
    _must(parcel, WAITING, "wait for a decision")
    retry_at = now + RETRY_AFTER
    after = replace(parcel, state=State.SHORT, missing=(), retry_at=retry_at, changed_at=now)
    return Step(after, (), {RETRY: retry_at})


def decide_diets(parcel: Parcel, diets: tuple[str, ...], now: datetime) -> Step[Parcel]:
    """A person says which known diets the parcel must respect. Raises NotAllowedError unless it waits for that."""
    if not parcel.undecided or parcel.state not in WAITING:
        raise NotAllowedError("No diet of this parcel waits for a decision.")
    asked = replace(parcel, diets=())  # the decision counts, even if the lines stay the same
    step = refill(asked, parcel.code, parcel.household, diets, now)
    if step.events:
        return step
    decided = replace(parcel, diets=diets, state=State.REQUESTED, changed_at=now, missing=(), retry_at=None)
    return Step(decided, (), _no_retry(parcel))


def lose_reservation(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """The reserved stock is gone. The parcel waits for stock again, and the next allocation decides."""
    _must(parcel, {State.RESERVED}, "lose its reservation")
    return Step(replace(parcel, state=State.REQUESTED, changed_at=now))


def look_again(parcel: Parcel) -> Step[Parcel]:
    """A short parcel takes part in the next allocation: it is time for a retry, or an item that it lacks came in."""
    return Step(replace(parcel, state=State.REQUESTED) if parcel.state is State.SHORT else parcel)


def fall_due(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """The parcel should be at the door. It is overdue until it is delivered, and is checked again later."""
    if parcel.state in FINAL:
        return Step(parcel)
    return Step(replace(parcel, overdue=True), (), {DUE: now + LOOK_AGAIN_AFTER})


def start_picking(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """A picker collects the lines. To repeat it changes nothing."""
    if parcel.state is State.PICKING:
        return Step(parcel)
    _must(parcel, {State.RESERVED}, "be picked")
    return Step(replace(parcel, state=State.PICKING, changed_at=now))


def pack(parcel: Parcel, bags: int | None, grams: int | None, now: datetime) -> Step[Parcel]:
    """The bags are ready. Bags and weight come from the lines unless somebody counted. To repeat it changes nothing."""
    if parcel.state is State.PACKED:
        return Step(parcel)
    _must(parcel, {State.PICKING}, "be packed")
    weight = weight_grams(parcel.lines) if grams is None else grams
    after = replace(
        parcel,
        state=State.PACKED,
        changed_at=now,
        weight_grams=weight,
        bags=bags_for(weight) if bags is None else bags,
    )
    return Step(after, (_packed(after, now),))


def dispatch(parcel: Parcel, task_id: UUID, now: datetime) -> Step[Parcel]:
    """A volunteer has accepted the delivery. Ignored unless the parcel waits for one."""
    if parcel.state is not State.PACKED:
        return Step(parcel)
    after = replace(parcel, state=State.DISPATCHED, changed_at=now, task_id=task_id)
    event = ParcelDispatched(
        **_about(parcel),
        task_id=task_id,
        dispatched_at=now,
    )
    return Step(after, (event,))


def deliver(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """The parcel is at the door. A packed parcel may skip the dispatch, because that event may never arrive."""
    if parcel.state not in {State.PACKED, State.DISPATCHED}:
        return Step(parcel)
    after = replace(parcel, state=State.DELIVERED, changed_at=now, overdue=False)
    event = ParcelDelivered(
        **_about(parcel),
        delivered_at=now,
    )
    return Step(after, (event,), {DUE: None})


def come_back(parcel: Parcel, reason: str, now: datetime) -> Step[Parcel]:
    """The delivery failed: the parcel waits, packed, for the next volunteer."""
    if parcel.state is not State.DISPATCHED:
        return Step(parcel)
    after = replace(parcel, state=State.PACKED, changed_at=now, task_id=None)
    event = ParcelReturned(
        **_about(parcel),
        reason=reason,
        returned_at=now,
    )
    return Step(after, (event,))


def cancel(parcel: Parcel, reason: str, now: datetime) -> Step[Parcel]:
    """Nobody needs the parcel any more. Ignored if it is on the road, delivered or cancelled."""
    if parcel.state in FINAL or parcel.state is State.DISPATCHED:
        return Step(parcel)
    after = replace(parcel, state=State.CANCELLED, changed_at=now, overdue=False, missing=(), retry_at=None)
    event = ParcelCancelled(
        **_about(parcel),
        reason=reason,
        cancelled_at=now,
    )
    return Step(after, (event,), {DUE: None, **_no_retry(parcel)})


def stock_moves(before: Parcel | None, after: Parcel) -> tuple[Move, ...]:
    """What a change of a parcel does to the stock: reserved until it is packed, then issued."""
    match _stake(before), _stake(after):
        case (None, None) | ("promise", "promise") | ("goods", "goods"):
            return ()
        case None, "promise":
            return tuple(Promise(after.site_id, x.item_id, x.quantity) for x in after.lines)
        case "promise", None if before:
            return tuple(Promise(before.site_id, x.item_id, -x.quantity) for x in before.lines)
        case "promise", "goods":
            return _movements(after, MoveKind.ISSUED)
        case "goods", None:
            return _movements(after, MoveKind.PUT_BACK)
        case had, has:
            raise AssertionError(f"no parcel goes from {had} to {has}")


def _stake(parcel: Parcel | None) -> str | None:
    """What a parcel holds of the stock: nothing, a reservation, or the goods themselves."""
    if parcel is None or parcel.state in {State.REQUESTED, State.SHORT, State.CANCELLED}:
        return None
    return "promise" if parcel.state in HOLDING else "goods"


def _movements(parcel: Parcel, kind: MoveKind) -> tuple[Move, ...]:
    return tuple(
        Movement(parcel.site_id, line.item_id, kind, line.quantity, parcel.parcel_id) for line in parcel.lines
    )


def _no_retry(parcel: Parcel) -> dict[str, datetime | None]:
    return {} if parcel.retry_at is None else {RETRY: None}


def _about(parcel: Parcel) -> dict[str, Any]:
    """What every event of a parcel says."""
    return {
        "parcel_id": parcel.parcel_id,
        "referral_id": parcel.referral_id,
        "need_id": parcel.need_id,
        "hub_id": parcel.hub_id,
    }


def _requested(parcel: Parcel, now: datetime) -> ParcelRequested:
    return ParcelRequested(
        **_about(parcel),
        site_id=parcel.site_id,
        code=parcel.code,
        lane=Lane.FOOD,
        priority=parcel.priority,
        household=parcel.household,
        diets=parcel.diets,
        items=pieces(parcel.lines),
        due_at=parcel.due_at,
        requested_at=now,
    )


def _packed(parcel: Parcel, now: datetime) -> ParcelPacked:
    return ParcelPacked(
        **_about(parcel),
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
