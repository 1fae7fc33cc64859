"""What the events of the others mean for a referral, in order and out of it."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # intake_story.py is shared by the tests of this folder

import intake_story as s
from msgspec.structs import replace

from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.models import NeedState
from bdcan_contracts.vocabulary import NeedCode, ReferralOutcome
from bdcan_intake.domain import changes
from bdcan_intake.domain import progress as p
from bdcan_intake.domain.changes import withdraw
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import (
    COMMUNITY_SOLUTIONS,
    FOODHUB,
    ROUTING,
    VOLUNTEERS,
    Need,
    ReferralState,
)
from bdcan_intake.domain.submission import Resident


def test_new_referral_is_with_routing_and_its_concern_with_community_solutions():
    r = s.referral(NeedCode.SHOPPING, NeedCode.DOMESTIC_ABUSE)
    assert [(n.owner, n.state, n.due_at) for n in r.needs] == [
        (ROUTING, NeedState.OPEN, s.minutes(60)),
        (COMMUNITY_SOLUTIONS, NeedState.OPEN, s.minutes(60)),
    ]
    assert r.contact_due_at == s.minutes(240)


def test_urgent_row_of_a_list_avoids_the_bulk_lane():
    assert s.referral(NeedCode.SHOPPING, outreach=True).traffic_class == "bulk"
    assert s.referral(NeedCode.SHOPPING, outreach=True, priority=m.Priority.URGENT).traffic_class is None


def test_need_without_owner_or_time_cannot_be_built():
    with pytest.raises(ValueError, match="owner"):
        Need(uuid4(), uuid4(), NeedCode.DEBT, m.Lane.COMPLEX, NeedState.OPEN, None, s.T0, s.T0)
    with pytest.raises(ValueError, match="owner"):
        Need(uuid4(), uuid4(), NeedCode.DEBT, m.Lane.COMPLEX, NeedState.IN_HAND, ROUTING, None, s.T0)


def test_assigned_hub_owns_needs_that_nobody_has_in_hand():
    r, _ = s.told(s.referral(NeedCode.SHOPPING), (p.assigned, (e := s.assigned(s.referral())), 1))
    assert (r.state, r.hub_id, r.owner) == (ReferralState.ASSIGNED, s.HUB, f"hub:{s.HUB}")
    assert r.needs[0].owner == f"hub:{s.HUB}"
    assert r.needs[0].due_at == e.contact_due_at


def test_older_assignment_is_ignored():
    r = s.referral(NeedCode.SHOPPING)
    r, _ = s.told(
        r, (p.assigned, s.assigned(r, 2, "new-hub"), 2), (p.assigned, s.assigned(r, 1, "old-hub"), 3)
    )
    assert r.hub_id == "new-hub"


def test_routing_owns_a_referral_that_is_held_for_triage():
    r = s.referral(NeedCode.SHOPPING)
    r, _ = s.told(r, (p.held_for_triage, s.triage(r), 1))
    assert (r.state, r.needs[0].owner, r.needs[0].due_at) == (ReferralState.RECEIVED, ROUTING, s.minutes(240))


def test_need_that_was_met_by_a_slip_is_in_hand_again():
    r = s.referral("errand")
    [need_id] = [n.need_id for n in r.needs]
    r, [closed] = s.told(
        r,
        (p.assigned, s.assigned(r), 1),
        (s.call_completed, s.confirmed(r), 2),
        (p.task_opened, s.task(m.TaskOpened, r, need_id, "errand"), 3),
        (p.task_completed, s.task(m.TaskCompleted, r, need_id, "errand"), 4),
    )
    assert closed.outcome == "helped"
    again = s.task(m.TaskReopened, r, need_id, "errand", reopened_at=s.T0)
    r, [opened] = s.told(r, (p.task_reopened, again, 5))
    assert isinstance(opened, m.ReferralReopened)
    assert [(n.state, n.owner) for n in r.needs] == [(NeedState.IN_HAND, VOLUNTEERS)]


@pytest.mark.parametrize("back", ["assigned", "held"])
def test_needs_are_open_again_when_out_of_area_was_a_slip(back: str):
    r = s.referral("food-parcel", "shopping")
    r, [closed] = s.told(r, (p.held_for_triage, s.triage(r), 1), (p.out_of_area, s.out_of_area(r, 2), 2))
    assert closed.outcome == "out-of-area"
    step = (p.assigned, s.assigned(r, 3), 5) if back == "assigned" else (p.held_for_triage, s.triage(r, 3), 5)
    r, [opened] = s.told(r, step)
    assert isinstance(opened, m.ReferralReopened)
    owner = f"hub:{s.HUB}" if back == "assigned" else "routing"
    assert {(n.state, n.owner) for n in r.needs} == {(m.NeedState.OPEN, owner)}
    assert (r.out_of_area, r.outcome, r.owner, r.called) == (False, None, owner, False)


def test_withdrawn_referral_stays_closed_when_out_of_area_was_a_slip():
    r = s.referral("food-parcel")
    r, _ = s.told(r, (p.out_of_area, s.out_of_area(r), 1))
    r, turns = s.told(replace(r, withdrawn_reason="moved"), (p.assigned, s.assigned(r, 2), 5))
    assert (turns, r.state) == ([], ReferralState.CLOSED)


def test_out_of_area_closes_all_needs_but_a_concern():
    r = s.referral(NeedCode.SHOPPING)
    r, [closed] = s.told(r, (p.out_of_area, s.out_of_area(r), 1))
    assert (closed.outcome, closed.needs[0].reason) == (ReferralOutcome.OUT_OF_AREA, "out-of-area")
    r = s.referral(NeedCode.SHOPPING, NeedCode.SAFEGUARDING_CHILD)
    r, closed = s.told(r, (p.out_of_area, s.out_of_area(r), 1))
    assert not closed
    assert [n.state for n in r.needs] == [NeedState.UNMET, NeedState.OPEN]


@pytest.mark.parametrize("placed", ["before", "behind", "never"])
@pytest.mark.parametrize("withdrawn_first", [True, False])
def test_withdrawal_ends_a_concern_that_was_given_back(withdrawn_first, placed):
    r = s.referral(NeedCode.SAFEGUARDING_ADULT)
    concern = r.needs[0].need_id
    declined = s.escalation(m.EscalationDeclined, r, concern, code=NeedCode.SAFEGUARDING_ADULT)
    steps = [
        lambda r, minute: s.told(r, (p.escalation_declined, declined, minute))[0],
        lambda r, minute: changes.withdraw(r, "changed-mind", s.minutes(minute)).state,
    ]
    if placed == "before":
        r, _ = s.told(r, (p.assigned, s.assigned(r), 1))
    for minute, step in enumerate(reversed(steps) if withdrawn_first else steps, 2):
        assert not r.needs[0].ended
        r = step(r, minute)
    if placed == "behind":
        r, _ = s.told(r, (p.assigned, s.assigned(r), 4))
    assert (r.needs[0].state, r.needs[0].reason) == (NeedState.WITHDRAWN, "changed-mind")


def test_amendment_withdraws_a_concern_only_after_it_was_given_back():
    r = s.referral(NeedCode.SAFEGUARDING_ADULT, NeedCode.SHOPPING)
    concern = r.needs[0].need_id
    resident = Resident(referral_id=r.referral_id, notes=None, consent=None, content_hash=b"")
    without = changes.Amendment(withdraw_needs=(concern,))
    with pytest.raises(NotAllowedError, match="Community Solutions"):
        changes.amend(r, resident, without, uuid4, s.minutes(1))
    declined = s.escalation(m.EscalationDeclined, r, concern, code=NeedCode.SAFEGUARDING_ADULT)
    r, _ = s.told(r, (p.escalation_declined, declined, 2))
    amended = changes.amend(r, resident, without, uuid4, s.minutes(3)).state
    assert amended.needs[0].state is NeedState.WITHDRAWN


def test_resident_can_decline_a_concern_only_after_it_was_given_back():
    r = s.referral(NeedCode.SAFEGUARDING_ADULT)
    concern = r.needs[0]
    no = s.called(r, (concern.need_id, concern.code, m.CallNeedResult.DECLINED))
    declined = s.escalation(m.EscalationDeclined, r, concern.need_id, code=concern.code)
    r, closed = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_completed, no, 2))
    assert not closed, "Community Solutions has it"
    r, closed = s.told(r, (p.escalation_declined, declined, 3), (s.call_completed, no, 4))
    assert closed
    assert r.needs[0].state is NeedState.WITHDRAWN


@pytest.mark.parametrize("order", ["taken given again", "taken again given", "again taken given"])
@pytest.mark.parametrize(
    ("said", "code", "state"),
    [
        (m.CallNeedResult.DECLINED, NeedCode.HOUSING, NeedState.WITHDRAWN),
        (m.CallNeedResult.CHANGED, NeedCode.BEFRIENDING_CALL, NeedState.IN_HAND),
    ],
)
def test_call_about_a_need_that_was_given_back_counts_before_we_hear_of_that(said, code, state, order):
    r = s.referral(NeedCode.HOUSING)
    housing = r.needs[0].need_id
    first = s.called(r, (housing, NeedCode.HOUSING, m.CallNeedResult.CONFIRMED))
    r, _ = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_completed, first, 2))
    steps = {
        "taken": (p.escalation_accepted, s.escalation(m.EscalationAccepted, r, housing), 3),
        "given": (p.escalation_declined, s.escalation(m.EscalationDeclined, r, housing), 4),
        "again": (s.call_completed, s.called(r, (housing, code, said)), 5),
    }

    r, _ = s.told(r, *(steps[word] for word in order.split()))

    assert (r.needs[0].state, r.needs[0].code) == (state, code)


@pytest.mark.parametrize("lane", list(p.HELPER))
def test_unknown_need_of_a_newer_release_goes_to_the_helper_of_its_lane(lane: m.Lane):
    r = s.referral(NeedCode.SHOPPING)
    unknown = m.CalledNeed(need_id=uuid4(), code="easter-eggs", lane=lane, result=m.CallNeedResult.FOUND)
    event = s.called(r).model_copy(update={"needs": (unknown,)})
    r, _ = s.told(r, (s.call_completed, event, 1))
    assert (r.needs[-1].code, r.needs[-1].lane, r.needs[-1].owner) == ("easter-eggs", lane, p.HELPER[lane])


def test_call_hands_each_need_to_its_helper():
    r = s.referral(NeedCode.FOOD_PARCEL, NeedCode.SHOPPING, NeedCode.HOUSING, NeedCode.ERRAND)
    food, shopping, housing, errand = r.needs
    found = uuid4()
    event = s.called(
        r,
        (food.need_id, food.code, m.CallNeedResult.CONFIRMED),
        (shopping.need_id, NeedCode.PRESCRIPTION, m.CallNeedResult.CHANGED),
        (housing.need_id, housing.code, m.CallNeedResult.CONFIRMED),
        (errand.need_id, errand.code, m.CallNeedResult.DECLINED),
        (found, NeedCode.BEFRIENDING_CALL, m.CallNeedResult.FOUND),
    )
    r, closed = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_completed, event, 2))
    assert not closed
    assert [(n.code, n.state, n.owner) for n in r.needs] == [
        (NeedCode.FOOD_PARCEL, NeedState.IN_HAND, FOODHUB),
        (NeedCode.PRESCRIPTION, NeedState.IN_HAND, VOLUNTEERS),
        (NeedCode.HOUSING, NeedState.IN_HAND, COMMUNITY_SOLUTIONS),
        (NeedCode.ERRAND, NeedState.WITHDRAWN, None),
        (NeedCode.BEFRIENDING_CALL, NeedState.IN_HAND, VOLUNTEERS),
    ]
    assert r.state is ReferralState.IN_CONTACT


def test_hub_keeps_a_need_that_the_call_left_out():
    r = s.referral(NeedCode.FOOD_PARCEL)
    r, closed = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_completed, s.called(r), 2))
    assert not closed
    assert (r.needs[0].state, r.needs[0].owner) == (NeedState.OPEN, f"hub:{s.HUB}")


def test_referral_whose_needs_were_all_declined_closes_as_declined():
    r = s.referral(NeedCode.FOOD_PARCEL)
    event = s.called(r, (r.needs[0].need_id, r.needs[0].code, m.CallNeedResult.DECLINED))
    _, [closed] = s.told(r, (s.call_completed, event, 2))
    assert closed.outcome == ReferralOutcome.DECLINED


def test_concern_declined_at_the_call_stays_with_community_solutions():
    r = s.referral(NeedCode.SAFEGUARDING_ADULT)
    event = s.called(r, (r.needs[0].need_id, r.needs[0].code, m.CallNeedResult.DECLINED))
    r, closed = s.told(r, (s.call_completed, event, 2))
    assert not closed
    assert r.needs[0].owner == COMMUNITY_SOLUTIONS


@pytest.mark.parametrize(("due", "late_from"), [(500, 500), (None, 200)])
def test_need_is_late_when_the_slot_of_the_next_call_ends(due, late_from):
    """An older release of volunteer-match says only when it begins."""
    r = s.referral(NeedCode.SHOPPING)
    r, _ = s.told(r, (p.assigned, s.assigned(r), 1), (p.call_unanswered, s.unanswered(r, 200, due), 2))
    assert (r.needs[0].owner, r.needs[0].due_at) == (f"hub:{s.HUB}", s.minutes(late_from))


def test_community_solutions_has_all_open_needs_of_an_unreached_resident():
    r = s.referral(NeedCode.SHOPPING)
    r, _ = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_exhausted, s.exhausted(r), 2))
    assert (r.needs[0].state, r.needs[0].owner) == (NeedState.IN_HAND, COMMUNITY_SOLUTIONS)
    accepted = s.escalation(m.EscalationAccepted, r, r.needs[0].need_id)
    _, [closed] = s.told(r, (p.escalation_accepted, accepted, 3))
    assert closed.outcome == ReferralOutcome.REFERRED_ON


def test_welfare_concern_becomes_the_need_where_none_is_known():
    r = s.referral()
    concern = m.Need(need_id=uuid4(), code=NeedCode.SAFEGUARDING_ADULT, lane=m.Lane.SAFEGUARDING)
    r, closed = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_exhausted, s.exhausted(r, concern), 2))
    assert not closed
    [need] = r.needs
    assert (need.need_id, need.code, need.owner) == (
        concern.need_id,
        NeedCode.SAFEGUARDING_ADULT,
        COMMUNITY_SOLUTIONS,
    )


def test_parcel_meets_its_need_at_the_door():
    r = s.referral(NeedCode.FOOD_PARCEL)
    need = r.needs[0].need_id
    delivery = s.task(m.TaskCompleted, r, need, vocabulary.TaskKind.PARCEL_DELIVERY, parcel_id=uuid4())
    r, closed = s.told(
        r,
        (s.call_completed, s.confirmed(r), 1),
        (p.parcel_requested, s.parcel(m.ParcelRequested, r, need), 2),
        (p.parcel_short, s.parcel(m.ParcelShort, r, need), 3),
        (p.parcel_packed, s.parcel(m.ParcelPacked, r, need), 4),
        (p.task_completed, delivery, 5),
    )
    assert not closed
    assert (r.state, r.needs[0].owner, r.needs[0].due_at) == (
        ReferralState.BEING_HELPED,
        VOLUNTEERS,
        s.minutes(3000),
    )
    r, _ = s.told(r, (p.parcel_returned, s.parcel(m.ParcelReturned, r, need), 6))
    assert r.needs[0].owner == FOODHUB
    r, [closed] = s.told(r, (p.parcel_delivered, s.parcel(m.ParcelDelivered, r, need), 7))
    assert closed.outcome == ReferralOutcome.HELPED


@pytest.mark.parametrize(
    ("step", "event"),
    [
        (p.task_cancelled, lambda r, n: s.task(m.TaskCancelled, r, n, vocabulary.TaskKind.SHOPPING)),
        (p.parcel_cancelled, lambda r, n: s.parcel(m.ParcelCancelled, r, n)),
        (p.escalation_declined, lambda r, n: s.escalation(m.EscalationDeclined, r, n)),
    ],
)
def test_hub_owns_a_need_again_that_its_helper_gives_back(step, event):
    r = s.referral(NeedCode.SHOPPING)
    r, closed = s.told(
        r,
        (p.assigned, s.assigned(r), 1),
        (s.call_completed, s.confirmed(r), 2),
        (step, event(r, r.needs[0].need_id), 3),
    )
    assert not closed
    assert (r.needs[0].state, r.needs[0].owner, r.needs[0].due_at) == (
        NeedState.OPEN,
        f"hub:{s.HUB}",
        s.minutes(48 * 60 + 3),
    )


@pytest.mark.parametrize(
    ("cancelled_at", "called_at", "owner"),
    [(2, 3, VOLUNTEERS), (3, 2, f"hub:{s.HUB}")],
    ids=["before", "after"],
)
@pytest.mark.parametrize("call_first", [True, False])
def test_only_time_tells_whether_a_task_was_cancelled_before_the_call(
    cancelled_at: int, called_at: int, owner: str, call_first: bool
):
    # neither event names the other, because neither topic's writer has read it: their ids are the same in both stories
    r = s.referral(NeedCode.SHOPPING)
    r, _ = s.told(r, (p.assigned, s.assigned(r), 1))
    cancelled = s.task(m.TaskCancelled, r, r.needs[0].need_id, vocabulary.TaskKind.SHOPPING)
    heard = [(s.call_completed, s.confirmed(r), called_at), (p.task_cancelled, cancelled, cancelled_at)]
    r, _ = s.told(r, *(heard if call_first else reversed(heard)))
    assert r.needs[0].owner == owner


def test_need_declined_before_the_assignment_goes_to_the_hub_later():
    r = s.referral(NeedCode.HOUSING)
    r, _ = s.told(
        r,
        (p.escalation_declined, s.escalation(m.EscalationDeclined, r, r.needs[0].need_id), 5),
        (p.assigned, s.assigned(r), 1),
    )
    assert r.needs[0].owner == f"hub:{s.HUB}"


def test_volunteers_concern_reopens_a_closed_referral():
    r = s.referral(NeedCode.SHOPPING)
    done = s.task(m.TaskCompleted, r, r.needs[0].need_id, vocabulary.TaskKind.SHOPPING)
    r, closed = s.told(r, (s.call_completed, s.confirmed(r), 1), (p.task_completed, done, 2))
    assert len(closed) == 1
    concern = uuid4()
    opened = s.escalation(m.EscalationOpened, r, concern, code=NeedCode.SAFEGUARDING_ADULT)
    r, [reopened] = s.told(r, (p.escalation_opened, opened, 3))
    assert (r.state, r.outcome, r.owner) == (ReferralState.BEING_HELPED, None, COMMUNITY_SOLUTIONS)
    assert reopened == m.ReferralReopened(
        referral_id=r.referral_id,
        priority=r.priority,
        needs=(m.Need(need_id=concern, code=NeedCode.SAFEGUARDING_ADULT, lane=m.Lane.SAFEGUARDING),),
        reopened_at=s.minutes(3),
    )
    accepted = s.escalation(m.EscalationAccepted, r, concern, code=NeedCode.SAFEGUARDING_ADULT)
    r, [closed] = s.told(r, (p.escalation_accepted, accepted, 4))
    assert closed.outcome == ReferralOutcome.PARTLY_HELPED


def test_referral_waits_for_a_call_that_comes_after_its_task():
    r = s.referral(NeedCode.SHOPPING)
    found = uuid4()
    need = r.needs[0]
    done = s.task(m.TaskCompleted, r, need.need_id, vocabulary.TaskKind.SHOPPING)
    r, closed = s.told(r, (p.task_completed, done, 9))
    assert not closed
    call = s.called(
        r,
        (need.need_id, need.code, m.CallNeedResult.CONFIRMED),
        (found, NeedCode.FOOD_PARCEL, m.CallNeedResult.FOUND),
    )
    r, closed = s.told(r, (s.call_completed, call, 3))
    assert not closed
    assert [n.state for n in r.needs] == [NeedState.MET, NeedState.IN_HAND]


def test_event_heard_twice_changes_nothing():
    r = s.referral(NeedCode.SHOPPING, NeedCode.FOOD_PARCEL, NeedCode.HOUSING)
    shopping, food, housing = (n.need_id for n in r.needs)
    for step, event in [
        (p.assigned, s.assigned(r)),
        (p.call_unanswered, s.unanswered(r)),
        (s.call_completed, s.confirmed(r)),
        (p.task_opened, s.task(m.TaskOpened, r, shopping, vocabulary.TaskKind.SHOPPING)),
        (p.parcel_requested, s.parcel(m.ParcelRequested, r, food)),
        (p.parcel_short, s.parcel(m.ParcelShort, r, food)),
        (p.parcel_packed, s.parcel(m.ParcelPacked, r, food)),
        (p.parcel_returned, s.parcel(m.ParcelReturned, r, food)),
        (p.escalation_opened, s.escalation(m.EscalationOpened, r, housing)),
        (p.escalation_acknowledged, s.escalation(m.EscalationAcknowledged, r, housing)),
        (p.escalation_overdue, s.escalation(m.EscalationOverdue, r, housing)),
        (p.escalation_declined, s.escalation(m.EscalationDeclined, r, housing)),
        (p.escalation_accepted, s.escalation(m.EscalationAccepted, r, housing)),
        (p.escalation_closed, s.escalation(m.EscalationClosed, r, housing)),
        (p.task_completed, s.task(m.TaskCompleted, r, shopping, vocabulary.TaskKind.SHOPPING)),
        (p.task_cancelled, s.task(m.TaskCancelled, r, shopping, vocabulary.TaskKind.SHOPPING)),
        (p.parcel_delivered, s.parcel(m.ParcelDelivered, r, food)),
        (p.parcel_cancelled, s.parcel(m.ParcelCancelled, r, food)),
    ]:
        once, _ = s.told(r, (step, event, 5))
        twice, closed = s.told(once, (step, event, 5))
        assert twice == once, step.__name__
        assert not closed
        r = once
    assert r.state is ReferralState.CLOSED


def test_referral_without_needs_has_an_owner_and_a_time():
    r = s.referral()
    assert (r.owner, r.due_at) == (ROUTING, s.minutes(60))
    r, _ = s.told(r, (p.assigned, s.assigned(r), 1))
    assert (r.owner, r.due_at) == (f"hub:{s.HUB}", r.contact_due_at)
    r, [closed] = s.told(r, (s.call_completed, s.called(r), 2))
    assert closed.outcome == ReferralOutcome.DECLINED


def test_held_call_waits_at_the_hub_until_a_person_must_have_looked():
    r = s.referral(NeedCode.SHOPPING)
    r, turns = s.told(r, (p.assigned, s.assigned(r), 1), (p.call_held, s.held(r, "no-consent"), 2))
    assert not turns
    assert (r.needs[0].owner, r.needs[0].due_at) == (f"hub:{s.HUB}", s.minutes(300))
    assert (r.owner, r.due_at) == (f"hub:{s.HUB}", s.minutes(300))


def test_reopened_call_opens_a_referral_that_closed_by_a_slip():
    r = s.referral(NeedCode.SHOPPING)
    need = r.needs[0]
    no = s.called(r, (need.need_id, need.code, m.CallNeedResult.DECLINED))
    r, [closed] = s.told(r, (p.assigned, s.assigned(r), 1), (s.call_completed, no, 2))
    assert isinstance(closed, m.ReferralClosed)
    r, [opened] = s.told(r, (p.call_reopened, s.reopened(r), 3))
    assert isinstance(opened, m.ReferralReopened)
    assert (r.state, r.owner, r.due_at) == (ReferralState.ASSIGNED, f"hub:{s.HUB}", s.minutes(400))
    again = s.called(r, (uuid4(), need.code, m.CallNeedResult.DECLINED))
    r, [closed] = s.told(r, (s.call_completed, again, 4))
    assert (r.state, closed.outcome) == (ReferralState.CLOSED, ReferralOutcome.DECLINED)


def test_referral_stays_open_until_the_reopened_call_was_made():
    r = s.referral(NeedCode.SHOPPING)
    task = s.task(m.TaskCompleted, r, r.needs[0].need_id, vocabulary.TaskKind.SHOPPING)
    r, turns = s.told(
        r,
        (p.assigned, s.assigned(r), 1),
        (s.call_completed, s.confirmed(r), 2),
        (p.call_reopened, s.reopened(r), 3),
        (p.task_completed, task, 4),
    )
    assert not turns
    assert (r.owner, r.due_at) == (f"hub:{s.HUB}", s.minutes(400))
    _, [closed] = s.told(r, (s.call_completed, s.called(r), 5))
    assert closed.outcome == ReferralOutcome.HELPED


def test_reopened_call_opens_nothing_that_was_withdrawn():
    r = withdraw(s.referral(NeedCode.SHOPPING), "no-longer-needed", s.minutes(1)).state
    r, turns = s.told(r, (p.call_reopened, s.reopened(r), 2))
    assert (r.state, turns) == (ReferralState.CLOSED, [])


@pytest.mark.parametrize(
    ("stopped_by", "owner"), [(None, VOLUNTEERS), ("no-check", f"hub:{s.HUB}"), ("deceased", f"hub:{s.HUB}")]
)
def test_need_follows_its_changed_task(stopped_by: str | None, owner: str):
    r = s.referral(NeedCode.SHOPPING)
    need_id = r.needs[0].need_id
    opened = s.task(m.TaskOpened, r, need_id, vocabulary.TaskKind.SHOPPING)
    sooner = {"due_at": s.minutes(500), "stopped_by": stopped_by}
    changed = s.task(m.TaskChanged, r, need_id, vocabulary.TaskKind.SHOPPING, **sooner)
    r, _ = s.told(r, (p.task_opened, opened, 1), (p.task_changed, changed, 2))
    assert (r.needs[0].owner, r.needs[0].due_at) == (owner, s.minutes(500))
