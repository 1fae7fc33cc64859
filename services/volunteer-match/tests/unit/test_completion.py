"""The forms of completion, cell by cell, and what a part leaves open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace
from volunteer_match_story import CALENDAR, helper, packed

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import TaskAccepted, TaskCompleted, TaskFailed
from bdcan_contracts.vocabulary import Reason, TaskKind
from bdcan_volunteer_match.domain.completion import FIELDS, FORMS, did_not_come, finish, must_fit
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.domain.task import (
    DEADLINE,
    Task,
    TaskState,
    accept,
    for_parcel,
    offer,
    undo_report,
)
from bdcan_volunteer_match.domain.volunteer import Volunteer

FILLED: dict[str, Any] = dict.fromkeys(FIELDS, 1) | {"arrived": True}


def accepted(kind: str = TaskKind.SHOPPING, **more: Any) -> tuple[Task, Volunteer]:
    opened = for_parcel(None, None, packed(uuid4()), START)
    assert opened is not None
    who = helper(hub_ids=(opened.state.hub_id,))
    offered = offer(opened.state, who, START, CALENDAR).state
    task = accept(offered, who, START).state
    return replace(task, kind=kind, **more), who


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_on_the_form_or_refused_with_what_the_form_asks(kind: TaskKind, name: str) -> None:
    form = FORMS[kind]
    filled = {field: FILLED[field] for field in form.required} | {name: FILLED[name]}
    if name in form.fields:
        must_fit(kind, filled, ())
        return
    with pytest.raises(FindingsError) as refused:
        must_fit(kind, filled, ())
    [problem] = refused.value.errors
    assert (problem.field, problem.code) == (name, "not-asked")
    assert all(field in problem.message for field in form.fields)


def test_every_kind_has_a_form_and_a_kind_of_a_newer_release_takes_any() -> None:
    assert set(FORMS) == set(TaskKind)
    must_fit("gardening", FILLED, ("no-time-left",))


@pytest.mark.parametrize("kind", [k for k in TaskKind if not FORMS[k].required])
def test_plain_completion_of_older_programs_stays_valid(kind: TaskKind) -> None:
    task, who = accepted(kind)
    assert finish(task, who.volunteer_id, {}, (), START).state.state is TaskState.DONE


def test_money_and_medicines_need_an_account() -> None:
    for kind, names in ((TaskKind.SHOPPING, {"spent_pence"}), (TaskKind.PRESCRIPTION, {"bags", "handed"})):
        task, who = accepted(kind)
        with pytest.raises(FindingsError) as refused:
            finish(task, who.volunteer_id, {}, (), START)
        assert {problem.field for problem in refused.value.errors} == names


def test_what_is_missing_opens_the_task_again_and_is_no_failure() -> None:
    task, who = accepted()
    step = finish(task, who.volunteer_id, {"spent_pence": 300}, ("out-of-stock",), START)
    assert (step.state.state, step.state.failures, step.state.returned_because) == (
        TaskState.OPEN,
        0,
        Reason.PARTLY_DONE,
    )
    assert [type(event) for event in step.events] == [TaskFailed]
    assert step.deadlines[DEADLINE] == step.state.alarm_at > START
    assert who.volunteer_id not in step.state.asked, "they may do the rest, too"


def test_part_that_was_reported_by_a_slip_is_undone_and_failures_before_still_count() -> None:
    task, who = accepted(failures=2)
    partly = finish(task, who.volunteer_id, {"spent_pence": 300}, ("no-time-left",), START).state
    back = undo_report(partly, who, START + timedelta(minutes=5), CALENDAR)
    assert (back.state.state, back.state.failures) == (TaskState.ACCEPTED, 2)
    assert [type(event) for event in back.events] == [TaskAccepted]


def test_parcel_is_delivered_or_not() -> None:
    task, who = accepted(TaskKind.PARCEL_DELIVERY)
    with pytest.raises(FindingsError):
        finish(task, who.volunteer_id, {}, ("no-time-left",), START)
    with pytest.raises(FindingsError):
        must_fit(TaskKind.TRANSPORT, {"arrived": False}, ())


def test_first_report_stands() -> None:
    task, who = accepted()
    done = finish(task, who.volunteer_id, {"spent_pence": 300}, (), START)
    assert [type(event) for event in done.events] == [TaskCompleted]
    for missing in ((), ("out-of-stock",)):
        again = finish(done.state, who.volunteer_id, {"spent_pence": 999}, missing, START)
        assert (again.state, tuple(again.events)) == (done.state, ())


def test_somebody_elses_task_is_not_finished_in_part() -> None:
    task, _ = accepted()
    with pytest.raises(NotAllowedError):
        finish(task, uuid4(), {"spent_pence": 300}, ("out-of-stock",), START)


def test_volunteer_who_did_not_come_is_not_asked_for_it_again() -> None:
    task, who = accepted()
    step = did_not_come(task, START)
    assert (step.state.state, step.state.failures) == (TaskState.OPEN, 1)
    assert who.volunteer_id in step.state.asked
    with pytest.raises(NotAllowedError):
        did_not_come(step.state, START)
