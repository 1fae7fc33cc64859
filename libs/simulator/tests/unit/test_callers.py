"""What a caller reports: of an allergy that the desk knows, and of a need that Community Solutions gave back."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bdcan_chassis.clock import SystemClock
from bdcan_simulator.borough import Borough, Reach
from bdcan_simulator.callers import Callers, _given_back
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.postcodes import MadeUpPostcodes


@pytest.mark.parametrize("rang", [False, True])
def test_a_call_does_not_take_back_an_allergy_that_the_desk_was_told(rang: bool):
    ledger = Ledger(run="r1")
    ledger.enter(Borough(11, MadeUpPostcodes()).residents(200))
    submission = next(
        s
        for s in ledger.submissions.values()
        if s.resident.diets
        and s.resident.answers.reach is Reach.ANSWERS
        and not s.resident.answers.wants_no_help
    )
    if rang:
        ledger.allergies.add("referral-1")
    callers = Callers(cast("Any", None), ledger, cast("Any", None), SystemClock())
    report = callers._talk(submission, {"referral_id": "referral-1", "needs": [], "linked": []})
    assert report["outcome"] == "answered"
    assert ("diets" in report) is not rang


def test_returned_safeguarding_is_handed_over_again_and_other_needs_are_not():
    asked = [
        {"need_id": "a", "code": "safeguarding-child", "lane": "safeguarding"},
        {"need_id": "b", "code": "debt", "lane": "complex"},
    ]
    told = [_given_back(f"referral-{n}", asked) for n in range(40)]
    assert {(needs[0]["code"], needs[0]["result"]) for needs in told} == {("safeguarding-child", "confirmed")}
    assert {(needs[1]["code"], needs[1]["result"]) for needs in told} == {
        ("debt", "declined"),
        ("befriending-call", "changed"),
    }
    assert all([need["need_id"] for need in needs] == ["a", "b"] for needs in told)
