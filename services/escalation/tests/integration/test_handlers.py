"""What escalation does with events: once, twice, and in any order across topics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from escalation_story import (
    a_need,
    amended,
    assigned,
    call_back,
    called,
    concern,
    exhausted,
    said,
    sent,
    withdrawn,
)

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    CallNeedResult,
    ClosedNeed,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationDeclined,
    EscalationKind,
    EscalationOpened,
    EscalationOverdue,
    Lane,
    Need,
    NeedState,
    Priority,
    ReferralClosed,
    ReferralOutOfArea,
    TaskConcernRaised,
)
from bdcan_contracts.vocabulary import EscalationOutcome, NeedCode, ReferralOutcome


async def opened(world: Any) -> list[EscalationOpened]:
    return [e.data for e in await world.service.emitted(EscalationOpened)]


async def test_event_after_one_from_a_fast_clock_is_not_older(
    world,
):
    referral_id, clock = new_id(), world.service.clock
    right = clock.instant
    clock.instant = right + timedelta(minutes=10)
    await world.service.deliver(assigned(referral_id, a_need()))
    clock.instant = right
    await world.service.deliver(withdrawn(referral_id))
    opened_event, closed_event = await world.service.emitted(EscalationOpened, EscalationClosed)
    assert closed_event.time >= opened_event.time


async def test_repeated_concern_is_escalated_once(world):
    record = world.service.record(concern(new_id(), new_id()))
    await world.service.deliver(record, record)
    await world.service.deliver(record)
    (event,) = await opened(world)
    assert (event.kind, event.priority, event.hub_id) == (EscalationKind.SAFEGUARDING, Priority.URGENT, None)
    assert event.acknowledge_by == START, "what intake promised is sooner"


async def test_concern_from_intake_and_from_the_call_is_one_case(world):
    referral_id, need = new_id(), a_need(NeedCode.SAFEGUARDING_ADULT)
    await world.service.deliver(called(referral_id, said(need)))
    await world.service.deliver(concern(referral_id, need.need_id))
    assert len(await opened(world)) == 1


async def test_urgent_complex_need_does_not_wait_for_the_call(world):
    referral_id, need, food = new_id(), a_need(), a_need(NeedCode.FOOD_PARCEL)
    await world.service.deliver(assigned(referral_id, need, food))
    await world.service.deliver(called(referral_id, said(need), said(food)))
    (event,) = await opened(world)
    assert (event.need_ids, event.kind, event.hub_id) == ((need.need_id,), EscalationKind.COMPLEX, "thames")


@pytest.mark.parametrize("lane", [Lane.COMPLEX, Lane.SAFEGUARDING])
async def test_unknown_need_of_a_newer_release_is_handed_over_by_its_lane(world, lane):
    referral_id, need = new_id(), Need(need_id=new_id(), code="fuel-poverty", lane=lane)
    await world.service.deliver(called(referral_id, said(need)))
    (event,) = await opened(world)
    assert (event.kind, event.code, event.lane) == (EscalationKind(lane), "fuel-poverty", lane)


async def test_standard_complex_need_waits_for_the_call(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(assigned(referral_id, need, priority=Priority.STANDARD), traffic_class="bulk")
    assert await opened(world) == []
    await world.service.deliver(called(referral_id, said(need, CallNeedResult.CHANGED)))
    assert len(await opened(world)) == 1


async def test_declined_need_is_withdrawn_unless_sent(world):
    referral_id, waiting, sent = new_id(), a_need(), a_need(NeedCode.DEBT)
    await world.service.deliver(assigned(referral_id, sent))
    await world.service.run("forward")
    await world.service.deliver(assigned(referral_id, waiting, version=2))
    await world.service.deliver(
        called(referral_id, said(waiting, CallNeedResult.DECLINED), said(sent, CallNeedResult.DECLINED))
    )
    closed = [e.data for e in await world.service.emitted(EscalationClosed)]
    taken_back = [e for e in closed if e.outcome == EscalationOutcome.WITHDRAWN]
    assert [e.need_ids for e in taken_back] == [(waiting.need_id,)]


async def test_unreachable_resident_is_one_concern_with_all_open_needs(world):
    referral_id, theirs, open_need = new_id(), a_need(), a_need(NeedCode.SHOPPING)
    await world.service.deliver(assigned(referral_id, theirs))
    await world.service.deliver(exhausted(referral_id, theirs, open_need))
    _complex, welfare = await opened(world)
    assert (welfare.kind, welfare.need_ids) == (EscalationKind.WELFARE_CONCERN, (open_need.need_id,))
    assert welfare.code == NeedCode.SHOPPING


async def test_concern_is_raised_even_when_the_council_has_every_need(
    world,
):
    referral_id, theirs = new_id(), a_need()
    await world.service.deliver(assigned(referral_id, theirs))
    await world.service.deliver(exhausted(referral_id, theirs))
    assert [e.kind for e in await opened(world)] == [EscalationKind.COMPLEX, EscalationKind.WELFARE_CONCERN]


async def test_volunteers_concern_is_a_need_of_its_own(world):
    event = TaskConcernRaised(
        task_id=new_id(),
        referral_id=new_id(),
        concern_id=new_id(),
        code=NeedCode.SAFEGUARDING_CHILD,
        lane=Lane.SAFEGUARDING,
        raised_at=START,
    )
    await world.service.deliver(event)
    await world.service.deliver(event)
    (told,) = await opened(world)
    assert (told.need_ids, told.kind) == ((event.concern_id,), EscalationKind.SAFEGUARDING)


async def test_withdrawal_before_the_call_keeps_only_safeguarding(world):
    referral_id = new_id()
    await world.service.deliver(withdrawn(referral_id))
    await world.service.deliver(
        called(referral_id, said(a_need()), said(a_need(NeedCode.DOMESTIC_ABUSE))), exhausted(referral_id)
    )
    assert [e.kind for e in await opened(world)] == [EscalationKind.SAFEGUARDING]


async def test_withdrawn_referral_ends_an_unsent_need_and_its_deadline(
    world,
):
    referral_id = new_id()
    await world.service.deliver(assigned(referral_id, a_need()))
    await world.service.deliver(withdrawn(referral_id), traffic_class="bulk")
    (event,) = await world.service.emitted(EscalationClosed)
    assert event.data.outcome == EscalationOutcome.WITHDRAWN
    assert await world.service.deadlines() == {}
    assert await world.service.run("forward") == 0
    assert world.faults.keys == []


async def test_need_withdrawn_by_amendment_is_not_handed_over_in_any_order(
    world,
):
    referral_id, gone, late, kept = new_id(), a_need(), a_need(), a_need(NeedCode.DEBT)
    await world.service.deliver(assigned(referral_id, gone, kept))
    await world.service.deliver(amended(referral_id, gone.need_id, late.need_id))
    await world.service.deliver(called(referral_id, said(late)))
    told = [(type(e.data), e.data.need_ids) for e in await world.service.emitted()]
    assert told == [
        (EscalationOpened, (gone.need_id,)),
        (EscalationOpened, (kept.need_id,)),
        (EscalationClosed, (gone.need_id,)),
    ]


async def test_need_that_ended_otherwise_is_not_handed_over(world):
    referral_id, over, theirs = new_id(), a_need(), a_need(NeedCode.DEBT)
    await world.service.deliver(assigned(referral_id, over, theirs))
    ends = (
        ClosedNeed(need_id=over.need_id, code=over.code, lane=over.lane, state=NeedState.UNMET),
        ClosedNeed(need_id=theirs.need_id, code=theirs.code, lane=theirs.lane, state=NeedState.REFERRED_ON),
    )
    await world.service.deliver(
        ReferralClosed(
            referral_id=referral_id, outcome=ReferralOutcome.PARTLY_HELPED, needs=ends, closed_at=START
        )
    )
    (event,) = await world.service.emitted(EscalationClosed)
    assert event.data.need_ids == (over.need_id,)


async def test_hub_sees_a_concern_raised_before_assignment(
    world,
):
    referral_id, need_id = new_id(), new_id()
    await world.service.deliver(concern(referral_id, need_id))
    hub = world.service.client(["escalations:read"], ["thames"])
    path = f"/v1/escalations/{derived_id(need_id, 'escalation')}"
    assert (await hub.get(path)).status_code == 404
    await world.service.deliver(assigned(referral_id, priority=Priority.STANDARD))
    await world.service.deliver(assigned(referral_id, hub_id="heath", version=1))  # old news
    assert (await hub.get(path)).json()["hub_id"] == "thames"


async def test_returned_need_is_handed_over_again_after_a_later_call(
    world,
):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)))
    first = derived_id(need.need_id, "escalation")
    await world.service.transactions.pool.execute(
        "UPDATE escalation SET state = 'declined', due_at = NULL, case_id = 'case-1' WHERE escalation_id = $1",
        first,
    )
    await world.service.deliver(called(referral_id, said(need)))
    assert [e.escalation_id for e in await opened(world)] == [first, derived_id(need.need_id, "escalation-2")]


async def declines(world, need: Need) -> EscalationDeclined:
    await sent(world, call_back(derived_id(need.need_id, "escalation"), "declined", reason="not-eligible"))
    [refusal] = await world.service.emitted(EscalationDeclined)
    return refusal.data


async def test_refusal_names_the_calls_that_it_answers(world):
    referral_id, need = new_id(), a_need()
    calls = [called(referral_id, said(need)), called(referral_id, said(need))]
    await world.service.deliver(assigned(referral_id, need, priority=Priority.URGENT), *calls)
    await world.service.deliver(called(referral_id, said(a_need())))  # about another need
    assert set((await declines(world, need)).call_ids) == {call.call_id for call in calls}


async def test_call_that_crosses_the_refusal_is_handed_over_again(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(assigned(referral_id, need, priority=Priority.URGENT))
    crossing = called(referral_id, said(need))
    assert (await declines(world, need)).call_ids == ()
    await world.service.deliver(crossing)
    assert [e.need_ids for e in await opened(world)] == [(need.need_id,)]


async def test_call_that_the_refusal_answers_is_not_handed_over_again(world):
    referral_id, need = new_id(), a_need()
    call = called(referral_id, said(need))
    await world.service.deliver(call)
    assert (await declines(world, need)).call_ids == (call.call_id,)
    await world.service.deliver(call)  # a second event that says the same
    assert await opened(world) == []


async def test_assignment_after_the_refusal_hands_nothing_over(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(assigned(referral_id, need, priority=Priority.URGENT))
    await declines(world, need)
    await world.service.deliver(assigned(referral_id, need, priority=Priority.URGENT, version=2))
    assert await opened(world) == []


async def test_next_step_is_not_earlier_than_one_from_a_fast_clock(
    world,
):
    referral_id, need, clock = new_id(), a_need(), world.service.clock
    await world.service.deliver(assigned(referral_id, need))
    clock.advance(timedelta(days=2))
    await world.service.fire()
    clock.instant -= timedelta(minutes=10)  # the next process's clock is right
    await sent(world, call_back(derived_id(need.need_id, "escalation"), "acknowledged"))
    late, acknowledged = await world.service.emitted(EscalationOverdue, EscalationAcknowledged)
    assert acknowledged.time >= late.time


async def test_ladder_that_the_refusal_does_not_answer_is_a_welfare_concern(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(assigned(referral_id, need))
    await declines(world, need)
    await world.service.deliver(exhausted(referral_id, need))
    assert [e.kind for e in await opened(world)] == [EscalationKind.WELFARE_CONCERN]


async def test_ladder_without_a_need_is_parked_and_not_lost(world):
    outcome = await world.service.deliver(exhausted(new_id()))
    assert outcome["parked"] == 1


async def test_second_ladder_raises_no_second_concern(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(exhausted(referral_id, need))
    await world.service.deliver(exhausted(referral_id, need), exhausted(referral_id, need))
    assert [e.kind for e in await opened(world)] == [EscalationKind.WELFARE_CONCERN]


async def test_withdrawn_needs_are_left_out_of_the_concern(world):
    referral_id, gone, kept = new_id(), a_need(), a_need()
    await world.service.deliver(amended(referral_id, gone.need_id))
    await world.service.deliver(exhausted(referral_id, gone))
    assert await opened(world) == []
    await world.service.deliver(exhausted(referral_id, gone, kept))
    assert [e.need_ids for e in await opened(world)] == [(kept.need_id,)]


async def test_need_that_the_council_finished_is_not_handed_over_again(
    world,
):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)))
    await world.service.transactions.pool.execute(
        "UPDATE escalation SET state = 'closed', outcome = 'helped', due_at = NULL, case_id = 'case-1'"
    )
    await world.service.deliver(called(referral_id, said(need)))
    assert [e.escalation_id for e in await opened(world)] == [derived_id(need.need_id, "escalation")]


def moved_away(referral_id: Any, version: int = 2) -> ReferralOutOfArea:
    return ReferralOutOfArea(
        referral_id=referral_id, version=version, explanation="", needs=(), decided_at=START
    )


async def test_need_of_somebody_who_moved_away_is_not_forwarded(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)))
    await world.service.deliver(moved_away(referral_id))
    assert await world.service.run("forward") == 0
    [closed] = await world.service.emitted(EscalationClosed)
    assert closed.data.outcome == EscalationOutcome.WITHDRAWN
    assert await world.service.deadlines() == {}


async def test_need_that_is_heard_of_after_the_move_is_not_escalated(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(moved_away(referral_id))
    await world.service.deliver(called(referral_id, said(need)), assigned(referral_id, need, version=1))
    assert await opened(world) == []


async def test_somebody_at_risk_is_escalated_wherever_they_live(world):
    referral_id, need = new_id(), a_need(NeedCode.SAFEGUARDING_ADULT)
    await world.service.deliver(moved_away(referral_id), concern(referral_id, need.need_id))
    assert len(await opened(world)) == 1
    await world.service.deliver(moved_away(referral_id, 3))
    assert await world.service.run("forward-safeguarding") == 1


async def test_case_that_the_council_has_stays_with_it_after_a_move(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)))
    escalation_id = derived_id(need.need_id, "escalation")
    await sent(world, call_back(escalation_id, "accepted"))
    await world.service.deliver(moved_away(referral_id))
    answer = await world.service.http.get(f"/v1/escalations/{escalation_id}")
    assert answer.json()["state"] == "accepted"


async def test_resident_who_is_back_in_the_borough_is_escalated_again(world):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)), moved_away(referral_id, 2))
    await world.service.deliver(assigned(referral_id, version=3))
    await world.service.deliver(called(referral_id, said(need)))
    assert [e.escalation_id for e in await opened(world)] == [
        derived_id(need.need_id, "escalation"),
        derived_id(need.need_id, "escalation-2"),
    ]
