"""The planner is woken where it has something to offer or somebody to ask, and only there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from volunteer_match_story import CALENDAR, helper, packed

from bdcan_chassis.book import Change
from bdcan_chassis.testing.harness import START
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.books import MATCH, Tasks, Volunteers
from bdcan_volunteer_match.domain.task import (
    Task,
    accept,
    cancel,
    complete,
    fail,
    for_parcel,
    offer,
    refuse,
)
from bdcan_volunteer_match.domain.volunteer import Offering, Volunteer, activate, asked, pause

ANNA = helper()
NO_TX = cast("Any", None)  # wakes looks at nothing but the change


def woken(before: Task | None, after: Task) -> Iterable[str]:
    return tuple(Tasks(NO_TX).wakes(Change(before, after)))


def opened() -> Task:
    step = for_parcel(None, None, packed(uuid4()), START)
    assert step is not None
    return step.state


def test_a_task_that_is_open_wakes_the_planner() -> None:
    task = opened()
    offered = offer(task, ANNA, START, CALENDAR).state
    accepted = accept(offered, ANNA, START).state
    assert woken(None, task) == (MATCH,)
    assert woken(offered, refuse(offered, ANNA.volunteer_id, START).state) == (MATCH,)
    assert woken(accepted, fail(accepted, ANNA.volunteer_id, "nobody-home", START).state) == (MATCH,)


def test_a_task_that_frees_its_volunteer_wakes_the_planner() -> None:
    offered = offer(opened(), ANNA, START, CALENDAR).state
    accepted = accept(offered, ANNA, START).state
    assert woken(accepted, complete(accepted, ANNA.volunteer_id, START).state) == (MATCH,)
    assert woken(offered, cancel(offered, "referral-withdrawn", START).state) == (MATCH,)


def test_an_offer_and_its_acceptance_wake_nobody() -> None:
    task = opened()
    offered = offer(task, ANNA, START, CALENDAR).state
    assert woken(task, offered) == ()
    assert woken(offered, accept(offered, ANNA, START).state) == ()


def test_a_volunteer_who_may_be_asked_from_now_on_wakes_the_planner() -> None:
    enquired = Volunteer(ANNA.volunteer_id)
    active = activate(enquired, Offering(("thames",), (TaskKind.ERRAND,)), None, START).state
    wakes = Volunteers(NO_TX).wakes
    assert tuple(wakes(Change(enquired, active))) == (MATCH,)
    assert wakes(Change(active, asked(active, START).state)) == ()
    assert wakes(Change(active, pause(active, START + timedelta(days=1), START).state)) == ()
