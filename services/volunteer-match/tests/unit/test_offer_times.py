"""Offers and the night: nobody has to answer while they sleep, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from volunteer_match_story import CALENDAR, helper, packed

from bdcan_volunteer_match.domain.task import OFFER_FOR, for_parcel, offer, offer_ends, refuse, undo_report

FIRST, LAST = CALENDAR.calling_hours


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CALENDAR.zone).astimezone(UTC)  # type: ignore[misc, arg-type]


def test_an_offer_of_the_day_lasts_two_hours() -> None:
    assert offer_ends(local(2020, 3, 23, 10), CALENDAR) == local(2020, 3, 23, 12)


@pytest.mark.parametrize(
    ("evening", "morning"),
    [
        ((2020, 3, 23), (2020, 3, 24)),
        ((2020, 3, 28), (2020, 3, 29)),  # the clocks go forward
        ((2020, 10, 24), (2020, 10, 25)),  # the clocks go back
    ],
)
def test_an_offer_of_the_night_runs_from_the_morning(
    evening: tuple[int, int, int], morning: tuple[int, int, int]
) -> None:
    opens = local(*morning, FIRST.hour, FIRST.minute)
    assert offer_ends(local(*evening, 23, 30), CALENDAR) == opens + OFFER_FOR
    assert offer_ends(local(*morning, 1, 30), CALENDAR) == opens + OFFER_FOR


def test_what_an_offer_of_the_evening_has_left_runs_from_the_morning() -> None:
    closes = local(2020, 3, 23, LAST.hour, LAST.minute)
    opens = local(2020, 3, 24, FIRST.hour, FIRST.minute)
    half = timedelta(minutes=30)
    assert offer_ends(closes - half, CALENDAR) == opens + OFFER_FOR - half


@given(st.integers(0, 366 * 24 * 60).map(lambda m: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=m)))
def test_no_offer_ends_at_night_and_each_gives_its_time(now: datetime) -> None:
    ends = offer_ends(now, CALENDAR)
    assert CALENDAR.may_ring(ends - timedelta(seconds=1))
    assert ends - now >= OFFER_FOR


def test_offer_that_is_back_after_a_slip_runs_in_calling_hours_as_well() -> None:
    evening = local(2020, 3, 23, LAST.hour, LAST.minute) - timedelta(minutes=10)
    opened = for_parcel(None, None, packed(uuid4()), evening)
    assert opened is not None
    who = helper(hub_ids=(opened.state.hub_id,))
    refused = refuse(offer(opened.state, who, evening, CALENDAR).state, who.volunteer_id, evening)
    late = evening + timedelta(minutes=20)
    back = undo_report(refused.state, who, late, CALENDAR).state
    assert back.offer_expires_at == offer_ends(late, CALENDAR)
    assert back.deadline_at == back.offer_expires_at
