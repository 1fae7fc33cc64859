"""A parcel and what may happen to it.

requested → reserved | short → picking → packed → dispatched → delivered, or cancelled on the way. A parcel that comes back
from the door is packed again and waits for the next volunteer. Each function takes the parcel and the time, and returns a
step: the new parcel, its events and its deadlines.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
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
    ParcelStopped,
    ParcelWarned,
    Priority,
)
from bdcan_contracts.vocabulary import Fact
from bdcan_foodhub.domain.contents import Line, bags_for, contents, pieces, weight_grams
from bdcan_foodhub.domain.errors import NotAllowedError
from bdcan_foodhub.domain.items import FORBIDDEN
from bdcan_foodhub.domain.stock import Move, MoveKind, Movement, Place, Promise

DUE = "parcel-due"
"""Deadline: the parcel should be at the door by now."""

RETRY = "parcel-retry"
"""Deadline: a short parcel is looked at again."""

RETRY_AFTER = timedelta(hours=4)
"""A short parcel is looked at again after so long even if no stock came in."""

LOOK_AGAIN_AFTER = timedelta(hours=24)
"""An overdue parcel raises its alarm again after so long."""

STOP_WITHIN = timedelta(hours=1)
"""A person at the site decides about a stopped parcel within this time."""

WARN_WITHIN = timedelta(minutes=30)
"""Somebody at the hub passes a warning on within this time."""

OWED_WITHIN = timedelta(hours=72)
"""Items that were missing and are no food follow the parcel within this time."""

LABEL_WITHIN = timedelta(hours=4)
"""Whoever picks or packs a parcel may read where it goes for so long."""

_URGENCY = (Priority.URGENT, Priority.STANDARD, Priority.ROUTINE)

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

PACKED = frozenset({State.PACKED, State.DISPATCHED, State.DELIVERED})
"""States in which the goods are in bags."""

FINAL = frozenset({State.DELIVERED, State.CANCELLED})
"""States that a parcel never leaves."""


class Decision(StrEnum):
    """What a person decides about a parcel that is stopped."""

    KEEP = "keep"
    REPACK = "repack"


class BackOrderOutcome(StrEnum):
    """What became of the items that were to follow."""

    SENT = "sent"
    NOT_NEEDED = "not-needed"


class Notice(Struct, frozen=True):
    """Something that a person must see to. `stops`: until then the parcel does not go on.

    `owner`: who sees to it, `site:` and its id, or `hub:` and its id. `settled_by` is the account that did.
    """

    facts: tuple[str, ...]
    stops: bool
    owner: str
    since: datetime
    due_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    decision: str | None = None
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether it still waits for a person."""
        return self.settled_at is None


class Departure(Struct, frozen=True):
    """What was known of the resident when the parcel left. `kept`: a person had decided that it may go as it is."""

    left_at: datetime
    household: Household | None
    diets: tuple[str, ...]
    kept: bool


class Parcel(Struct, frozen=True):
    """One parcel for one need. `missing` is what a short parcel lacks. The allocation tries it again at `retry_at`.

    `household`, `diets`, `flags` and `priority` follow what is known of the resident. `lines` follow them by the rules of
    `facts`. `back_order` are lines that were missing and follow later; the site owes them until `owed_due_at`. `top_up` are
    those of them that are reserved by now, and `sent` those that have left. `decided` are diets that no release knows and that a person has replaced by `added`.
    """

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
    flags: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    departure: Departure | None = None
    back_order: tuple[Line, ...] = ()
    top_up: tuple[Line, ...] = ()
    sent: tuple[Line, ...] = ()
    owed_due_at: datetime | None = None

    @property
    def owed_items(self) -> tuple[str, ...]:
        """The items that it waits for after it was reserved."""
        return tuple(line.item_id for line in self.back_order)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Diets that this release does not know. A person decides what they rule out; until then nothing is reserved."""
        return tuple(diet for diet in self.diets if diet not in FORBIDDEN)

    @property
    def missing_items(self) -> tuple[str, ...]:
        """The items that the parcel lacks."""
        return tuple(item.item_id for item in self.missing)

    @property
    def stopped(self) -> bool:
        """Whether it waits for a person's decision before it may go on."""
        return any(notice.open and notice.stops for notice in self.notices)

    @property
    def noticed(self) -> bool:
        """Whether a person must see to something."""
        return any(notice.open for notice in self.notices)

    @property
    def fits(self) -> bool:
        """Whether it holds, or is owed, what it should by what is known now."""
        return frozenset((*self.lines, *self.back_order, *self.top_up, *self.sent)) == frozenset(self.wanted)

    @property
    def wanted(self) -> tuple[Line, ...]:
        """What it should hold by what is known now."""
        return contents(self.code, self.household, self.diets)


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
    flags: tuple[str, ...] = (),
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
        flags=flags,
    )
    return Step(parcel, (_requested(parcel, now),), {DUE: parcel.due_at})


