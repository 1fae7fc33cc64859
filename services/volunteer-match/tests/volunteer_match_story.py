"""Events as other services write them, and requests as people send them, with everything that a test leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from bdcan_chassis.calendar import make_calendar
from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import (
    AssignmentMethod,
    ClosedNeed,
    EscalationDeclined,
    EscalationKind,
    Household,
    HubConfigured,
    Lane,
    Need,
    NeedState,
    ParcelCancelled,
    ParcelPacked,
    ParcelStopped,
    ParcelWarned,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralHeldForTriage,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReopened,
    ReferralWithdrawn,
    VolunteerEnquiryReceived,
)
from bdcan_contracts.vocabulary import NEEDS, NeedCode, ReferralOutcome, TaskKind
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState

CALENDAR = make_calendar()


def need(code: NeedCode = NeedCode.ERRAND) -> Need:
    return Need(need_id=uuid4(), code=code, lane=NEEDS[code].lane)


def assigned(
    referral_id: UUID | None = None,
    *,
    needs: tuple[Need, ...] | None = None,
    hub_id: str = "thames",
    version: int = 1,
    priority: Priority = Priority.STANDARD,
    flags: tuple[str, ...] = (),
    outreach: bool = False,
) -> ReferralAssigned:
    return ReferralAssigned(
        referral_id=referral_id or uuid4(),
        version=version,
        hub_id=hub_id,
        method=AssignmentMethod.EXACT,
        confidence=1.0,
        confirm_at_call=False,
        explanation="the postcode lies in a ward of the hub",
        outreach=outreach,
        priority=priority,
        needs=(need(),) if needs is None else needs,
        household=Household(adults=2),
        flags=flags,
        contact_due_at=START + timedelta(hours=48),
        assigned_at=START,
    )


def reassigned(before: ReferralAssigned, hub_id: str, version: int = 2) -> ReferralReassigned:
    return ReferralReassigned(
        **before.model_dump(exclude={"hub_id", "version", "needs", "household"}),
        needs=before.needs,
        household=before.household,
        hub_id=hub_id,
        version=version,
        previous_hub_id=before.hub_id,
        reason="moved",
    )


def out_of_area(before: ReferralAssigned, version: int = 2) -> ReferralOutOfArea:
    return ReferralOutOfArea(
        referral_id=before.referral_id,
        version=version,
        explanation="found out of area",
        needs=before.needs,
        decided_at=START,
    )


def held_for_triage(before: ReferralAssigned, version: int = 2) -> ReferralHeldForTriage:
    return ReferralHeldForTriage(
        referral_id=before.referral_id,
        version=version,
        reason="decided-anew",
        needs=before.needs,
        priority=before.priority,
        triage_due_at=START + timedelta(hours=4),
        held_at=START,
    )


def reopened(before: ReferralAssigned) -> ReferralReopened:
    return ReferralReopened(
        referral_id=before.referral_id, priority=before.priority, needs=before.needs, reopened_at=START
    )


def amended(
    referral_id: UUID,
    needs: tuple[Need, ...],
    version: int = 2,
    withdrawn_need_ids: tuple[UUID, ...] = (),
    **more: Any,
) -> ReferralAmended:
    usual: dict[str, Any] = {"priority": Priority.STANDARD, "amended_at": START}
    return ReferralAmended(
        referral_id=referral_id,
        version=version,
        needs=needs,
        withdrawn_need_ids=withdrawn_need_ids,
        **(usual | more),
    )


def withdrawn(referral_id: UUID) -> ReferralWithdrawn:
    return ReferralWithdrawn(referral_id=referral_id, reason="changed-mind", withdrawn_at=START)


def closed(
    referral_id: UUID, *need_ids: UUID, state: NeedState = NeedState.MET, reason: str | None = None
) -> ReferralClosed:
    needs = tuple(
        ClosedNeed(
            need_id=n,
            code=NeedCode.SHOPPING,
            lane=Lane.COMMUNITY,
            state=state,
            reason=reason,
        )
        for n in need_ids
    )
    return ReferralClosed(
        referral_id=referral_id, outcome=ReferralOutcome.HELPED, needs=needs, closed_at=START
    )


def linked(
    one: UUID, other: UUID, *, kind: str = "person", later: timedelta = timedelta(0)
) -> tuple[ReferralLinked, ReferralLinked]:
    """Intake's two events of one link."""

    def event(mine: UUID, theirs: UUID) -> ReferralLinked:
        return ReferralLinked(
            referral_id=mine,
            same_person_ids=(theirs,) if kind == "person" else (),
            same_household_ids=(theirs,) if kind == "household" else (),
            linked_at=START + later,
        )

    return event(one, other), event(other, one)


def declined(
    referral_id: UUID,
    *need_ids: UUID,
    code: NeedCode = NeedCode.HOUSING,
    answers: Iterable[UUID] = (),
) -> EscalationDeclined:
    return EscalationDeclined(
        escalation_id=uuid4(),
        referral_id=referral_id,
        need_ids=need_ids or (uuid4(),),
        code=code,
        lane=NEEDS[code].lane,
        kind=EscalationKind.COMPLEX,
        reason="below-threshold",
        call_ids=tuple(answers),
        declined_at=START + timedelta(hours=1),
    )


