"""The rules of one task that a machine of random steps would not name."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from volunteer_match_story import CALENDAR, assigned, helper, packed

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import CalledNeed, CallNeedResult, Lane, Priority, TaskUnfilled
from bdcan_contracts.vocabulary import NEEDS, Flag, NeedCode, TaskKind
from bdcan_volunteer_match.domain.call import assign
from bdcan_volunteer_match.domain.task import (
    DEADLINE,
    GRACE,
    LEAST_TIME_TO_DO,
    Task,
    TaskState,
    accept,
    fail,
    for_need,
    for_parcel,
    offer,
    on_deadline,
    refuse,
    take_back,
)

ANNA = helper()


def delivery() -> Task:
    step = for_parcel(None, None, packed(uuid4()), START)
    assert step is not None
    return step.state


def offered_to_anna() -> Task:
    return offer(delivery(), ANNA, START, CALENDAR).state


@pytest.mark.parametrize(
    ("code", "flags", "needed"),
    [
        (NeedCode.PRESCRIPTION, (), True),
        (NeedCode.TRANSPORT, (), True),
        (NeedCode.SHOPPING, (), False),
        (NeedCode.SHOPPING, (Flag.SHIELDING,), True),
        (NeedCode.ERRAND, (Flag.SHIELDING,), False),
        (NeedCode.ERRAND, ("dialysis",), True),  # a word of a newer release
        ("dog-walking", (), True),
    ],
)
def test_regulated_activity_needs_a_dbs_check(code: str, flags: tuple[str, ...], needed: bool) -> None:
    call = assign(None, assigned(flags=flags)).state
    need = CalledNeed(need_id=uuid4(), code=code, lane=Lane.COMMUNITY, result=CallNeedResult.CONFIRMED)
    opened = for_need(call, need, START)
    assert opened is not None
    assert opened.state.requires_dbs is needed


def test_delivery_needs_no_dbs_check() -> None:
    assert not delivery().requires_dbs


def test_unknown_community_need_becomes_an_errand() -> None:
    need = CalledNeed(
        need_id=uuid4(), code="dog-walking", lane=Lane.COMMUNITY, result=CallNeedResult.CONFIRMED
    )
    opened = for_need(assign(None, assigned()).state, need, START)
    assert opened is not None
    assert opened.state.kind == TaskKind.ERRAND


@pytest.mark.parametrize(
    ("priority", "hours"), [(Priority.URGENT, 24), (Priority.STANDARD, 72), (Priority.ROUTINE, 168)]
)
def test_help_follows_the_call_by_urgency(priority: Priority, hours: int) -> None:
    call = assign(None, assigned(priority=priority)).state
    need = CalledNeed(
        need_id=uuid4(),
        code=NeedCode.ERRAND,
        lane=Lane.COMMUNITY,
        result=CallNeedResult.FOUND,
    )
    opened = for_need(call, need, START)
    assert opened is not None
    assert opened.state.due_at == START + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("code", "result"),
    [(NeedCode.FOOD_PARCEL, CallNeedResult.CONFIRMED), (NeedCode.ERRAND, CallNeedResult.DECLINED)],
)
def test_a_need_that_is_declined_or_not_for_volunteers_opens_no_task(
    code: NeedCode, result: CallNeedResult
) -> None:
    need = CalledNeed(need_id=uuid4(), code=code, lane=NEEDS[code].lane, result=result)
    assert for_need(assign(None, assigned()).state, need, START) is None


def test_a_volunteer_who_did_not_do_a_task_counts_as_asked() -> None:
    task = offered_to_anna()
    accepted = accept(task, ANNA, START).state
    for after in (
        refuse(task, ANNA.volunteer_id, START),
        on_deadline(task, START + timedelta(hours=2)),
        fail(accepted, ANNA.volunteer_id, "nobody-home", START),
        take_back(accepted, "volunteer-left", START),
    ):
        assert (after.state.state, after.state.asked) == (TaskState.OPEN, (ANNA.volunteer_id,))


def test_an_alarm_for_time_lets_everybody_be_asked_once_more() -> None:
    task = refuse(offered_to_anna(), ANNA.volunteer_id, START).state
    step = on_deadline(task, task.alarm_at)
    alarmed = step.state
    assert [type(e) for e in step.events] == [TaskUnfilled]
    assert step.deadlines == {DEADLINE: alarmed.alarm_at}
    assert (alarmed.asked, alarmed.unfilled) == ((), True)
    assert alarmed.alarm_at > task.alarm_at


def test_a_volunteer_who_accepts_late_still_has_time() -> None:
    task = offered_to_anna()
    late = task.due_at - timedelta(minutes=5)
    accepted = accept(task, ANNA, late).state
    assert accepted.do_by == late + LEAST_TIME_TO_DO
    assert accepted.deadline_at == late + LEAST_TIME_TO_DO + GRACE


def test_a_deadline_that_comes_too_early_changes_nothing() -> None:
    task = offered_to_anna()
    assert on_deadline(task, START + timedelta(minutes=119)) == Step(task)
