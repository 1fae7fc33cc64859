"""What a volunteer says about themselves: what is refused, what follows from it, and what remains of it."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from volunteer_match_story import helper

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import VolunteerActivated, VolunteerLeft
from bdcan_contracts.vocabulary import Travel
from bdcan_volunteer_match.domain.errors import NotAllowedError, ProfileError
from bdcan_volunteer_match.domain.profile import Profile, Slot, checked, has_time, language
from bdcan_volunteer_match.domain.volunteer import (
    Volunteer,
    VolunteerState,
    describe,
    go_off_duty,
    go_on_duty,
    leave,
)

MORNING = Slot(1, time(9), time(12))


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"postcode": "RM10"}, ["postcode"]),
        ({"travels": "hovercraft"}, ["travels"]),
        ({"travels": "bicycle", "has_car": True}, ["has_car"]),
        ({"radius_m": 0}, ["radius_m"]),
        ({"radius_m": 30_001}, ["radius_m"]),
        ({"weekly_offers": 0}, ["weekly_offers"]),
        ({"weekly_offers": 51}, ["weekly_offers"]),
        ({"languages": ("bn", "xx", "klingon speak")}, ["languages.1", "languages.2"]),
        ({"cautions": ("no-stairs", "hates-mondays")}, ["cautions.1"]),
        ({"availability": (Slot(0, time(9), time(12)),)}, ["availability.0.weekday"]),
        ({"availability": (Slot(1, time(22), time(2)),)}, ["availability.0.ends"]),
        ({"availability": (MORNING, Slot(1, time(11), time(13)))}, ["availability.1"]),
    ],
)
def test_what_cannot_be_so_is_refused_by_field(said: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(ProfileError) as refused:
        checked(Profile(**said))
    assert [problem.field for problem in refused.value.errors] == fields


def test_no_offers_at_all_is_a_pause() -> None:
    with pytest.raises(ProfileError) as refused:
        checked(Profile(weekly_offers=0))
    assert "record a pause" in refused.value.errors[0].message


def test_slots_that_touch_do_not_overlap() -> None:
    said = checked(Profile(availability=(Slot(1, time(12), time(13)), MORNING, Slot(2, time(9), time(12)))))
    assert said.availability == (MORNING, Slot(1, time(12), time(13)), Slot(2, time(9), time(12)))


@pytest.mark.parametrize(("typed", "code"), [("bn", "bn"), ("ben", "bn"), ("BN-gb", "bn"), ("und", None)])
def test_language_is_read_by_its_code(typed: str, code: str | None) -> None:
    assert language(typed) == code


@given(st.text(max_size=35))
def test_any_text_for_a_language_is_read_or_refused(typed: str) -> None:
    code = language(typed)
    assert code is None or language(code) == code


def test_somebody_without_slots_always_has_time() -> None:
    monday = datetime(2020, 3, 23, 11, 59, tzinfo=UTC)
    assert has_time((), monday)
    assert has_time([MORNING], monday)
    assert not has_time([MORNING], monday.replace(hour=12))
    assert not has_time([MORNING], monday.replace(day=24))


@pytest.mark.parametrize(
    ("was", "said", "travels", "has_car"),
    [
        (None, Profile(travels="car"), "car", True),
        ("car", Profile(travels="on-foot"), "on-foot", False),
        ("bicycle", Profile(has_car=True), "car", True),
        ("car", Profile(has_car=False), None, False),
        ("bicycle", Profile(has_car=False), "bicycle", False),
        ("car", Profile(travels=""), None, False),
        ("car", Profile(radius_m=500), "car", True),
    ],
)
def test_car_follows_from_how_somebody_travels(
    was: str | None, said: Profile, travels: str | None, has_car: bool
) -> None:
    after = describe(helper(travels=was, has_car=was == Travel.CAR), checked(said), START).state
    assert (after.travels, after.has_car) == (travels, has_car)


def test_profile_is_told_without_what_it_says() -> None:
    step = describe(helper(), checked(Profile(postcode="rm10 8xx", radius_m=500)), START)
    assert (step.state.sector, step.state.radius_m) == ("RM10 8", 500)
    (told,) = step.events
    assert isinstance(told, VolunteerActivated)
    assert "RM10" not in told.model_dump_json()
    assert describe(step.state, checked(Profile(radius_m=500)), START).events == (), "nothing changed"


def test_enquirer_may_say_more_before_they_start() -> None:
    enquirer = Volunteer(helper().volunteer_id)
    step = describe(enquirer, checked(Profile(languages=("bn", "bn"))), START)
    assert (step.state.languages, step.events) == (("bn",), ())


def test_nothing_of_a_profile_remains_when_somebody_leaves() -> None:
    full = checked(Profile("RM10 8XX", "car", None, 500, ("bn",), (MORNING,), 3, ("no-stairs",)))
    left = leave(describe(helper(), full, START).state, None, START)
    (told,) = left.events
    assert isinstance(told, VolunteerLeft)
    assert left.state == Volunteer(
        left.state.volunteer_id,
        VolunteerState.LEFT,
        version=2,
        hub_ids=left.state.hub_ids,
        task_kinds=left.state.task_kinds,
        has_car=True,
    )


def test_duty_is_switched_only_for_somebody_who_has_started() -> None:
    off = go_off_duty(helper(), START).state
    assert not off.takes_offers
    assert go_off_duty(off, START).events == ()
    assert go_on_duty(off, START).state.takes_offers
    for state, code in ((VolunteerState.PAUSED, "paused"), (VolunteerState.ENQUIRED, "not-active")):
        with pytest.raises(NotAllowedError) as refused:
            go_on_duty(helper(state=state), START)
        assert refused.value.code == code
