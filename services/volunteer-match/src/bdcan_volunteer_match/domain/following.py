"""What becomes of a task when a fact about its resident changes, or a person decides about its check.

The same rules hold whoever changed the fact: an amendment, a call, or routing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.step import Step
from bdcan_contracts.models import Lane, TaskChanged
from bdcan_contracts.vocabulary import Fact, Reason, TaskKind, help_for
from bdcan_volunteer_match.domain.call import WelfareCall, changed_facts
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.facts import Rule
from bdcan_volunteer_match.domain.task import (
    ALARM_AFTER,
    DONE_WITHIN,
    ENDS,
    LEAST_TIME_TO_DO,
    Task,
    TaskState,
    about,
    cancel,
    moved,
    unknown_flags,
    withhold,
)
from bdcan_volunteer_match.domain.volunteer import Volunteer

_HELD = {
    TaskState.OPEN: Rule.FOLLOW,
    TaskState.OFFERED: Rule.FOLLOW,
    TaskState.ACCEPTED: Rule.WARN,
    TaskState.DONE: Rule.NONE,
    TaskState.CANCELLED: Rule.NONE,
}
_STOPPED = {state: Rule.NONE if state in ENDS else Rule.STOP for state in TaskState}

TASK_RULES: Mapping[Fact, Mapping[TaskState, Rule]] = MappingProxyType(
    {
        Fact.PRIORITY: _HELD,
        Fact.FLAGS: _HELD,
        Fact.LANGUAGE: _HELD,
        Fact.CONSENT: _STOPPED,
        Fact.ADDRESS: _HELD,
        Fact.HOUSEHOLD: _HELD,
        Fact.DIETS: _HELD,
    }
)
"""Fact × state of a task → what a change does.

Whatever the cell, the check follows the flags: who may not do the task any more loses it.
"""


def follow(
    task: Task, before: WelfareCall | None, after: WelfareCall, holder: Volunteer | None, now: datetime
) -> Step[Task]:
    """The facts about the resident changed. `holder` is whoever has the task, as they are now."""
    if task.state in ENDS:
        return Step(task)
    if task.need_id is not None and not after.wants(task.need_id):
        return cancel(task, Reason.NEED_WITHDRAWN, now)
    facts = changed_facts(before, after) if before else frozenset[Fact]()
    warned = {fact for fact in facts if TASK_RULES[fact][task.state] is Rule.WARN}
    rises = Fact.PRIORITY in facts and DONE_WITHIN[after.priority] < DONE_WITHIN[task.priority]
    changed = replace(
        task,
        hub_id=after.hub_id or task.hub_id,
        sector=after.sector,
        priority=after.priority if Fact.PRIORITY in facts else task.priority,
        stopped_by=after.stopped_by,
        warnings=tuple(sorted({*task.warnings, *warned})),
    )
    if rises:
        due_at = min(task.due_at, now + DONE_WITHIN[after.priority])
        changed = replace(
            changed,
            due_at=due_at,
            alarm_at=min(task.alarm_at, now + ALARM_AFTER[after.priority]),
            do_by=task.do_by and min(task.do_by, max(due_at, now + LEAST_TIME_TO_DO)),
        )
    return _checked(task, _with_check(changed, after), facts, holder, now)


def decide_flags(
    task: Task, call: WelfareCall, flags: Iterable[str], holder: Volunteer | None, now: datetime
) -> Step[Task]:
    """A person has read the flags that nobody here knows. `flags`: the known ones that stand for them, if any.

    They may decide again: the later decision holds. Raises NotAllowedError where there is no such flag,
    or the same was decided.
    """
    flags = frozenset(flags)
    same = not task.undecided and (not task.decided or flags == frozenset(task.respects))
    if same or task.state in ENDS:
        raise NotAllowedError("nothing-to-decide", "No flag of this task waits for a decision.")
    decided = replace(
        task,
        decided=tuple(sorted({*task.decided, *task.undecided})),
        respects=tuple(sorted({*(task.respects if task.undecided else ()), *flags})),
    )
    return _checked(task, _with_check(decided, call), frozenset({Fact.FLAGS}), holder, now)


def _with_check(task: Task, call: WelfareCall) -> Task:
    """The task with the check that the law requires for these flags."""
    undecided = unknown_flags(call.flags, task.decided)
    return replace(task, undecided=undecided, requires_dbs=bool(undecided) or _lawful_check(task, call))


def _lawful_check(task: Task, call: WelfareCall) -> bool:
    if task.need_id is None or task.kind == TaskKind.PARCEL_DELIVERY:
        return False
    need = next((n for n in call.needs if n.need_id == task.need_id), None)
    known = help_for(need.code, need.lane) if need else help_for(task.kind, Lane.COMMUNITY)
    if known.task != task.kind:
        return task.requires_dbs  # the need has another code by now: its own task follows from a call
    return known.requires_dbs({*call.flags, *task.respects})


def _checked(
    before: Task, after: Task, facts: Iterable[Fact], holder: Volunteer | None, now: datetime
) -> Step[Task]:
    if after == before:
        return Step(before)
    told: tuple[BaseModel, ...] = (_changed(after, facts, now),) if _announces(before, after) else ()
    unfit = _why_taken(after, holder, now)
    taken = withhold(after, unfit, now) if unfit else Step(after)
    return moved(before, taken.state, *taken.events, *told)


def _why_taken(task: Task, holder: Volunteer | None, now: datetime) -> str | None:
    if task.volunteer_id is None:
        return None
    if task.stopped_by:
        return task.stopped_by
    return holder and holder.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=now)


def _announces(before: Task, after: Task) -> bool:
    """Whether others, or whoever has the task, must hear of it. A task that only moves to another hub tells its next offer."""
    return any(
        getattr(before, field) != getattr(after, field)
        for field in ("priority", "due_at", "requires_dbs", "stopped_by", "warnings", "undecided")
    )


def _changed(task: Task, facts: Iterable[Fact], now: datetime) -> TaskChanged:
    return TaskChanged(
        **about(task),
        hub_id=task.hub_id,
        priority=task.priority,
        due_at=task.due_at,
        requires_dbs=task.requires_dbs,
        volunteer_id=task.volunteer_id,
        facts=tuple(sorted(facts)),
        stopped_by=task.stopped_by,
        changed_at=now,
    )
