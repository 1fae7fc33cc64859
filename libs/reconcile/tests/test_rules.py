"""Each rule finds its fault in a sound story that was doctored, and nothing in the story itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from bdcan_reconcile.culprits import KINDS
from bdcan_reconcile.rows import (
    Assignment,
    Call,
    Case,
    Deadline,
    Escalation,
    Known,
    Letter,
    Need,
    Parcel,
    Referral,
    Stores,
    Task,
    Unsent,
)
from bdcan_reconcile.rules import judge

NOW = datetime(2020, 3, 23, 12, tzinfo=UTC)
SOON = NOW + timedelta(hours=4)
NEW, CALLED, HELPED = uuid4(), uuid4(), uuid4()
PARCEL, DELIVERY, ERRAND, CASE_OF = uuid4(), uuid4(), uuid4(), uuid4()
FOOD, COMPANY, DEBT, UNKNOWN_YET, UNCALLED = (uuid4() for _ in range(5))


def referral(referral_id: UUID, state: str, **more: Any) -> Referral:
    sound = Referral(
        referral_id, state, "north", "hub:north", SOON, False, False, False, None, 1, None, NOW, None
    )
    return replace(sound, **more)


def story() -> Stores:
    """One referral in triage, one that waits for its call, and one with a parcel, an errand and a case."""
    s = Stores(NOW)
    s.referrals = [
        referral(NEW, "received", hub_id=None, owner="routing"),
        referral(CALLED, "assigned"),
        referral(HELPED, "being-helped", called=True, owner="foodhub"),
    ]
    s.needs = [
        Need(NEW, UNKNOWN_YET, "food-parcel", "food", "open", None, "routing", SOON),
        Need(CALLED, UNCALLED, "dog-walking", "community", "open", None, "hub:north", SOON),
        Need(HELPED, FOOD, "food-parcel", "food", "in-hand", None, "volunteers", SOON),
        Need(HELPED, COMPANY, "prescription", "community", "in-hand", None, "volunteers", SOON),
        Need(HELPED, DEBT, "debt", "complex", "in-hand", None, "community-solutions", SOON),
    ]
    s.assignments = [
        Assignment(NEW, "held", None, 1, SOON, NOW, SOON),
        Assignment(CALLED, "assigned", "north", 1, None, NOW, None),
        Assignment(HELPED, "assigned", "north", 1, None, NOW, None),
    ]
    s.calls = [
        Call(CALLED, uuid4(), "claimed", "north", False, SOON, SOON, None, None, NOW, SOON, None, SOON),
        Call(HELPED, uuid4(), "answered", "north", False, SOON, None, None, None, NOW, None, None, None),
    ]
    s.tasks = [
        Task(HELPED, DELIVERY, FOOD, PARCEL, "parcel-delivery", "open", "north", SOON, None, SOON, NOW, SOON),
        Task(HELPED, ERRAND, COMPANY, None, "prescription", "open", "north", SOON, None, SOON, NOW, SOON),
    ]
    s.parcels = [Parcel(HELPED, PARCEL, FOOD, "packed", "north", SOON, None, NOW, SOON, None)]
    s.foodhub, s.escalation = [Known(HELPED, "north")], [Known(HELPED, "north")]
    s.escalations = [
        Escalation(HELPED, CASE_OF, "complex", [DEBT], "forwarded", "north", SOON, "c-1", None, NOW, SOON)
    ]
    s.cases = [Case(CASE_OF, "c-1", ())]
    return s


def changed(name: str, place: int, **more: Any) -> Callable[[Stores], None]:
    def change(s: Stores) -> None:
        rows = getattr(s, name)
        rows[place] = replace(rows[place], **more)

    return change


def gone(name: str, place: int) -> Callable[[Stores], None]:
    return lambda s: getattr(s, name).pop(place)


def added(name: str, row: Any) -> Callable[[Stores], None]:
    return lambda s: getattr(s, name).append(row)


def closed_around(s: Stores) -> None:
    s.referrals[2] = replace(s.referrals[2], state="closed", outcome="helped")
    s.needs[2:] = [replace(need, state="withdrawn", owner=None, due_at=None) for need in s.needs[2:]]
    s.parcels, s.escalations, s.cases = [], [], []
    s.tasks = s.tasks[1:]
    s.assignments[2] = replace(s.assignments[2], state="ended")


def all_ended(s: Stores) -> None:
    s.needs[2:] = [replace(need, state="withdrawn", owner=None, due_at=None) for need in s.needs[2:]]
    s.tasks, s.parcels, s.escalations, s.cases = [], [], [], []


FAULTS: list[tuple[str, Callable[[Stores], object], set[tuple[str, UUID | None]]]] = [
    ("assignment deleted", gone("assignments", 1), {("assignment-missing", CALLED)}),
    ("assignment ended", changed("assignments", 2, state="ended"), {("ended-early", HELPED)}),
    ("nobody must decide", changed("assignments", 0, triage_look_at=None), {("deadline-missing", NEW)}),
    ("hub differs", changed("foodhub", 0, hub_id="south"), {("hub-differs", HELPED)}),
    ("call deleted", gone("calls", 0), {("nobody-rings", CALLED)}),
    ("call over", changed("calls", 0, state="answered", claim_look_at=None), {("nobody-rings", CALLED)}),
    ("call without alarm", changed("calls", 0, alarm_look_at=None), {("deadline-missing", CALLED)}),
    ("claim without end", changed("calls", 0, claim_look_at=None), {("deadline-missing", CALLED)}),
    ("call due never", changed("calls", 0, due_at=None), {("deadline-missing", CALLED)}),
    ("review without end", changed("calls", 0, review="no-consent"), {("deadline-missing", CALLED)}),
    ("task deleted", gone("tasks", 1), {("nobody-has-it", HELPED)}),
    ("task cancelled", changed("tasks", 1, state="cancelled"), {("nobody-has-it", HELPED)}),
    ("task unwatched", changed("tasks", 1, look_at=None), {("deadline-missing", HELPED)}),
    ("task done, unheard", changed("tasks", 1, state="done"), {("end-differs", HELPED)}),
    ("delivery deleted", gone("tasks", 0), {("parcel-without-delivery", HELPED)}),
    ("delivery done, unheard", changed("tasks", 0, state="done"), {("delivery-differs", HELPED)}),
    ("parcel deleted", gone("parcels", 0), {("delivery-without-parcel", HELPED)}),
    (
        "parcel delivered, unheard",
        changed("parcels", 0, state="delivered"),
        {("delivery-differs", HELPED), ("end-differs", HELPED)},
    ),
    ("parcel unwatched", changed("parcels", 0, due_look_at=None), {("deadline-missing", HELPED)}),
    (
        "short for ever",
        lambda s: (
            changed("parcels", 0, state="short")(s),
            changed("tasks", 0, state="cancelled")(s),
        ),
        {("deadline-missing", HELPED)},
    ),
    ("escalation deleted", gone("escalations", 0), {("nobody-has-it", HELPED), ("case-unknown", None)}),
    ("escalation unwatched", changed("escalations", 0, look_at=None), {("deadline-missing", HELPED)}),
    ("the council lost it", gone("cases", 0), {("case-missing", HELPED)}),
    ("the council said more", changed("cases", 0, told=("accepted",)), {("case-differs", HELPED)}),
    ("two cases", added("cases", Case(CASE_OF, "c-2", ())), {("case-twice", HELPED)}),
    (
        "two parcels",
        added("parcels", Parcel(HELPED, uuid4(), FOOD, "requested", "north", SOON, None, NOW, SOON, None)),
        {("served-twice", HELPED)},
    ),
    (
        "two hands",
        added(
            "tasks",
            Task(HELPED, uuid4(), FOOD, None, "shopping", "open", "north", SOON, None, SOON, NOW, SOON),
        ),
        {("two-hands", HELPED)},
    ),
    (
        "work for no need",
        added(
            "tasks",
            Task(HELPED, uuid4(), uuid4(), None, "errand", "open", "north", SOON, None, SOON, NOW, SOON),
        ),
        {("need-unknown", HELPED)},
    ),
    ("referral deleted", gone("referrals", 1), {("referral-unknown", CALLED)}),
    ("closed, and a task goes on", closed_around, {("goes-on-after-end", HELPED)}),
    ("nothing is left to do", all_ended, {("not-closed", HELPED)}),
    (
        "closed with open needs",
        changed("referrals", 0, state="closed", outcome="helped"),
        {("closed-with-open-need", NEW), ("goes-on-after-end", NEW)},
    ),
    ("need of nobody", changed("needs", 4, owner=None), {("need-without-owner", HELPED)}),
    ("need of a stranger", changed("needs", 4, owner="the-moon"), {("nobody-has-it", HELPED)}),
    (
        "met by nobody",
        lambda s: (
            changed("needs", 3, state="met", owner=None, due_at=None)(s),
            changed("tasks", 1, state="cancelled")(s),
        ),
        {("end-differs", HELPED)},
    ),
    (
        "forgotten deadline",
        added(
            "deadlines", Deadline("foodhub", "parcel-due", PARCEL, NOW - timedelta(hours=2), 3, "KeyError")
        ),
        {("deadline-forgotten", None)},
    ),
    ("stuck events", added("unsent", Unsent("routing", "a-topic", 3, 200.0)), {("events-stuck", None)}),
    (
        "parked event",
        added(
            "letters",
            Letter("foodhub", uuid4(), "main", "t", "parked", "handler-failed", "KeyError", "a-type", HELPED),
        ),
        {("event-parked", HELPED)},
    ),
]


def test_nobody_is_a_culprit_in_a_sound_story() -> None:
    assert judge(story()) == []


@pytest.mark.parametrize(("fault", "expected"), [(f, e) for _, f, e in FAULTS], ids=[n for n, _, _ in FAULTS])
def test_each_fault_is_found_and_nothing_else(
    fault: Callable[[Stores], object], expected: set[tuple[str, UUID | None]]
) -> None:
    stores = story()
    fault(stores)
    found = judge(stores)
    assert {(culprit.kind, culprit.referral_id) for culprit in found} == expected
    assert all(culprit.repair and culprit.services for culprit in found)


def test_every_kind_has_a_fault_that_shows_it() -> None:
    assert {kind for _, _, expected in FAULTS for kind, _ in expected} == set(KINDS)


def test_a_resident_whom_nobody_may_ring_is_not_forgotten() -> None:
    stores = story()
    changed("calls", 0, state="exhausted", claim_look_at=None, review="not-reached", review_look_at=SOON)(
        stores
    )
    assert judge(stores) == []


def test_a_stopped_task_is_with_its_hub() -> None:
    stores = story()
    changed("needs", 3, owner="hub:north")(stores)
    changed("tasks", 1, stopped_by="no-consent")(stores)
    assert judge(stores) == []


def test_a_repair_goes_to_the_service_that_did_not_hear() -> None:
    stores = story()
    gone("tasks", 1)(stores)
    [culprit] = judge(stores)
    assert culprit.repair == f"bdcan service volunteer-match open-task {HELPED} {COMPANY} --reason REASON"
    stores = story()
    changed("tasks", 1, state="cancelled")(stores)
    [culprit] = judge(stores)
    assert culprit.repair == f"bdcan service intake redeliver {HELPED} --reason REASON"
