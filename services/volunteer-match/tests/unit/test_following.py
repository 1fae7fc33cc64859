"""Every cell of the two tables: a fact about the resident changes, and the call or the task is in some state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from volunteer_match_story import CALENDAR, amended, assigned, helper, need, reassigned, withdrawn

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    Household,
    Priority,
    TaskChanged,
    TaskFailed,
    TaskOfferWithdrawn,
    WelfareCallHeld,
)
from bdcan_contracts.vocabulary import Diet, Fact, Flag, NeedCode
from bdcan_volunteer_match.domain.call import (
    CALL_RULES,
    CLAIM,
    CallState,
    WelfareCall,
    amend,
    assign,
    changed_facts,
    claim,
    unknown,
    withdraw,
)
from bdcan_volunteer_match.domain.facts import COPIED, Rule
from bdcan_volunteer_match.domain.following import TASK_RULES, follow
from bdcan_volunteer_match.domain.task import (
    ENDS,
    Task,
    TaskState,
    accept,
    cancel,
    complete,
    for_need,
    offer,
)

EVENT = assigned(needs=(need(NeedCode.SHOPPING),))
WHO = helper()
CHANGES: dict[Fact, dict[str, Any]] = {
    Fact.PRIORITY: {"priority": Priority.URGENT},
    Fact.FLAGS: {"flags": (Flag.SHIELDING,)},
    Fact.LANGUAGE: {"flags": (Flag.INTERPRETER_NEEDED,)},
    Fact.CONSENT: {"flags": ("no-consent",)},
    Fact.ADDRESS: {"changed": ("address",)},
    Fact.HOUSEHOLD: {"household": Household(adults=1)},
    Fact.DIETS: {"diets": (Diet.NUT_ALLERGY,)},
}


def change(call: WelfareCall, fact: Fact) -> WelfareCall:
    return amend(call, amended(EVENT.referral_id, EVENT.needs, **CHANGES[fact])).state


def call_in(state: CallState) -> WelfareCall:
    due = assign(None, EVENT).state
    made: dict[CallState, Callable[[], WelfareCall]] = {
        CallState.AWAITING: lambda: unknown(EVENT.referral_id),
        CallState.DUE: lambda: due,
        CallState.CLAIMED: lambda: claim(due, "anna", START).state,
        CallState.CANCELLED: lambda: withdraw(due, withdrawn(EVENT.referral_id).referral_id).state,
    }
    return made[state]() if state in made else replace(due, state=state, attempts=1)


def task_in(state: TaskState) -> Task:
    found = EVENT.needs[0]
    said = CalledNeed(
        need_id=found.need_id, code=found.code, lane=found.lane, result=CallNeedResult.CONFIRMED
    )
    opened = for_need(assign(None, EVENT).state, said, START)
    assert opened is not None
    task = opened.state
    if state is TaskState.CANCELLED:
        return cancel(task, "referral-withdrawn", START).state
    if state is not TaskState.OPEN:
        task = offer(task, WHO, START, CALENDAR).state
    if state in (TaskState.ACCEPTED, TaskState.DONE):
        task = accept(task, WHO, START).state
    return complete(task, WHO.volunteer_id, START).state if state is TaskState.DONE else task


def test_the_tables_have_a_rule_for_every_cell() -> None:
    assert {(f, s) for f, row in TASK_RULES.items() for s in row} == set(product(COPIED, TaskState))
    assert {(f, s) for f, row in CALL_RULES.items() for s in row} == set(product(COPIED, CallState))


@pytest.mark.parametrize(("fact", "state"), list(product(COPIED, TaskState)))
def test_a_task_obeys_its_cell(fact: Fact, state: TaskState) -> None:
    before, task = assign(None, EVENT).state, task_in(state)
    after = change(before, fact)
    assert changed_facts(before, after) == {fact}
    step = follow(task, before, after, WHO if task.volunteer_id else None, START)
    kinds = [type(event) for event in step.events]
    match TASK_RULES[fact][state]:
        case Rule.NONE:
            assert step.state is task
            assert kinds == []
        case Rule.STOP:
            assert (step.state.state, step.state.stopped_by) == (TaskState.OPEN, "no-consent")
            lost = {TaskState.OFFERED: [TaskOfferWithdrawn], TaskState.ACCEPTED: [TaskFailed]}
            assert kinds == [*lost.get(state, []), TaskChanged]
        case Rule.WARN:
            assert (step.state.state, step.state.warnings) == (state, (fact,))
            assert kinds == [TaskChanged]
            assert step.events[0].model_dump()["volunteer_id"] == WHO.volunteer_id
        case Rule.FOLLOW:
            assert (step.state.state, step.state.warnings) == (state, ())
    if state not in ENDS:
        assert step.state.priority == after.priority
        assert step.state.hub_id == after.hub_id
        assert step.state.requires_dbs == (fact is Fact.FLAGS)


@pytest.mark.parametrize(("fact", "state"), list(product(COPIED, CallState)))
def test_a_call_obeys_its_cell(fact: Fact, state: CallState) -> None:
    before = call_in(state)
    if state is CallState.AWAITING:
        after = assign(change(before, fact), EVENT).state
        assert after.state is CallState.DUE
        assert (after.review is not None) == (CALL_RULES[fact][state] is Rule.STOP)
        return
    step = amend(before, amended(EVENT.referral_id, EVENT.needs, **CHANGES[fact]))
    after = step.state
    match CALL_RULES[fact][state]:
        case Rule.NONE:
            assert (after.state, after.review) == (CallState.CANCELLED, None)
            assert step.events == ()
        case Rule.STOP:
            assert after.review == "no-consent"
            assert after.claimed_by is None
            assert [type(event) for event in step.events] == [WelfareCallHeld]
        case Rule.WARN:
            assert (after.state, after.warnings) == (state, (fact,))
        case Rule.FOLLOW:
            assert after.review is None
            assert after.warnings == ()
            assert after.claimed_by is None
            if before.hub_id:
                assert changed_facts(before, after) == {fact}
    if state is CallState.CLAIMED and fact is Fact.CONSENT:
        assert step.deadlines[CLAIM] is None


def test_an_urgent_amendment_brings_the_call_and_the_task_forward() -> None:
    before, task = assign(None, EVENT).state, task_in(TaskState.ACCEPTED)
    after = change(before, Fact.PRIORITY)
    assert (before.due_at, after.due_at) == (START + timedelta(hours=48), START + timedelta(hours=4))
    sooner = follow(task, before, after, WHO, START).state
    assert (task.due_at, sooner.due_at) == (START + timedelta(hours=72), START + timedelta(hours=24))
    assert sooner.do_by == sooner.due_at


def test_a_claim_ends_when_another_hub_looks_after_the_referral() -> None:
    step = assign(call_in(CallState.CLAIMED), reassigned(EVENT, "heath"))
    assert (step.state.claimed_by, step.deadlines[CLAIM]) == (None, None)


def test_whoever_goes_to_the_old_hubs_home_is_warned() -> None:
    before = assign(None, EVENT).state
    moved = assign(before, reassigned(EVENT, "heath")).state
    assert follow(task_in(TaskState.ACCEPTED), before, moved, WHO, START).state.warnings == (Fact.ADDRESS,)


def test_a_lower_priority_keeps_the_promise_that_was_given() -> None:
    urgent = assign(None, EVENT.model_copy(update={"priority": Priority.URGENT})).state
    calm = amend(urgent, amended(EVENT.referral_id, EVENT.needs, priority=Priority.ROUTINE)).state
    task = replace(task_in(TaskState.OPEN), priority=Priority.URGENT)
    assert follow(task, urgent, calm, None, START).state.due_at == task.due_at
    assert calm.due_at == urgent.due_at


def test_a_task_of_another_referrals_hub_follows_routing_silently() -> None:
    before = assign(None, EVENT).state
    moved = assign(before, reassigned(EVENT, "heath")).state
    step = follow(task_in(TaskState.OPEN), before, moved, None, START)
    assert (step.state.hub_id, step.events) == ("heath", ())