def refill(
    parcel: Parcel, code: str, household: Household | None, diets: tuple[str, ...], now: datetime
) -> Step[Parcel]:
    """Change what the parcel must hold. Only before somebody picks it: later the rules of `facts` stop it or warn."""
    if parcel.state not in WAITING | {State.RESERVED}:
        return Step(parcel)
    unknown = any(diet not in FORBIDDEN and diet not in parcel.diets for diet in diets)
    told = replace(parcel, code=code, household=household, diets=tuple(sorted(set(diets))))
    if not unknown and parcel.code == code and told.fits:
        return Step(told)
    return _anew(told, now)


def _anew(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """It waits for the stock of what it should hold, from the beginning."""
    changed = replace(
        parcel,
        lines=tuple(line for line in parcel.wanted if line not in parcel.sent),
        back_order=(),
        top_up=(),
        owed_due_at=None,
        state=State.REQUESTED,
        changed_at=now,
        missing=(),
        retry_at=None,
        bags=None,
        weight_grams=None,
    )
    return Step(changed, (_requested(changed, now),), _no_retry(parcel))


def reschedule(parcel: Parcel, priority: Priority, now: datetime) -> Step[Parcel]:
    """The resident's priority changed, and with it the time by which the parcel must be at the door."""
    if parcel.priority == priority or parcel.state in FINAL:
        return Step(parcel)
    due_at = parcel.requested_at + _DUE_WITHIN[priority]
    if _URGENCY.index(priority) < _URGENCY.index(parcel.priority):
        due_at = min(parcel.due_at, now + _DUE_WITHIN[priority])
    after = replace(
        parcel, priority=priority, due_at=due_at, overdue=parcel.overdue and due_at <= now, changed_at=now
    )
    if parcel.state in WAITING | HOLDING:
        return Step(after, (_requested(after, now),), {DUE: due_at})
    return Step(after, (_packed(after, now),) if parcel.state is State.PACKED else (), {DUE: due_at})


def stop(parcel: Parcel, facts: tuple[str, ...], now: datetime) -> Step[Parcel]:
    """The parcel does not go on before a person at the site has decided. Says so once for each fact."""
    return _note(parcel, facts, now, stops=True)


def warn(parcel: Parcel, facts: tuple[str, ...], now: datetime) -> Step[Parcel]:
    """The parcel has left: the hub passes the change on to the driver, or to the resident. Says so once for each fact."""
    return _note(parcel, facts, now, stops=False)


def _note(parcel: Parcel, facts: tuple[str, ...], now: datetime, *, stops: bool) -> Step[Parcel]:
    known = next((n for n in parcel.notices if n.open and n.stops is stops), None)
    new = tuple(fact for fact in facts if known is None or fact not in known.facts)
    if not new:
        return Step(parcel)
    owner = f"site:{parcel.site_id}" if stops else f"hub:{parcel.hub_id}"
    due_at = now + (STOP_WITHIN if stops else WARN_WITHIN)
    missing = () if stops else parcel.missing  # a stopped parcel holds nobody else up
    noticed = Notice((*(known.facts if known else ()), *new), stops, owner, now, due_at)
    others = tuple(notice for notice in parcel.notices if notice is not known)
    after = replace(parcel, notices=(*others, noticed), missing=missing, changed_at=now)
    about = {"site_id": parcel.site_id, "facts": new, "due_at": due_at}
    event = (
        ParcelStopped(**_about(parcel), **about, stopped_at=now)
        if stops
        else ParcelWarned(**_about(parcel), **about, task_id=parcel.task_id, warned_at=now)
    )
    return Step(after, (event,))


def decide(parcel: Parcel, decision: Decision, reason: str, by: str, now: datetime) -> Step[Parcel]:
    """A person lets a stopped parcel go as it is, or has it packed anew. Raises NotAllowedError unless it is stopped."""
    if not parcel.stopped:
        raise NotAllowedError("This parcel is not stopped, so there is nothing to decide.")
    settled = _settle(parcel, by, now, stops=True, decision=decision.value, reason=reason)
    if decision is Decision.REPACK and settled.state is not State.DISPATCHED:
        return _anew(settled, now)
    if settled.state is State.PACKED and settled.task_id is not None:
        return dispatch(settled, settled.task_id, now)
    return look_again(settled)


def pass_on(parcel: Parcel, reason: str, by: str, now: datetime) -> Step[Parcel]:
    """Somebody passed the warnings on. Raises NotAllowedError if there is none."""
    if not any(notice.open and not notice.stops for notice in parcel.notices):
        raise NotAllowedError("No warning about this parcel waits for anybody.")
    return Step(_settle(parcel, by, now, stops=False, decision="passed-on", reason=reason))


def settle_warnings(parcel: Parcel, now: datetime) -> Parcel:
    """The parcel is back at the site: nobody is left to be warned."""
    return _settle(parcel, "foodhub", now, stops=False, decision="came-back", reason="came-back")


def fits_again(parcel: Parcel, facts: frozenset[str], now: datetime) -> Step[Parcel]:
    """The facts that stopped it changed back: it goes on by itself, unless something else stops it."""
    if not parcel.stopped or not all(set(n.facts) <= facts for n in parcel.notices if n.open and n.stops):
        return Step(parcel)
    settled = _settle(parcel, "foodhub", now, stops=True, decision=Decision.KEEP.value, reason="fits-again")
    if settled.state is State.PACKED and settled.task_id is not None:
        return dispatch(settled, settled.task_id, now)
    return Step(settled)


def _settle(parcel: Parcel, by: str, now: datetime, *, stops: bool, decision: str, reason: str) -> Parcel:
    notices = tuple(
        replace(n, settled_at=now, settled_by=by, decision=decision, reason=reason)
        if n.open and n.stops is stops
        else n
        for n in parcel.notices
    )
    return replace(parcel, notices=notices, changed_at=now)


def move_house(parcel: Parcel, hub_id: str, site_id: str, now: datetime) -> Step[Parcel]:
    """The resident moved to another hub's area. A parcel that nobody picks yet is filled at the new site."""
    if parcel.state is State.RESERVED and parcel.site_id != site_id:
        return _anew(replace(parcel, hub_id=hub_id, site_id=site_id), now)
    return move_hub(parcel, hub_id, site_id)


def move_hub(parcel: Parcel, hub_id: str, site_id: str) -> Step[Parcel]:
    """Another hub now has the resident. Reserved stock stays at its site."""
    if parcel.state in FINAL:
        return Step(parcel)
    moved = site_id if parcel.state in WAITING else parcel.site_id
    return Step(replace(parcel, hub_id=hub_id, site_id=moved))


def reserve(parcel: Parcel, now: datetime, later: tuple[Line, ...] = ()) -> Step[Parcel]:
    """All that the parcel needs is reserved for it, but for lines that follow later."""
    _must(parcel, WAITING, "be reserved")
    after = replace(
        parcel,
        state=State.RESERVED,
        changed_at=now,
        missing=(),
        retry_at=None,
        lines=tuple(line for line in parcel.lines if line not in later),
        back_order=later,
        owed_due_at=now + OWED_WITHIN if later else None,
    )
    event = ParcelReserved(
        **_about(parcel),
        site_id=parcel.site_id,
        reserved_at=now,
    )
    return Step(after, (event,), _no_retry(parcel))


def fill(parcel: Parcel, lines: tuple[Line, ...], now: datetime) -> Step[Parcel]:
    """Lines that were to follow have come in. They join the parcel, or are kept for it if somebody picks it already."""
    rest = tuple(line for line in parcel.back_order if line not in lines)
    filled = replace(parcel, back_order=rest, changed_at=now)
    if parcel.state is State.RESERVED:
        due_at = parcel.owed_due_at if rest else None
        return Step(replace(filled, lines=(*parcel.lines, *lines), owed_due_at=due_at))
    return Step(replace(filled, top_up=(*parcel.top_up, *lines)))


def settle_back_order(
    parcel: Parcel, outcome: BackOrderOutcome, reason: str, by: str, now: datetime
) -> Step[Parcel]:
    """A person has sent what was to follow, or nobody needs it. Raises NotAllowedError if there is nothing to send."""
    if not parcel.back_order and not parcel.top_up:
        raise NotAllowedError("Nothing is to follow this parcel.")
    if outcome is BackOrderOutcome.SENT and not parcel.top_up:
        raise NotAllowedError("What is to follow has not come in. Book a receipt first.")
    sent = parcel.top_up if outcome is BackOrderOutcome.SENT else ()
    rest = parcel.back_order if outcome is BackOrderOutcome.SENT else ()
    done = Notice(
        (Fact.BACK_ORDER.value,),
        stops=False,
        owner=f"site:{parcel.site_id}",
        since=now,
        due_at=parcel.owed_due_at or now,
        settled_at=now,
        settled_by=by,
        decision=outcome.value,
        reason=reason,
    )
    after = replace(
        parcel,
        top_up=(),
        back_order=rest,
        sent=(*parcel.sent, *sent),
        notices=(*parcel.notices, done),
        owed_due_at=parcel.owed_due_at if rest else None,
        changed_at=now,
    )
    return Step(after)


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
    """It is stopped, or nobody knows a diet of it: it waits for a person, and is looked at again until one has decided."""
    _must(parcel, WAITING, "wait for a decision")
    retry_at = now + RETRY_AFTER
    after = replace(parcel, state=State.SHORT, missing=(), retry_at=retry_at, changed_at=now)
    return Step(after, (), {RETRY: retry_at})


def decide_diets(parcel: Parcel, diets: tuple[str, ...], now: datetime) -> Step[Parcel]:
    """A person says which known diets the parcel must respect. Raises NotAllowedError unless it waits for that."""
    if not parcel.undecided or parcel.state not in WAITING:
        raise NotAllowedError("No diet of this parcel waits for a decision.")
    decided = replace(
        parcel,
        decided=tuple(sorted({*parcel.decided, *parcel.undecided})),
        added=tuple(sorted({*parcel.added, *diets} - set(parcel.diets))),
        diets=tuple(sorted(set(diets))),
    )
    if not decided.fits:
        return _anew(decided, now)
    again = replace(decided, state=State.REQUESTED, changed_at=now, missing=(), retry_at=None)
    return Step(again, (), _no_retry(parcel))


def lose_reservation(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """The reserved stock is gone. The parcel waits for stock again, and the next allocation decides."""
    _must(parcel, {State.RESERVED}, "lose its reservation")
    lines = (*parcel.lines, *parcel.back_order, *parcel.top_up)
    after = replace(
        parcel,
        state=State.REQUESTED,
        changed_at=now,
        lines=lines,
        back_order=(),
        top_up=(),
        owed_due_at=None,
    )
    return Step(after)


def interrupt(parcel: Parcel, facts: tuple[str, ...], now: datetime) -> Step[Parcel]:
    """The goods of a parcel in picking must be thrown away. It stops, and waits for stock again after a person has decided."""
    _must(parcel, {State.PICKING}, "be interrupted")
    stopped = stop(parcel, facts, now)
    lost = lose_reservation(replace(stopped.state, state=State.RESERVED), now)
    return Step(lost.state, stopped.events)


def at_the_door(before: Parcel | None, after: Parcel, now: datetime) -> bool | None:
    """Whether it came in time: True; False once its time has passed; None: neither happened."""
    if before is None or before.overdue:
        return None
    if after.overdue:
        return False
    return now <= after.due_at if after.state is State.DELIVERED is not before.state else None


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
    _must_not_be_stopped(parcel)
    if parcel.state is State.PICKING:
        return Step(parcel)
    _must(parcel, {State.RESERVED}, "be picked")
    return Step(replace(parcel, state=State.PICKING, changed_at=now))


def pack(parcel: Parcel, bags: int | None, grams: int | None, now: datetime) -> Step[Parcel]:
    """The bags are ready. Bags and weight come from the lines unless somebody counted. To repeat it changes nothing."""
    if parcel.state is State.PACKED:
        return Step(parcel)
    _must_not_be_stopped(parcel)
    _must(parcel, {State.PICKING}, "be packed")
    weight = weight_grams(parcel.lines) if grams is None else grams
    after = replace(
        parcel,
        state=State.PACKED,
        changed_at=now,
        weight_grams=weight,
        bags=bags_for(weight) if bags is None else bags,
    )
    packed = Step(after, (_packed(after, now),))
    if after.task_id is None:
        return packed
    gone = dispatch(
        after, after.task_id, now
    )  # the volunteer of the parcel that was packed anew waits for it
    return Step(gone.state, packed.events + gone.events)


def dispatch(parcel: Parcel, task_id: UUID, now: datetime, *, past_its_date: bool = False) -> Step[Parcel]:
    """A volunteer has accepted the delivery. A parcel that is stopped, or packed anew, leaves when it may.

    `past_its_date`: goods in it are. Then it stops.
    """
    if parcel.state in FINAL | {State.DISPATCHED}:
        return Step(parcel)
    if past_its_date and parcel.state is State.PACKED and not parcel.stopped:
        return stop(replace(parcel, task_id=task_id), (Fact.EXPIRED.value,), now)
    if parcel.state is not State.PACKED or parcel.stopped:
        return Step(replace(parcel, task_id=task_id))
    after = replace(
        parcel, state=State.DISPATCHED, changed_at=now, task_id=task_id, departure=_leave(parcel, now)
    )
    event = ParcelDispatched(
        **_about(parcel),
        task_id=task_id,
        dispatched_at=now,
    )
    return Step(after, (event,))


def deliver(parcel: Parcel, now: datetime) -> Step[Parcel]:
    """The parcel is at the door. A packed parcel may skip the dispatch, because that event may never arrive.

    If it was stopped, the volunteer took it all the same: the hub must tell the resident.
    """
    if parcel.state not in {State.PACKED, State.DISPATCHED}:
        return Step(parcel)
    after = replace(
        parcel,
        state=State.DELIVERED,
        changed_at=now,
        overdue=False,
        departure=parcel.departure or _leave(parcel, now),
    )
    event = ParcelDelivered(
        **_about(parcel),
        delivered_at=now,
    )
    if not parcel.stopped:
        return Step(after, (event,), {DUE: None})
    facts = tuple(fact for n in parcel.notices if n.open and n.stops for fact in n.facts)
    left = _settle(after, "foodhub", now, stops=True, decision="left-all-the-same", reason="delivered")
    warned = warn(left, facts, now)
    return Step(warned.state, (event, *warned.events), {DUE: None})


def _leave(parcel: Parcel, now: datetime) -> Departure:
    kept = any(n.stops and not n.open and n.decision == Decision.KEEP for n in parcel.notices)
    return Departure(now, parcel.household, parcel.diets, kept)


def come_back(parcel: Parcel, reason: str, now: datetime) -> Step[Parcel]:
    """The delivery failed: the parcel waits, packed, for the next volunteer."""
    if parcel.state is not State.DISPATCHED:
        waited = parcel.task_id is not None and parcel.state not in FINAL
        return Step(replace(parcel, task_id=None) if waited else parcel)
    after = replace(parcel, state=State.PACKED, changed_at=now, task_id=None, departure=None)
    event = ParcelReturned(
        **_about(parcel),
        reason=reason,
        returned_at=now,
    )
    return Step(after, (event,))


def cancel(parcel: Parcel, reason: str, now: datetime) -> Step[Parcel]:
    """Nobody needs the parcel any more. Ignored if it is on the road or at its end, but nothing follows a delivered one."""
    if parcel.state is State.DELIVERED and (parcel.back_order or parcel.top_up):
        return Step(replace(parcel, back_order=(), top_up=(), owed_due_at=None, changed_at=now))
    if parcel.state in FINAL or parcel.state is State.DISPATCHED:
        return Step(parcel)
    unseen = tuple(replace(n, settled_at=now, decision="cancelled") if n.open else n for n in parcel.notices)
    after = replace(
        parcel,
        state=State.CANCELLED,
        changed_at=now,
        overdue=False,
        missing=(),
        retry_at=None,
        task_id=None,
        notices=unseen,
        back_order=(),
        top_up=(),
        owed_due_at=None,
    )
    event = ParcelCancelled(
        **_about(parcel),
        reason=reason,
        cancelled_at=now,
    )
    return Step(after, (event,), {DUE: None, **_no_retry(parcel)})


def stock_moves(before: Parcel | None, after: Parcel) -> tuple[Move, ...]:
    """What a change of a parcel does to the stock: reserved until it is packed, then issued."""
    promised, goods = _promised(after), _goods(after)
    promised.subtract(_promised(before))
    goods.subtract(_goods(before))
    moves: list[Move] = []
    for place in dict.fromkeys((*promised, *goods)):
        gone, kept = goods[place], promised[place]
        if gone:
            kind = MoveKind.ISSUED if gone > 0 else MoveKind.PUT_BACK
            moves.append(Movement(*place, kind, abs(gone), after.parcel_id))
        if kept := kept + max(0, gone):  # issued goods were reserved before
            moves.append(Promise(*place, kept))
    return tuple(moves)


def _promised(parcel: Parcel | None) -> Counter[Place]:
    """What is reserved for it."""
    if parcel is None:
        return Counter()
    return _at_site(parcel, (*(parcel.lines if parcel.state in HOLDING else ()), *parcel.top_up))


def _goods(parcel: Parcel | None) -> Counter[Place]:
    """The goods that have left the shelf for it."""
    if parcel is None:
        return Counter()
    return _at_site(parcel, (*(parcel.lines if parcel.state in PACKED else ()), *parcel.sent))


def _at_site(parcel: Parcel, lines: tuple[Line, ...]) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for line in lines:
        found[Place(parcel.site_id, line.item_id)] += line.quantity
    return found


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


def _must_not_be_stopped(parcel: Parcel) -> None:
    facts = ", ".join(fact for n in parcel.notices if n.open and n.stops for fact in n.facts)
    if facts:
        raise NotAllowedError(
            f"This parcel is stopped, because something changed: {facts}. Decide about it first: keep it or repack it."
        )


def _must(parcel: Parcel, allowed: frozenset[State] | set[State], what: str) -> None:
    if parcel.state not in allowed:
        raise NotAllowedError(f"A parcel that is {parcel.state} cannot {what}.")
