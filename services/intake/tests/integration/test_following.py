"""What becomes of a referral as the others report: over real Postgres, duplicates and any order of topics included."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import consumed_types
from bdcan_contracts.upstreams import Upstreams
from bdcan_intake.books import Referrals
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.timeline import TOLD
from bdcan_intake.worker import consumers


async def handed_in(given: Harness, *needs: str, **more: Any) -> Referral:
    body = {
        "channel": "phone",
        "person": {"name": "Amina Example", "phone": "07700 900417"},
        "needs": list(needs),
    }
    answer = await given.http.post("/v1/referrals", json=body | more)
    assert answer.status_code == 201, answer.text
    await given.emitted()
    return await stored(given, UUID(answer.json()["referral_id"]))


async def stored(given: Harness, referral_id: UUID) -> Referral:
    async with given.transactions.begin() as tx:
        [referral] = await Referrals(tx).lock_keys([referral_id])
        return referral


async def shown(given: Harness, r: Referral) -> dict[str, Any]:
    return (await given.http.get(f"/v1/referrals/{r.referral_id}")).json()


def test_intake_handles_exactly_what_the_catalogue_says():
    handled = {
        (t.topic.name, CATALOGUE.of(t.model).type)
        for consumer in consumers(Upstreams)
        for t in consumer.table
    }
    assert handled == {(topic.name, kind) for topic, kind in consumed_types(CATALOGUE, "intake")}


def test_every_event_that_intake_follows_has_an_entry_in_the_timeline():
    followed = {on.model for consumer in consumers(Upstreams) for on in consumer.table} - {
        m.InboundReferralSubmitted,
        m.InboundReferralAmended,
        m.InboundReferralWithdrawn,
        m.VolunteerActivated,
        m.VolunteerLeft,
        m.ErasureAnswered,
    }
    assert followed - TOLD.keys() == set()


@pytest.mark.parametrize("kind", ["parcel.stopped", "parcel.warned"])
async def test_a_parcel_that_stops_or_warns_is_in_the_timeline(given: Harness, kind: str):
    model = {"parcel.stopped": m.ParcelStopped, "parcel.warned": m.ParcelWarned}[kind]
    r = await handed_in(given, "food-parcel")
    facts = (vocabulary.Fact.DIETS,)
    times = {"due_at": s.T0, "stopped_at": s.T0, "warned_at": s.T0}
    told = {"hub_id": s.HUB, "site_id": "central", "facts": facts} | times
    about = {"parcel_id": uuid4(), "referral_id": r.referral_id, "need_id": r.needs[0].need_id}
    await given.deliver(model.model_validate(about | told))
    assert kind in [entry["kind"] for entry in (await shown(given, r))["timeline"]]


async def test_batch_locks_its_referrals_in_one_order_whatever_the_order_of_events(given: Harness):
    both = [await handed_in(given, "errand"), await handed_in(given, "errand")]
    first, second = sorted(both, key=lambda r: r.referral_id)
    async with given.transactions.begin() as tx:
        await Referrals(tx).lock_keys([first.referral_id])
        batch = asyncio.create_task(given.deliver(s.assigned(second), s.triage(first)))
        await given.until_blocked()
        await tx.connection.execute(
            "SELECT FROM referral WHERE id = $1 FOR NO KEY UPDATE NOWAIT", second.referral_id
        )
    assert (await batch)["handled"] == 2


async def test_later_event_of_a_slow_clock_does_not_look_older(
    given: Harness,
):
    right = given.clock.instant
    given.clock.instant = ahead = right + timedelta(minutes=10)
    r = await handed_in(given, "shopping")
    given.clock.instant = right
    answer = await given.http.post(
        f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "changed-mind"}
    )
    assert answer.status_code == 200, answer.text
    assert [e.time >= ahead for e in await given.emitted(m.ReferralWithdrawn, m.ReferralClosed)] == [
        True,
        True,
    ]


async def test_timeline_runs_from_call_to_doorstep_until_the_referral_closes(
    given: Harness,
):
    r = await handed_in(given, "food-parcel", "shopping")
    food, shopping = (n.need_id for n in r.needs)
    parcel_id = uuid4()
    for event in (
        s.assigned(r),
        s.unanswered(r),
        s.confirmed(r),
        s.task(m.TaskOpened, r, shopping, vocabulary.TaskKind.SHOPPING),
        s.parcel(m.ParcelRequested, r, food),
        s.parcel(m.ParcelReserved, r, food),
        s.task(m.TaskAccepted, r, shopping, vocabulary.TaskKind.SHOPPING),
        s.task(m.TaskFailed, r, shopping, vocabulary.TaskKind.SHOPPING),
        s.task(m.TaskUnfilled, r, shopping, vocabulary.TaskKind.SHOPPING, offers_made=3, unfilled_at=s.T0),
        s.parcel(m.ParcelPacked, r, food),
        s.task(m.TaskOpened, r, food, vocabulary.TaskKind.PARCEL_DELIVERY, parcel_id=parcel_id),
        s.task(m.TaskCompleted, r, shopping, vocabulary.TaskKind.SHOPPING),
        s.parcel(m.ParcelDispatched, r, food),
    ):
        given.clock.advance(timedelta(minutes=1))
        record = given.record(event)
        assert (await given.deliver(record))["handled"] == 1
        assert (await given.deliver(record))["duplicate"] == 1
    assert not await given.emitted()
    given.clock.advance(timedelta(minutes=1))
    await given.deliver(s.parcel(m.ParcelDelivered, r, food))
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.HELPED
    assert {n.need_id: n.state for n in closed.data.needs} == dict.fromkeys((food, shopping), m.NeedState.MET)
    told = await shown(given, r)
    assert (told["state"], told["outcome"], told["closed_at"]) == ("closed", "helped", "2020-03-23T09:14:00Z")
    assert [e["kind"] for e in told["timeline"]] == [
        "referral.received",
        "referral.assigned",
        "welfare-call.unanswered",
        "welfare-call.completed",
        "task.opened",
        "parcel.requested",
        "parcel.reserved",
        "task.accepted",
        "task.failed",
        "task.unfilled",
        "parcel.packed",
        "task.opened",
        "task.completed",
        "parcel.dispatched",
        "parcel.delivered",
        "referral.closed",
    ]


async def test_order_of_topics_changes_neither_timeline_nor_end(given: Harness):
    r = await handed_in(given, "shopping")
    need = r.needs[0].need_id
    found = uuid4()
    call = s.called(
        r,
        (need, vocabulary.NeedCode.SHOPPING, m.CallNeedResult.CONFIRMED),
        (found, vocabulary.NeedCode.FOOD_PARCEL, m.CallNeedResult.FOUND),
    )
    events = [
        s.assigned(r),
        call,
        s.task(m.TaskOpened, r, need, vocabulary.TaskKind.SHOPPING),
        s.parcel(m.ParcelRequested, r, found),
        s.task(m.TaskCompleted, r, need, vocabulary.TaskKind.SHOPPING),
        s.parcel(m.ParcelDelivered, r, found),
    ]
    records = []
    for event in events:
        given.clock.advance(timedelta(minutes=1))
        records.append(given.record(event))
    assigned, called, opened, requested, completed, delivered = records
    await given.deliver(requested, delivered)
    await given.deliver(opened, completed)
    assert not await given.emitted(), "the call is still to come: it may have found more"
    await given.deliver(assigned)
    await given.deliver(called)
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.HELPED
    assert [e["kind"] for e in (await shown(given, r))["timeline"]][1:] == [
        "referral.assigned",
        "welfare-call.completed",
        "task.opened",
        "parcel.requested",
        "task.completed",
        "parcel.delivered",
        "referral.closed",
    ]


@pytest.mark.parametrize("outreach", [False, True])
async def test_late_concern_reopens_the_referral_in_its_own_class(given: Harness, outreach: bool):
    r = await handed_in(given, "shopping", outreach=outreach)
    await given.deliver(s.assigned(r), s.confirmed(r))
    await given.deliver(s.task(m.TaskCompleted, r, r.needs[0].need_id, vocabulary.TaskKind.SHOPPING))
    given.clock.advance(timedelta(hours=1))
    await given.deliver(
        s.escalation(m.EscalationOpened, r, uuid4(), code=vocabulary.NeedCode.SAFEGUARDING_ADULT)
    )

    rows = await given.fetch("SELECT traffic_class FROM chassis.outbox")
    assert [row["traffic_class"] for row in rows] == ["bulk" if outreach else "normal"] * 2
    closed, reopened = [e.data for e in await given.emitted()]
    assert isinstance(closed, m.ReferralClosed)
    assert isinstance(reopened, m.ReferralReopened)
    assert closed.closed_at < reopened.reopened_at
    told = await shown(given, r)
    assert told["state"] == "being-helped"
    assert [e["kind"] for e in told["timeline"]][-3:] == [
        "referral.closed",
        "escalation.opened",
        "referral.reopened",
    ]


async def test_assignment_cancels_its_deadline(given: Harness):
    r = await handed_in(given, "shopping")
    assert ("assignment-due", r.referral_id) in await given.deadlines()
    await given.deliver(s.assigned(r))
    assert not await given.deadlines()
    assert (await shown(given, r))["owner"] == f"hub:{s.HUB}"


async def test_intake_owns_what_routing_does_not_answer_and_looks_every_hour(given: Harness):
    r = await handed_in(given, "shopping", "safeguarding-adult")
    for hour in (1, 2):
        given.clock.advance(timedelta(hours=1))
        assert await given.fire() == 1
        assert await given.deadlines() == {("assignment-due", r.referral_id): s.minutes(60 * (hour + 1))}
    told = await shown(given, r)
    assert [(n["owner"], n["due_at"]) for n in told["needs"]] == [
        ("intake", "2020-03-23T12:00:00Z"),
        ("community-solutions", "2020-03-23T10:00:00Z"),
    ]
    assert [e["kind"] for e in told["timeline"]].count("assignment.overdue") == 2
    late = given.record(s.assigned(r))
    await given.deliver(late)
    assert (await shown(given, r))["needs"][0]["owner"] == f"hub:{s.HUB}"
    assert not await given.deadlines()


async def test_welfare_concern_is_a_need_until_it_is_taken_on(given: Harness):
    r = await handed_in(given)
    concern = m.Need(need_id=new_id(), code="safeguarding-adult", lane=m.Lane.SAFEGUARDING)
    await given.deliver(s.assigned(r))
    await given.deliver(s.exhausted(r, concern))
    [need] = (await shown(given, r))["needs"]
    assert (need["owner"], need["state"]) == ("community-solutions", "in-hand")
    await given.deliver(s.escalation(m.EscalationAccepted, r, UUID(need["need_id"])))
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.REFERRED_ON


async def test_declined_escalation_gives_the_need_to_the_hub_until_a_new_call(given: Harness):
    r = await handed_in(given, "housing")
    need = r.needs[0].need_id
    for event in (
        s.assigned(r),
        s.confirmed(r),
        s.escalation(m.EscalationOpened, r, need),
        s.escalation(m.EscalationForwarded, r, need),
        s.escalation(m.EscalationOverdue, r, need),
        s.escalation(m.EscalationAcknowledged, r, need),
        s.escalation(m.EscalationDeclined, r, need),
    ):
        given.clock.advance(timedelta(minutes=1))
        await given.deliver(event)
    [shown_need] = (await shown(given, r))["needs"]
    assert (shown_need["state"], shown_need["owner"]) == ("open", f"hub:{s.HUB}")
    given.clock.advance(timedelta(minutes=1))
    await given.deliver(s.called(r, (need, vocabulary.NeedCode.HOUSING, m.CallNeedResult.DECLINED)))
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.DECLINED


@pytest.mark.parametrize(
    ("model", "outcome"), [(m.EscalationAccepted, "referred-on"), (m.EscalationClosed, "helped")]
)
async def test_need_ends_as_community_solutions_says(given: Harness, model, outcome):
    r = await handed_in(given, "housing")
    for event in (s.assigned(r), s.confirmed(r), s.escalation(model, r, r.needs[0].need_id)):
        await given.deliver(event)
    [closed] = await given.emitted()
    assert closed.data.outcome == outcome


async def test_hub_still_calls_when_all_needs_are_settled(given: Harness):
    r = await handed_in(given, "homelessness")
    await given.deliver(s.assigned(r))
    await given.deliver(s.escalation(m.EscalationAccepted, r, r.needs[0].need_id))
    assert await given.emitted() == []
    found = await shown(given, r)
    assert (found["state"], found["owner"]) == ("assigned", f"hub:{s.HUB}")
    assert found["due_at"] == found["contact_due_at"]
    await given.deliver(s.confirmed(r))
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.REFERRED_ON


async def test_need_shows_triage_and_out_of_area(given: Harness):
    r = await handed_in(given, "shopping")
    await given.deliver(s.triage(r))
    assert (await shown(given, r))["needs"][0]["due_at"] == "2020-03-23T13:00:00Z"
    await given.deliver(s.out_of_area(r, 2))
    [closed] = await given.emitted()
    assert closed.data.outcome == vocabulary.ReferralOutcome.OUT_OF_AREA
    [need] = (await shown(given, r))["needs"]
    assert (need["state"], need["reason"]) == ("unmet", "out-of-area")


async def test_event_about_an_unknown_referral_keeps_its_entry(given: Harness):
    stranger = s.referral(vocabulary.NeedCode.SHOPPING)
    outcome = await given.deliver(s.assigned(stranger), s.confirmed(stranger))
    assert outcome["handled"] == 2
    assert len(await given.fetch("SELECT 1 FROM timeline")) == 2


async def test_outreach_referral_closes_in_the_bulk_class(given: Harness):
    r = await handed_in(given, "shopping", outreach=True)
    await given.deliver(s.out_of_area(r), traffic_class="bulk")
    rows = await given.fetch("SELECT traffic_class FROM chassis.outbox")
    assert [row["traffic_class"] for row in rows] == ["bulk"]


async def test_summary_counts_every_referral_once(given: Harness):
    open_one = await handed_in(given, "shopping", "housing")
    gone = await handed_in(given, "food-parcel")
    await given.deliver(s.out_of_area(gone))
    given.clock.advance(timedelta(hours=2))
    summary = (await given.http.get("/v1/summary")).json()
    assert summary == {
        "referrals": 2,
        "by_state": {"received": 1, "closed": 1},
        "by_outcome": {"out-of-area": 1},
        "needs_by_state": {"open": 2, "unmet": 1},
        "needs_by_lane_and_state": {"community": {"open": 1}, "complex": {"open": 1}, "food": {"unmet": 1}},
        "without_owner_or_deadline": 0,
        "open_needs_overdue": 2,
        "by_source": {"test": 2},
    }
    assert open_one.owner == "routing"


async def test_database_refuses_a_row_without_owner_or_time(given: Harness):
    import asyncpg

    await handed_in(given, "shopping")
    for statement in (
        "UPDATE need SET owner = NULL",
        "UPDATE need SET due_at = NULL",
        "UPDATE referral SET due_at = NULL",
        "UPDATE referral SET state = 'closed'",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await given.transactions.pool.execute(statement)


async def test_call_that_crossed_with_a_withdrawal_starts_nothing(given: Harness):
    r = await handed_in(given, "food-parcel")
    await given.deliver(s.assigned(r))
    withdrawn = await given.http.post(
        f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"}
    )
    assert withdrawn.is_success
    await given.deliver(s.confirmed(r))
    found = await shown(given, r)
    assert (found["state"], found["needs"][0]["state"]) == ("closed", "withdrawn")


async def test_child_who_was_helped_and_a_parcel_add_up_to_helped(given: Harness):
    r = await handed_in(given, "safeguarding-child", "food-parcel")
    child, food = (n.need_id for n in r.needs)
    code = vocabulary.NeedCode.SAFEGUARDING_CHILD
    events = [
        s.assigned(r),
        s.confirmed(r),
        s.parcel(m.ParcelDelivered, r, food),
        s.escalation(m.EscalationAccepted, r, child, code=code),
    ]
    for event in events:
        await given.deliver(event)
    assert (await shown(given, r))["outcome"] == "partly-helped"
    await given.deliver(s.escalation(m.EscalationClosed, r, child, code=code))
    told = await shown(given, r)
    assert (told["state"], told["outcome"]) == ("closed", "helped")


async def test_need_that_was_taken_on_and_given_back_is_open_again(given: Harness):
    r = await handed_in(given, "homelessness")
    need, code = r.needs[0].need_id, vocabulary.NeedCode.HOMELESSNESS
    for event in (s.assigned(r), s.confirmed(r), s.escalation(m.EscalationAccepted, r, need, code=code)):
        await given.deliver(event)
    await given.deliver(s.escalation(m.EscalationDeclined, r, need, code=code, reason="not-reached"))
    told = await shown(given, r)
    assert (told["state"], told["needs"][0]["state"]) == ("being-helped", "open")
    assert told["needs"][0]["owner"] == f"hub:{s.HUB}"
    assert told["needs"][0]["due_at"]


async def test_timeline_tells_of_held_and_reopened_calls_and_of_changed_tasks(given: Harness):
    r = await handed_in(given, "shopping")
    need_id, kind = r.needs[0].need_id, vocabulary.TaskKind.SHOPPING
    for event in (
        s.assigned(r),
        s.late_call(r),
        s.held(r, "no-consent"),
        s.confirmed(r),
        s.task(m.TaskOpened, r, need_id, kind),
        s.task(m.TaskChanged, r, need_id, kind),
        s.task(m.TaskOfferWithdrawn, r, need_id, kind),
        s.reopened(r),
    ):
        await given.deliver(event)
    told = {entry["kind"]: entry["detail"] for entry in (await shown(given, r))["timeline"]}
    assert told["welfare-call.overdue"] == {
        "hub_id": s.HUB,
        "due_at": "2020-03-23T09:00:00Z",
        "critical": False,
    }
    assert told["welfare-call.held"]["reason"] == "no-consent"
    assert told["welfare-call.reopened"]["reason"] == "outcome-undone"
    assert told["task.changed"]["facts"] == "flags"
    assert told["task.offer-withdrawn"]["reason"] == "no-time"


async def test_caller_of_a_reopened_call_is_told_who_to_ring(given: Harness):
    r = await handed_in(given, "shopping")
    need = r.needs[0]
    no = s.called(r, (need.need_id, need.code, m.CallNeedResult.DECLINED))
    await given.deliver(s.assigned(r))
    await given.deliver(no)
    asked = {"referral_id": str(r.referral_id), "purpose": "welfare_call", "reason": "the call is due"}
    assert (await given.http.post("/v1/disclosures", json=asked)).status_code == 409
    await given.deliver(s.reopened(r))
    given.clock.advance(timedelta(hours=6))
    asked["grant"] = s.claim(given, r)
    assert (await given.http.post("/v1/disclosures", json=asked)).status_code == 200
