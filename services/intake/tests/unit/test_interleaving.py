"""Events of different topics come in any order: whatever the order, the end is the same, and it comes once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))  # intake_story.py is shared by the tests of this folder

import intake_story as s

from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.vocabulary import NeedCode
from bdcan_intake.domain import progress as p
from bdcan_intake.domain.referral import Referral, ReferralState

Line = tuple[str, Any, Any]  # topic and key, step, event


def story_of(r: Referral, found: bool, triage: bool, rings: int, stock: bool, declined: bool) -> list[Line]:
    """A whole referral in the order in which its events were made."""
    shopping, food, housing = (n.need_id for n in r.needs)
    extra = uuid5(r.referral_id, "found")
    said = [(n.need_id, n.code, m.CallNeedResult.CONFIRMED) for n in r.needs]
    if found:
        said.append((extra, NeedCode.ERRAND, m.CallNeedResult.FOUND))
    lines: list[Line] = []
    if triage:
        lines.append(("assignments", p.held_for_triage, s.triage(r, 1)))
    lines.append(("assignments", p.assigned, s.assigned(r, 2)))
    lines += [("calls", p.call_unanswered, s.unanswered(r, 100 + i)) for i in range(rings)]
    lines.append(("calls", s.call_completed, s.called(r, *said)))
    lines.append(("shopping", p.task_opened, s.task(m.TaskOpened, r, shopping, vocabulary.TaskKind.SHOPPING)))
    lines.append(("food", p.parcel_requested, s.parcel(m.ParcelRequested, r, food)))
    lines.append(("housing", p.escalation_opened, s.escalation(m.EscalationOpened, r, housing)))
    if found:
        lines.append(("errand", p.task_opened, s.task(m.TaskOpened, r, extra, vocabulary.TaskKind.ERRAND)))
    if stock:
        lines.append(("food", p.parcel_short, s.parcel(m.ParcelShort, r, food)))
    lines.append(("food", p.parcel_packed, s.parcel(m.ParcelPacked, r, food)))
    lines.append(
        ("shopping", p.task_completed, s.task(m.TaskCompleted, r, shopping, vocabulary.TaskKind.SHOPPING))
    )
    if declined:
        lines.append(("housing", p.escalation_declined, s.escalation(m.EscalationDeclined, r, housing)))
        again = s.called(r, (housing, NeedCode.HOUSING, m.CallNeedResult.DECLINED))
        lines.append(("calls", s.call_completed, again))
    else:
        lines.append(
            ("housing", p.escalation_acknowledged, s.escalation(m.EscalationAcknowledged, r, housing))
        )
        lines.append(("housing", p.escalation_accepted, s.escalation(m.EscalationAccepted, r, housing)))
    if found:
        lines.append(
            ("errand", p.task_completed, s.task(m.TaskCompleted, r, extra, vocabulary.TaskKind.ERRAND))
        )
    lines.append(("food", p.parcel_delivered, s.parcel(m.ParcelDelivered, r, food)))
    return lines


def draw_story(data: st.DataObject) -> tuple[Referral, list[Line], list[tuple[Any, Any, float]]]:
    r = s.referral(NeedCode.SHOPPING, NeedCode.FOOD_PARCEL, NeedCode.HOUSING)
    yes_or_no = st.booleans()
    lines = story_of(
        r,
        found=data.draw(yes_or_no),
        triage=data.draw(yes_or_no),
        rings=data.draw(st.integers(0, 3)),
        stock=data.draw(yes_or_no),
        declined=data.draw(yes_or_no),
    )
    return r, lines, [(step, event, minute) for minute, (_, step, event) in enumerate(lines, start=1)]


def draw_order(data: st.DataObject, lines: list[Line]) -> list[int]:
    """Any order that keeps each topic's own."""
    queues: dict[str, list[int]] = {}
    for place, (topic, _, _) in enumerate(lines):
        queues.setdefault(topic, []).append(place)
    order = []
    while queues:
        topic = data.draw(st.sampled_from(sorted(queues)))
        order.append(queues[topic].pop(0))
        if not queues[topic]:
            del queues[topic]
    return order


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_interleaving_of_topics_ends_the_same_once(data: st.DataObject):
    r, lines, timed = draw_story(data)
    expected, [_] = s.told(r, *timed)
    closings = []
    for place in draw_order(data, lines):
        r, closed = s.told(r, timed[place])
        closings += closed
        if r.state is not ReferralState.CLOSED:
            assert r.owner
            assert r.due_at
    assert r.state is ReferralState.CLOSED
    assert len(closings) == 1, "it closed before its last need was done"
    assert {n.need_id: n.state for n in r.needs} == {n.need_id: n.state for n in expected.needs}
    assert (r.outcome, r.hub_id) == (expected.outcome, expected.hub_id)
    assert all(n.ended for n in r.needs)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_interleaving_gives_the_owners_and_times_of_its_moment(
    data: st.DataObject,
):
    r, lines, timed = draw_story(data)
    until = data.draw(st.integers(1, len(lines)))
    expected, _ = s.told(r, *timed[:until])
    actual, _ = s.told(r, *(timed[place] for place in draw_order(data, lines[:until])))
    assert _standing(actual) == _standing(expected)


def _standing(r: Referral) -> dict[Any, Any]:
    return {n.need_id: (n.code, n.state, n.owner, n.due_at) for n in r.needs}
