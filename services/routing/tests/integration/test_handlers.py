"""Consumed events through the real database: what is published, in which traffic class, and what is promised."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    AssignmentMethod,
    HubConfigured,
    Priority,
    ReferralAssigned,
    ReferralClosed,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReopened,
    ReferralWithdrawn,
)
from bdcan_contracts.vocabulary import ReferralOutcome, TriageReason

INSIDE, ELSEWHERE_INSIDE, OUTSIDE = "IG11 7NB", "RM10 7AB", "IG1 1AR"


def withdrawn(referral_id):
    return ReferralWithdrawn(referral_id=referral_id, reason="resident-asked", withdrawn_at=START)


async def test_first_referral_seeds_the_hubs_and_is_assigned(bare, referral):
    given = referral(INSIDE)

    await bare.deliver(given)

    events = await bare.emitted()
    assert len([e for e in events if isinstance(e.data, HubConfigured)]) == 9
    [assigned] = [e.data for e in events if isinstance(e.data, ReferralAssigned)]
    assert assigned.referral_id == given.referral_id
    assert assigned.version == 1
    assert assigned.method is AssignmentMethod.COARSE
    assert assigned.ward
    assert assigned.ward.vintage == 2022
    assert (assigned.needs, assigned.household, assigned.diets, assigned.flags) == (
        given.needs,
        given.household,
        given.diets,
        given.flags,
    )
    assert assigned.contact_due_at == given.contact_due_at
    assert given.postcode not in assigned.explanation
    assert "coarse gazetteer" in assigned.explanation


async def test_referral_that_comes_again_changes_nothing(routing, referral):
    given = referral()
    record = routing.record(given)
    await routing.deliver(record)
    await routing.emitted()

    outcome = await routing.deliver(record, routing.record(given))

    assert outcome["duplicate"] == 1
    assert await routing.emitted() == []


async def test_answers_to_a_bulk_list_are_bulk_as_well(routing, referral):
    bulk, single = referral(outreach=True), referral()

    await routing.deliver(routing.record(bulk, traffic_class="bulk"), single)

    sent = await routing.fetch("SELECT traffic_class, topic FROM chassis.outbox ORDER BY traffic_class")
    assert [(r["traffic_class"], r["topic"]) for r in sent] == [
        ("bulk", "bdcan.routing.outreach-assignments.v1"),
        ("normal", "bdcan.routing.assignments.v1"),
    ]


async def test_referral_without_a_postcode_is_held_with_candidates_and_a_deadline(routing, referral):
    nothing, nonsense, part = referral(None), referral("by the park"), referral("rm8")
    urgent = referral("  ", priority=Priority.URGENT)

    await routing.deliver(nothing, nonsense, part, urgent)

    held = {e.data.referral_id: e.data for e in await routing.emitted(ReferralHeldForTriage)}
    assert [held[r.referral_id].reason for r in (nothing, nonsense, part, urgent)] == [
        TriageReason.NO_POSTCODE,
        TriageReason.INVALID_POSTCODE,
        TriageReason.INVALID_POSTCODE,
        TriageReason.NO_POSTCODE,
    ]
    assert len(held[nothing.referral_id].candidate_hubs) == 9
    assert held[part.referral_id].candidate_hubs[0] == "hub-5"
    assert "hub-3" not in held[part.referral_id].candidate_hubs
    deadlines = await routing.deadlines()
    assert deadlines["triage-due", nothing.referral_id] == START + timedelta(hours=4)
    assert deadlines["triage-due", urgent.referral_id] == START + timedelta(minutes=30)
    assert held[urgent.referral_id].triage_due_at == START + timedelta(minutes=30)


async def test_held_referral_is_asked_for_again_when_nobody_decides_in_time(routing, referral):
    given = referral(None)
    await routing.deliver(given)
    await routing.emitted()

    routing.clock.advance(timedelta(hours=4))
    assert await routing.fire() == 1

    [again] = [e.data for e in await routing.emitted(ReferralHeldForTriage)]
    assert (again.version, again.held_at) == (2, START)
    assert again.triage_due_at == START + timedelta(hours=8)
    assert (await routing.deadlines())["triage-due", given.referral_id] == START + timedelta(hours=8)


async def test_sector_outside_the_borough_is_out_of_area(routing, referral):
    given = referral(OUTSIDE)

    await routing.deliver(given)

    [out] = [e.data for e in await routing.emitted(ReferralOutOfArea)]
    assert (out.referral_id, out.district_gss, out.needs) == (given.referral_id, "E09000026", given.needs)


async def test_amendment_that_comes_first_is_what_routing_places(routing, referral, amendment):
    given = referral(None)
    newer = amendment(given, postcode=INSIDE, priority=Priority.URGENT)
    await routing.deliver(newer)
    assert await routing.emitted() == []

    await routing.deliver(given)

    [assigned] = [e.data for e in await routing.emitted(ReferralAssigned)]
    assert assigned.priority is Priority.URGENT
    assert await routing.deadlines() == {}


async def test_referral_that_was_withdrawn_first_is_not_published(routing, referral, amendment):
    given = referral(None)
    await routing.deliver(withdrawn(given.referral_id))

    await routing.deliver(given, amendment(given, postcode=INSIDE))

    assert await routing.emitted() == []
    assert await routing.deadlines() == {}


async def test_closing_deletes_the_deadline_and_the_postcode(routing, referral):
    given = referral("nowhere")
    await routing.deliver(given)
    closed = ReferralClosed(
        referral_id=given.referral_id, outcome=ReferralOutcome.WITHDRAWN, needs=(), closed_at=START
    )

    await routing.deliver(closed)

    assert await routing.deadlines() == {}
    [row] = await routing.fetch("SELECT state, facts->>'postcode' AS postcode FROM assignment")
    assert (row["state"], row["postcode"]) == ("ended", None)


@pytest.mark.parametrize(
    ("postcode", "state", "deadlines"), [(INSIDE, "assigned", 0), ("nowhere", "held", 1)]
)
async def test_reopened_referral_returns_to_where_it_was(routing, referral, postcode, state, deadlines):
    given = referral(postcode)
    ending = {"referral_id": given.referral_id, "outcome": ReferralOutcome.HELPED, "needs": ()}
    again = ReferralReopened(
        referral_id=given.referral_id, priority=Priority.URGENT, needs=given.needs[:1], reopened_at=START
    )
    # a second end and a second opening in one batch, and one that nobody has heard of
    unknown = again.model_copy(update={"referral_id": new_id()})
    closed = [ReferralClosed(**ending, closed_at=START + timedelta(minutes=n)) for n in range(2)]
    await routing.deliver(given, closed[0], again, closed[1], again.model_copy(), unknown)

    [row] = await routing.fetch("SELECT state, facts->>'priority' AS priority FROM assignment")
    assert (row["state"], row["priority"]) == (state, "urgent")
    assert len(await routing.deadlines()) == deadlines
    told = [type(e.data) for e in await routing.emitted()]
    assert told == ([ReferralAssigned] if state == "assigned" else [ReferralHeldForTriage] * 3)


async def test_referral_whose_home_certainly_moved_is_reassigned(routing, referral, amendment):
    given = referral(INSIDE)
    await routing.deliver(given)
    [first] = [e.data for e in await routing.emitted(ReferralAssigned)]

    await routing.deliver(amendment(given, postcode="RM8 1AA"), amendment(given, version=1, postcode=OUTSIDE))

    [moved] = [e.data for e in await routing.emitted()]
    assert isinstance(moved, ReferralReassigned)
    assert (moved.previous_hub_id, moved.hub_id, moved.reason) == (first.hub_id, "hub-9", "address-changed")
    assert moved.version == 2


async def test_move_does_not_look_older_than_what_a_fast_clock_wrote(routing, referral, amendment):
    given, right = referral(INSIDE), routing.clock.instant
    routing.clock.instant = ahead = right + timedelta(minutes=10)
    await routing.deliver(given)
    routing.clock.instant = right
    await routing.deliver(amendment(given, postcode="RM8 1AA"))
    assigned, moved = await routing.emitted(ReferralAssigned, ReferralReassigned)
    assert assigned.time == moved.time == ahead


async def test_held_referral_is_assigned_when_its_postcode_is_known(routing, referral, amendment):
    given = referral(None)
    await routing.deliver(given)
    await routing.emitted()

    await routing.deliver(amendment(given, postcode=INSIDE))

    [assigned] = [e.data for e in await routing.emitted()]
    assert isinstance(assigned, ReferralAssigned)
    assert assigned.version == 2
    assert await routing.deadlines() == {}


async def test_each_referral_of_a_large_batch_is_answered_once(routing, referral):
    postcodes = [INSIDE, ELSEWHERE_INSIDE, OUTSIDE, None, "RM8 1AA", "ZZ99 9ZZ"]
    sent = [referral(postcodes[n % len(postcodes)]) for n in range(600)]

    await routing.deliver(*sent)

    answered = [e.data.referral_id for e in await routing.emitted()]
    assert sorted(answered) == sorted(r.referral_id for r in sent)