def packed(referral_id: UUID, hub_id: str = "thames", need_id: UUID | None = None) -> ParcelPacked:
    return ParcelPacked(
        parcel_id=uuid4(),
        referral_id=referral_id,
        need_id=need_id or uuid4(),
        hub_id=hub_id,
        site_id="central",
        priority=Priority.STANDARD,
        bags=2,
        weight_grams=9000,
        due_at=START + timedelta(hours=30),
        packed_at=START,
    )


def parcel_cancelled(parcel: ParcelPacked) -> ParcelCancelled:
    return ParcelCancelled(
        parcel_id=parcel.parcel_id,
        referral_id=parcel.referral_id,
        need_id=parcel.need_id,
        hub_id=parcel.hub_id,
        reason="referral-withdrawn",
        cancelled_at=START,
    )


def parcel_stopped(parcel: ParcelPacked) -> ParcelStopped:
    return ParcelStopped(
        **parcel.model_dump(include={"parcel_id", "referral_id", "need_id", "hub_id", "site_id"}),
        facts=("diets",),
        due_at=START + timedelta(hours=1),
        stopped_at=START,
    )


def parcel_warned(parcel: ParcelPacked) -> ParcelWarned:
    return ParcelWarned(
        **parcel.model_dump(include={"parcel_id", "referral_id", "need_id", "hub_id", "site_id"}),
        facts=("household",),
        due_at=START + timedelta(hours=1),
        warned_at=START,
    )


def enquiry() -> VolunteerEnquiryReceived:
    return VolunteerEnquiryReceived(
        enquiry_id=uuid4(), task_kinds=(TaskKind.ERRAND,), has_car=True, received_at=START
    )


def hub(hub_id: str) -> HubConfigured:
    return HubConfigured(
        hub_id=hub_id,
        version=1,
        name=hub_id.title(),
        wards=(),
        paused=False,
        configured_at=START,
    )


def helper(volunteer_id: UUID | None = None, **more: Any) -> Volunteer:
    """Somebody who may do anything, unless the test says otherwise."""
    usual: dict[str, Any] = {
        "state": VolunteerState.ACTIVE,
        "hub_ids": ("thames",),
        "task_kinds": tuple(TaskKind),
        "dbs_cleared": True,
    }
    return Volunteer(volunteer_id or uuid4(), **(usual | more))


async def check(given: Harness, volunteer_id: UUID, **more: Any) -> None:
    """Somebody of the volunteer's hubs has seen their check."""
    today = given.clock.now().date().isoformat()
    body = {
        "kind": "enhanced-dbs-with-barred-lists",
        "reference": "DBS-001234567890",
        "issued_on": today,
        "seen_on": today,
    }
    answer = await given.http.post(f"/v1/volunteers/{volunteer_id}/checks", json=body | more)
    assert answer.status_code == 201, answer.text


async def volunteer(
    given: Harness,
    *hubs: str,
    kinds: tuple[str, ...] = ("errand",),
    checked: bool = False,
    check_ends_at: datetime | None = None,
    **more: Any,
) -> UUID:
    """Somebody who may be asked."""
    await given.deliver(*(hub(hub_id) for hub_id in hubs or ("thames",)))
    answer = await given.http.post(
        "/v1/volunteers",
        json={"hub_ids": list(hubs or ("thames",)), "task_kinds": list(kinds), **more},
    )
    assert answer.status_code == 201, answer.text
    volunteer_id = UUID(answer.json()["volunteer_id"])
    if checked:
        await check(given, volunteer_id, valid_until=check_ends_at and check_ends_at.isoformat())
    return volunteer_id


async def only_call(given: Harness) -> dict[str, Any]:
    """The one call that is on the list."""
    items = (await given.http.get("/v1/welfare-calls")).json()["items"]
    assert len(items) == 1, items
    return items[0]


async def claim_call(given: Harness, call_id: str) -> None:
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/claim")
    assert answer.status_code == 200, answer.text


async def report(given: Harness, call_id: str, **outcome: Any) -> dict[str, Any]:
    """Claim a call and say what came of it."""
    await claim_call(given, call_id)
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json=outcome)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def open_task(given: Harness, code: NeedCode = NeedCode.ERRAND, **more: Any) -> str:
    """A task that an answered call opened."""
    event = assigned(needs=(need(code),), **more)
    await given.deliver(event)
    call = [
        c
        for c in (await given.http.get("/v1/welfare-calls")).json()["items"]
        if c["referral_id"] == str(event.referral_id)
    ]
    answer = await report(given, call[0]["call_id"], outcome="answered")
    return answer["task_ids"][0]


async def task(given: Harness, task_id: str) -> dict[str, Any]:
    return (await given.http.get(f"/v1/tasks/{task_id}")).json()


async def say(given: Harness, task_id: str, what: str, volunteer_id: UUID, **more: Any) -> int:
    """A volunteer says something about a task; returns the HTTP status."""
    answer = await given.http.post(
        f"/v1/tasks/{task_id}/{what}", json={"volunteer_id": str(volunteer_id), **more}
    )
    return answer.status_code
