"""What whoever referred is told: considerate words, one receipt for each change, and less where somebody is at risk."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))  # intake_story.py is shared by the tests of this folder

import intake_story as s
from msgspec.structs import replace
from test_interleaving import draw_order, draw_story

from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.vocabulary import Flag, NeedCode, ReferralOutcome
from bdcan_intake.domain import changes, rights
from bdcan_intake.domain import progress as p
from bdcan_intake.domain.news import News, news_of, receipt
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.submission import Resident

Receipt = m.InboundReferralProgressed | m.InboundReferralClosed


def sent(*codes: str, reference: str = "RS-1") -> Referral:
    """A referral of an upstream system."""
    return replace(s.referral(*codes), reference=reference, told_reference=reference)


def heard(r: Referral, *steps: tuple[Any, Any, float]) -> tuple[Referral, list[Receipt]]:
    """Follow the events; returns the referral, and what its sender is told."""
    receipts: list[Receipt] = []
    for decide, body, minute in steps:
        after, _ = s.told(r, (decide, body, minute))
        if told := receipt(r, after, s.minutes(minute)):
            receipts.append(told)
        r = after
    return r, receipts


def need_of(r: Referral, code: str) -> Any:
    return next(n.need_id for n in r.needs if n.code == code)


def states(receipts: list[Receipt]) -> list[str]:
    return [one.state if isinstance(one, m.InboundReferralProgressed) else "closed" for one in receipts]


def shopped(r: Referral) -> list[tuple[Any, Any, float]]:
    need = need_of(r, NeedCode.SHOPPING)
    kind = vocabulary.TaskKind.SHOPPING
    return [
        (p.assigned, s.assigned(r), 1),
        (p.call_unanswered, s.unanswered(r), 2),
        (s.call_completed, s.confirmed(r), 3),
        (p.task_opened, s.task(m.TaskOpened, r, need, kind), 4),
        (p.task_completed, s.task(m.TaskCompleted, r, need, kind), 5),
    ]


def test_sender_hears_of_each_step_once_and_of_the_end():
    r = sent(NeedCode.SHOPPING)
    r, receipts = heard(r, *shopped(r))
    assert states(receipts) == ["assigned", "in-contact", "being-helped", "closed"]
    assert [one.needs[0].words for one in receipts] == [
        "Somebody will ask them about this.",
        "A volunteer will shop for them.",
        "A volunteer will shop for them.",
        "Somebody has shopped for them.",
    ]
    end = receipts[-1]
    assert isinstance(end, m.InboundReferralClosed)
    assert (end.reference, end.outcome, end.correction) == ("RS-1", "helped", False)
    assert end.closed_at == s.minutes(5)


def test_another_hub_is_no_news():
    r = sent(NeedCode.SHOPPING)
    _, receipts = heard(r, (p.assigned, s.assigned(r), 1), (p.assigned, s.assigned(r, 2, "new-hub"), 2))
    assert states(receipts) == ["assigned"]


def test_event_that_comes_again_is_no_news():
    r = sent(NeedCode.SHOPPING)
    steps = [line for line in shopped(r) for _ in range(2)]
    assert states(heard(r, *steps)[1]) == ["assigned", "in-contact", "being-helped", "closed"]


def test_sender_hears_how_often_nobody_was_reached():
    r = sent(NeedCode.SHOPPING)
    _, receipts = heard(r, (p.assigned, s.assigned(r), 1), (s.call_exhausted, s.exhausted(r), 2))
    assert states(receipts) == ["assigned", "waiting-for-council"]
    assert receipts[-1].words == "We could not reach them after 4 tries. The council has been asked to look."
    assert receipts[-1].needs[0].words == "The council has been asked about this."


def test_one_try_is_told_in_the_singular():
    r = sent()
    once = s.exhausted(r, m.Need(need_id=r.referral_id, code=NeedCode.SOCIAL_CARE, lane=m.Lane.COMPLEX))
    _, [told] = heard(r, (s.call_exhausted, once.model_copy(update={"attempts": 1}), 2))
    assert told.words.startswith("We could not reach them after one try.")
    assert told.needs == ()


def test_volunteer_and_food_parcel_are_told_apart():
    r = sent(NeedCode.FOOD_PARCEL, NeedCode.PRESCRIPTION)
    _, receipts = heard(r, (s.call_completed, s.confirmed(r), 1))
    assert [n.words for n in receipts[-1].needs] == [
        "A food parcel is being prepared for them.",
        "A volunteer will fetch their prescription.",
    ]


@pytest.mark.parametrize("code", [code for code in NeedCode if p.HELPER[vocabulary.NEEDS[code].lane]])
def test_each_known_need_has_words_of_its_own_or_none(code: str):
    r = sent(code)
    r, _ = heard(r, (s.call_completed, s.confirmed(r), 1))
    told = news_of(r).needs
    if vocabulary.NEEDS[code].lane in {m.Lane.COMPLEX, m.Lane.SAFEGUARDING}:
        assert told == ()
    else:
        assert told[0].words not in {"A volunteer will help them.", "Supplies are being prepared for them."}


@pytest.mark.parametrize(
    ("lane", "words"),
    [
        (m.Lane.FOOD, "Supplies are being prepared for them."),
        (m.Lane.COMMUNITY, "A volunteer will help them."),
    ],
)
def test_need_of_tomorrow_has_the_words_of_its_lane(lane: m.Lane, words: str):
    r = sent(NeedCode.SHOPPING)
    r = replace(r, needs=(replace(r.needs[0], code="easter-eggs", lane=lane, state=m.NeedState.IN_HAND),))
    assert news_of(r).needs[0].words == words


def test_declined_need_and_no_help_wanted_are_told_kindly():
    r = sent(NeedCode.SHOPPING)
    said = s.called(r, (r.needs[0].need_id, NeedCode.SHOPPING, m.CallNeedResult.DECLINED))
    _, [end] = heard(r, (s.call_completed, said, 1))
    assert isinstance(end, m.InboundReferralClosed)
    assert (end.outcome, end.needs[0].words) == ("declined", "They told us that they do not need this.")
    assert "want" in end.words


def test_home_outside_the_borough_is_told_with_what_to_do():
    r = sent(NeedCode.SHOPPING)
    _, [end] = heard(r, (p.out_of_area, s.out_of_area(r), 1))
    assert isinstance(end, m.InboundReferralClosed)
    assert end.outcome == ReferralOutcome.OUT_OF_AREA
    assert "their own council" in end.words


def test_withdrawal_by_anybody_is_told():
    r = sent(NeedCode.SHOPPING)
    after = changes.withdraw(r, "moved-away", s.minutes(1)).state
    end = receipt(r, after, s.minutes(1))
    assert isinstance(end, m.InboundReferralClosed)
    assert (end.outcome, end.needs[0].words) == ("withdrawn", "This was withdrawn.")


def test_reopened_referral_is_told_and_closes_again():
    r = sent(NeedCode.SHOPPING)
    kind, need = vocabulary.TaskKind.SHOPPING, need_of(r, NeedCode.SHOPPING)
    again = (p.task_reopened, s.task(m.TaskReopened, r, need, kind, reason="slip", reopened_at=s.T0), 6)
    done = (p.task_completed, s.task(m.TaskCompleted, r, need, kind), 7)
    _, receipts = heard(r, *shopped(r), again, done)
    assert states(receipts)[-3:] == ["closed", "reopened", "closed"]
    assert [r.correction for r in receipts if isinstance(r, m.InboundReferralClosed)] == [False, False]


def test_end_that_turns_out_better_is_corrected():
    r = sent(NeedCode.SHOPPING)
    need = r.needs[0].need_id
    steps = (
        (s.call_exhausted, s.exhausted(r), 1),
        (p.escalation_accepted, s.escalation(m.EscalationAccepted, r, need, code=NeedCode.SHOPPING), 2),
        (p.escalation_closed, s.escalation(m.EscalationClosed, r, need, code=NeedCode.SHOPPING), 3),
    )
    _, [_, end, better] = heard(r, *steps)
    assert isinstance(end, m.InboundReferralClosed)
    assert isinstance(better, m.InboundReferralClosed)
    assert (end.outcome, end.correction) == ("referred-on", False)
    assert (better.outcome, better.correction) == ("helped", True)


def test_no_telephone_call_is_promised_where_nobody_may_ring():
    r = replace(sent(NeedCode.SHOPPING), flags=(Flag.NO_CONSENT,))
    _, [told] = heard(r, (p.assigned, s.assigned(r), 1))
    assert told.words == "A local hub has your referral and is looking at it."
    assert told.needs[0].words == "The hub is looking at this."


def test_nothing_is_told_after_an_erasure_or_of_a_referral_without_a_name():
    r = sent(NeedCode.SHOPPING)
    erased = rights.person_erased(r, s.T0).state
    assert heard(erased, *shopped(r))[1] == []
    assert heard(replace(r, told_reference=None), *shopped(r))[1] == []


# --- needs that others may not know of


def test_referral_for_safeguarding_is_only_passed_to_the_right_team():
    r = replace(sent(NeedCode.FOOD_PARCEL, NeedCode.DOMESTIC_ABUSE), guarded=True)
    food, abuse = (n.need_id for n in r.needs)
    at_risk = {"code": NeedCode.DOMESTIC_ABUSE, "kind": m.EscalationKind.SAFEGUARDING}
    _, receipts = heard(
        r,
        (p.escalation_opened, s.escalation(m.EscalationOpened, r, abuse, **at_risk), 1),
        (p.assigned, s.assigned(r), 2),
        (s.call_completed, s.confirmed(r), 3),
        (p.escalation_accepted, s.escalation(m.EscalationAccepted, r, abuse, **at_risk), 4),
        (p.parcel_requested, s.parcel(m.ParcelRequested, r, food), 5),
        (p.parcel_delivered, s.parcel(m.ParcelDelivered, r, food), 6),
    )
    assert states(receipts) == ["passed-on", "closed"]
    assert {one.needs for one in receipts} == {()}
    assert isinstance(receipts[-1], m.InboundReferralClosed)
    assert receipts[-1].outcome is None
    assert "right team" in receipts[0].words


def test_hub_of_a_withdrawn_safeguarding_referral_is_not_mentioned():
    r = replace(sent(NeedCode.DOMESTIC_ABUSE), guarded=True)
    after = changes.withdraw(r, "made-in-error", s.minutes(1)).state
    told = receipt(r, after, s.minutes(1))
    assert told is not None
    assert "withdr" not in told.model_dump_json()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_concern_that_somebody_else_raises_shows_in_no_receipt(data: st.DataObject):
    """The same story with a concern in it, whenever it is raised, has the same receipts."""
    r, lines, timed = draw_story(data)
    r = replace(r, reference="RS-1", told_reference="RS-1")
    order = draw_order(data, lines)
    _, expected = heard(r, *(timed[place] for place in order))
    concern = s.escalation(
        m.EscalationOpened,
        r,
        s.uuid5(r.referral_id, "concern"),
        code=NeedCode.SAFEGUARDING_ADULT,
        kind=m.EscalationKind.SAFEGUARDING,
    )
    accepted = s.escalation(
        m.EscalationAccepted,
        r,
        s.uuid5(r.referral_id, "concern"),
        code=NeedCode.SAFEGUARDING_ADULT,
        kind=m.EscalationKind.SAFEGUARDING,
    )
    steps: list[Any] = [timed[place] for place in order]
    raised = data.draw(st.integers(0, len(steps)))
    steps.insert(raised, (p.escalation_opened, concern, 50))
    if data.draw(st.booleans()):
        over = data.draw(st.integers(raised + 1, len(steps)))
        steps.insert(over, (p.escalation_accepted, accepted, 60))
    _, receipts = heard(r, *steps)
    assert receipts == expected


def test_complex_need_is_told_without_its_name():
    r = sent(NeedCode.SHOPPING, NeedCode.DEBT)
    debt, need = need_of(r, NeedCode.DEBT), need_of(r, NeedCode.SHOPPING)
    kind = vocabulary.TaskKind.SHOPPING
    _, receipts = heard(
        r,
        *shopped(r)[:4],
        (p.task_completed, s.task(m.TaskCompleted, r, need, kind), 5),
        (p.escalation_accepted, s.escalation(m.EscalationAccepted, r, debt, code=NeedCode.DEBT), 6),
    )
    assert states(receipts) == ["assigned", "in-contact", "being-helped", "passed-on", "closed"]
    text = "".join(one.model_dump_json() for one in receipts)
    assert not any(word in text for word in ("debt", "complex", "community-solutions", "Community Sol"))
    end = receipts[-1]
    assert isinstance(end, m.InboundReferralClosed)
    assert end.outcome == "helped"
    assert "right team" in end.words


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_each_end_has_one_receipt_in_any_order_of_topics(data: st.DataObject):
    r, lines, timed = draw_story(data)
    r = replace(r, reference="RS-1", told_reference="RS-1")
    _, receipts = heard(r, *(timed[place] for place in draw_order(data, lines)))
    ends = [one for one in receipts if isinstance(one, m.InboundReferralClosed)]
    assert receipts[-1] is ends[-1]
    assert len([one for one in ends if not one.correction]) == 1
    assert all(
        a.model_dump(exclude={"changed_at"}) != b.model_dump(exclude={"changed_at"})
        for a, b in pairwise(receipts)
    )


def test_news_of_a_new_referral_says_that_it_is_here():
    assert news_of(sent(NeedCode.SHOPPING)) == News(
        "received",
        "We have your referral and are finding the local hub that will help.",
        needs=news_of(sent(NeedCode.SHOPPING)).needs,
    )


def test_amendment_of_a_detail_is_no_news():
    r = sent(NeedCode.SHOPPING)
    resident = Resident(referral_id=r.referral_id, notes=None, consent=None, content_hash=b"x")
    step = changes.amend(r, resident, changes.Amendment(notes="Ring twice."), s.uuid4, s.minutes(1))
    assert receipt(r, step.state, s.minutes(1)) is None
