"""What adds up to an outcome, who is alike, and what says that a resident died."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import intake_story as s
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bdcan_contracts.inbound.submission import Person, flags_for, says_deceased, tidy_person
from bdcan_contracts.models import Lane, NeedState
from bdcan_contracts.vocabulary import Flag, ReferralOutcome
from bdcan_intake.domain.likeness import Likeness, alike, keys
from bdcan_intake.domain.referral import PARTLY, TERMINAL, Need, outcome_of

ENDS = st.sampled_from(sorted(TERMINAL))


@given(st.lists(st.tuples(ENDS, st.sampled_from([None, PARTLY])), max_size=5))
def test_outcomes_add_up(ends: list[tuple[NeedState, str | None]]):
    r = s.referral()
    needs = tuple(
        Need(r.referral_id, uuid4(), "debt", Lane.COMPLEX, state, None, None, s.T0, 0, reason)
        for state, reason in ends
    )
    wanted = {state for state, _ in ends} - {NeedState.WITHDRAWN}
    outcome = outcome_of(replace(r, needs=needs))
    whole = all(reason is None for state, reason in ends if state is NeedState.MET)
    assert (outcome == ReferralOutcome.HELPED) == (wanted == {NeedState.MET} and whole)
    assert (outcome == ReferralOutcome.DECLINED) == (not wanted)
    some = NeedState.MET in wanted and outcome != ReferralOutcome.HELPED
    assert (outcome == ReferralOutcome.PARTLY_HELPED) == some
    assert (outcome == ReferralOutcome.REFERRED_ON) == (
        NeedState.REFERRED_ON in wanted and NeedState.MET not in wanted
    )


def person(**known: object) -> Person:
    return tidy_person(Person(**known), date(2020, 3, 23))  # pyright: ignore[reportArgumentType] # any field


AMINA = {
    "name": "Amina Example",
    "phone": "07700 900417",
    "address": "Flat 2, 10 Heath Rd",
    "postcode": "RM10 8XX",
}


@pytest.mark.parametrize(
    ("other", "likeness"),
    [
        ({"name": "EXAMPLE, Mrs Amina", "phone": "+44 7700 900417"}, Likeness.PERSON),
        ({"name": "A Example", "postcode": "rm108xx"}, Likeness.PERSON),
        (
            {"name": "Omar Other", "address": "10 Heath Road (flat 2)", "postcode": "RM10 8XX"},
            Likeness.HOUSEHOLD,
        ),
        ({"name": "Omar Example", "postcode": "RM10 8XX"}, Likeness.HOUSEHOLD),
        ({"name": "Omar Example", "address": "12 Heath Road", "postcode": "RM10 8XX"}, None),
        ({"name": "Amina Example"}, None),
        ({}, None),
    ],
)
def test_people_are_alike_as_a_clerk_would_say(other: dict[str, str], likeness: Likeness | None):
    one, two = person(**AMINA), person(**other)
    assert alike(one, two) is alike(two, one) is likeness
    if likeness:
        assert set(keys(one)) & set(keys(two))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("DECEASED", True),
        ("Daughter says he has died", True),
        ("Patient passed away on Monday", True),
        ("her husband has died, needs food", False),
        ("deceased husband's pension", False),
        ("Mother passed away", False),
        ("Ring after ten.", False),
    ],
)
def test_text_says_that_the_resident_died(text: str, says: bool):
    assert says_deceased(text) is says


def test_flags_that_stop_calls_come_first():
    flags = flags_for(person(**AMINA), ["lives-alone"], False, deceased=True)
    assert set(flags[:2]) == {Flag.DECEASED, Flag.NO_CONSENT}
    assert "no-consent" not in flags_for(person(**AMINA), flags, True)
