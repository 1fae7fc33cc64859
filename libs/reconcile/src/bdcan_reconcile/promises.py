"""Who owes what by when: every promise that is open, from the service that has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_reconcile.rows import Stores
from bdcan_reconcile.rules import LIVE_CALL, LIVE_PARCEL, LIVE_TASK, OVER


class Promise(Struct, frozen=True):
    """One promise. `about`: the thing. `hub_id`: whose resident it is, where that is known."""

    kind: str
    who: str
    what: str
    state: str
    due_at: datetime | None
    hub_id: str | None
    referral_id: UUID
    about: UUID


def promises(stores: Stores) -> list[Promise]:
    """All open promises, the earliest first."""
    found = [*_routing(stores), *_calls(stores), *_tasks(stores), *_parcels(stores), *_escalations(stores)]
    return sorted(found, key=lambda p: (p.due_at is None, p.due_at or stores.now, str(p.about)))


def _routing(stores: Stores) -> Iterator[Promise]:
    for a in stores.assignments:
        if a.state == "held":
            what = "decide which hub helps"
            yield Promise(
                "triage", "routing", what, a.state, a.triage_due_at, None, a.referral_id, a.referral_id
            )


def _calls(stores: Stores) -> Iterator[Promise]:
    for c in stores.calls:
        who = f"hub:{c.hub_id}"
        if c.review is not None:
            what = f"look at it: {c.review}"
            yield Promise("review", who, what, c.state, c.review_by, c.hub_id, c.referral_id, c.call_id)
        elif c.state in LIVE_CALL:
            what = "ring the resident"
            yield Promise("call", who, what, c.state, c.due_at, c.hub_id, c.referral_id, c.call_id)


def _tasks(stores: Stores) -> Iterator[Promise]:
    for t in stores.tasks:
        if t.state in LIVE_TASK:
            who = f"volunteers of {t.hub_id}"
            yield Promise("task", who, t.kind, t.state, t.due_at, t.hub_id, t.referral_id, t.task_id)


def _parcels(stores: Stores) -> Iterator[Promise]:
    for p in stores.parcels:
        if p.state in LIVE_PARCEL:
            what = "parcel at the door"
            yield Promise("parcel", "foodhub", what, p.state, p.due_at, p.hub_id, p.referral_id, p.parcel_id)


def _escalations(stores: Stores) -> Iterator[Promise]:
    for x in stores.escalations:
        if x.state not in OVER:
            who = "community-solutions" if x.case_id else "escalation"
            what = f"{x.kind}: next step"
            yield Promise(
                "escalation", who, what, x.state, x.due_at, x.hub_id, x.referral_id, x.escalation_id
            )
