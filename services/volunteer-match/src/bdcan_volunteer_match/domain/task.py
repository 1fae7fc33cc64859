"""One thing that one volunteer does: open → offered → accepted → done | cancelled.

A failed try does not end a task: it is open again for the next volunteer. `unfilled` is an alarm: somebody must look,
while offers continue. A task that has not ended always has one deadline, `deadline_at`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    Lane,
    NeedState,
    ParcelPacked,
    Priority,
    ReferralClosed,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskConcernRaised,
    TaskFailed,
    TaskOffered,
    TaskOfferWithdrawn,
    TaskOpened,
    TaskReopened,
    TaskUnfilled,
)
from bdcan_contracts.vocabulary import Flag, Reason, TaskKind, help_for
from bdcan_volunteer_match.domain.call import STOPS, WelfareCall
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.volunteer import Volunteer

DEADLINE = "task"
"""Deadline of every task that has not ended: its state says what happens then."""

PARCEL_STOPPED = "parcel-stopped"
"""A warning: the food hub has stopped the parcel, and a person decides about it."""

_FLAGS = frozenset(map(str, Flag)) | STOPS.keys()

OFFER_FOR = timedelta(hours=2)
"""How long a volunteer may think about an offer, in the hours in which people may be rung. All other times of a task run by the clock."""

OFFERS_BEFORE_ALARM = 3
FAILURES_BEFORE_ALARM = 3

DONE_WITHIN = {
    Priority.URGENT: timedelta(hours=24),
    Priority.STANDARD: timedelta(hours=72),
    Priority.ROUTINE: timedelta(days=7),
}
"""From the call to the help, unless the task brings its own time."""

ALARM_AFTER = {
    Priority.URGENT: timedelta(hours=2),
    Priority.STANDARD: timedelta(hours=8),
    Priority.ROUTINE: timedelta(hours=24),
}
"""How long a task may stay open before the hub is warned; the warning repeats at this interval."""

LEAST_TIME_TO_DO = timedelta(hours=4)
"""A volunteer who accepts late still gets this long."""

GRACE = timedelta(hours=24)
"""How long after its time an accepted task is still waited for. Then somebody else is asked."""


UNDO_FOR = timedelta(minutes=30)
"""How long what a volunteer reported can be undone."""


class TaskState(StrEnum):
    """The state of a task. The last two are final."""

    OPEN = "open"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DONE = "done"
    CANCELLED = "cancelled"


ENDS = frozenset({TaskState.DONE, TaskState.CANCELLED})
"""States that a task never leaves."""


class Report(StrEnum):
    """What a volunteer reports that ends or gives up what they had. `undone`: it was not done after all."""

    REFUSED = "refused"
    DONE = "done"
    FAILED = "failed"
    PARTLY = "partly"
    UNDONE = "undone"


class Told(Struct, frozen=True):
    """What was last reported of the task, and what undoing it brings back."""

    what: Report
    volunteer_id: UUID
    told_at: datetime
    do_by: datetime | None = None


class Task(Struct, frozen=True, rename={"asked": "asked_ids"}):
    """A task. `asked`: the volunteers who did not take or do it, since the last alarm for time.

    `returned_because`: why its last volunteer does not have it any more. `stopped_by`: why it must not go on until a person
    has looked. `undecided`: flags that nobody here knows, for which the strictest check holds until a person has decided.
    `decided`: those that a person has read. `respects`: the known flags that the person chose instead. `warnings`: facts
    that changed after the volunteer accepted.
    """

    task_id: UUID
    referral_id: UUID
    kind: str
    hub_id: str
    priority: Priority
    requires_dbs: bool
    due_at: datetime
    alarm_at: datetime
    opened_at: datetime
    need_id: UUID | None = None
    parcel_id: UUID | None = None
    state: TaskState = TaskState.OPEN
    volunteer_id: UUID | None = None
    offer_expires_at: datetime | None = None
    do_by: datetime | None = None
    offers_made: int = 0
    failures: int = 0
    unfilled: bool = False
    asked: tuple[UUID, ...] = ()
    settled_at: datetime | None = None
    returned_because: str | None = None
    stopped_by: str | None = None
    undecided: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    respects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    last: Told | None = None
    sector: str | None = None
    """The postcode sector of the resident's home; None where nobody knows it."""

    def was_of(self, volunteer_id: UUID | None) -> bool:
        """Whether the volunteer reported something last, or did not take or do the task: they may repeat or undo it."""
        if volunteer_id is None:
            return False
        return volunteer_id in self.asked or (
            self.last is not None and self.last.volunteer_id == volunteer_id
        )

    @property
    def deadline_at(self) -> datetime | None:
        """When the task is looked at again; None once it has ended."""
        match self.state:
            case TaskState.OPEN:
                return self.alarm_at
            case TaskState.OFFERED:
                return self.offer_expires_at
            case TaskState.ACCEPTED:
                return self.do_by and self.do_by + GRACE
            case _:
                return None


def for_need(
    call: WelfareCall, need: CalledNeed, now: datetime, earlier: Collection[Task] = ()
) -> Step[Task] | None:
    """Open the task for a need of an answered call; None where no volunteer does it, or the resident declined.

    `earlier`: the referral's tasks so far. A live one of the need stays the only one.

    A flag that this release does not know asks for the strictest check. The caller has seen it: the call shows all flags.
    """
    known = help_for(need.code, need.lane)
    if known.task is None or need.result is CallNeedResult.DECLINED or call.hub_id is None:
        return None
    mine = [task for task in earlier if task.need_id == need.need_id and task.parcel_id is None]
    if any(task.state not in ENDS and task.kind == known.task for task in mine):
        return None
    undecided = unknown_flags(call.flags)
    return _opened(
        Task(
            task_id=uuid5(need.need_id, f"task-{call.call_id}" if mine else "task"),
            referral_id=call.referral_id,
            need_id=need.need_id,
            kind=known.task,
            hub_id=call.hub_id,
            sector=call.sector,
            priority=call.priority,
            requires_dbs=known.requires_dbs(call.flags) or bool(undecided),
            undecided=undecided,
            stopped_by=call.stopped_by,
            due_at=now + DONE_WITHIN[call.priority],
            alarm_at=now + ALARM_AFTER[call.priority],
            opened_at=now,
        )
    )


def lost(call: WelfareCall, need_id: UUID, tasks: Collection[Task], now: datetime) -> Step[Task] | None:
    """Open the task of a need that a call reported and that has none, not even one that has ended: its row was lost."""
    need = next((need for need in call.needs if need.need_id == need_id), None)
    if need is None or need.result is None or need.open or need.given_back or need.out_of_area:
        return None
    if not call.wants(need_id) or any(task.need_id == need_id and task.parcel_id is None for task in tasks):
        return None
    said = CalledNeed(need_id=need_id, code=need.code, lane=need.lane, result=need.result)
    return for_need(call, said, now)


def unknown_flags(flags: Iterable[str], decided: Iterable[str] = ()) -> tuple[str, ...]:
    """Flags of a newer release about which no person has decided."""
    return tuple(sorted(set(flags) - _FLAGS - set(decided)))


def delivery_task_id(parcel_id: UUID) -> UUID:
    """The id of the task that brings a parcel to the door."""
    return uuid5(parcel_id, "delivery")


def for_parcel(
    task: Task | None, call: WelfareCall | None, event: ParcelPacked, now: datetime
) -> Step[Task] | None:
    """Open the delivery of a packed parcel; None if it is open already, or the parcel's need has ended.

    Volunteers of the referral's present hub deliver it; those of the parcel's hub where that is unknown.
    """
    if task is not None or (call is not None and not call.wants(event.need_id)):
        return None
    undecided = unknown_flags(call.flags) if call else ()
    return _opened(
        Task(
            task_id=delivery_task_id(event.parcel_id),
            referral_id=event.referral_id,
            need_id=event.need_id,
            parcel_id=event.parcel_id,
            kind=TaskKind.PARCEL_DELIVERY,
            hub_id=(call and call.hub_id) or event.hub_id,
            sector=call and call.sector,
            priority=event.priority,
            requires_dbs=bool(undecided),
            undecided=undecided,
            stopped_by=call and call.stopped_by,
            due_at=event.due_at,
            alarm_at=now + ALARM_AFTER[event.priority],
            opened_at=now,
        )
    )


def offer(task: Task, volunteer: Volunteer, now: datetime, calendar: Calendar) -> Step[Task]:
    """Offer an open task to a volunteer who may do it. Raises NotAllowedError.

    An offer runs only while people may be rung: volunteers sleep, too. One of the late evening ends the next morning.
    """
    if task.state is not TaskState.OPEN or task.stopped_by:
        raise NotAllowedError("task-not-open", f"The task is {task.stopped_by or task.state.value}.")
    _must_be_fit(task, volunteer, now)
    volunteer_id = volunteer.volunteer_id
    expires_at = offer_ends(now, calendar)
    offered = replace(
        task,
        state=TaskState.OFFERED,
        volunteer_id=volunteer_id,
        offer_expires_at=expires_at,
        offers_made=task.offers_made + 1,
    )
    told = TaskOffered(**about(task), volunteer_id=volunteer_id, expires_at=expires_at, offered_at=now)
    return moved(task, offered, told)


def offer_ends(now: datetime, calendar: Calendar) -> datetime:
    """When an offer of now runs out: after `OFFER_FOR` of the hours in which people may be rung."""
    left, begins = OFFER_FOR, calendar.next_calling(now)
    while True:
        ends = calendar.span(calendar.local_date(begins), calendar.calling_hours).ends
        if begins + left <= ends:
            return begins + left
        left -= ends - begins
        begins = calendar.next_calling(ends)


def accept(task: Task, volunteer: Volunteer, now: datetime) -> Step[Task]:
    """The volunteer accepts. A second acceptance changes nothing. Raises NotAllowedError.

    What they may do is looked at again: a check may have run out since the offer.
    """
    volunteer_id = volunteer.volunteer_id
    if task.state is TaskState.ACCEPTED and task.volunteer_id == volunteer_id:
        return Step(task)
    _must_be(task, TaskState.OFFERED, volunteer_id, "This offer is not this volunteer's, or has run out")
    _must_be_fit(task, volunteer, now)
    do_by = max(task.due_at, now + LEAST_TIME_TO_DO)
    accepted = replace(
        task,
        state=TaskState.ACCEPTED,
        do_by=do_by,
        offer_expires_at=None,
        unfilled=False,
        returned_because=None,
        warnings=tuple(w for w in task.warnings if w == PARCEL_STOPPED),
        last=None,
    )
    told = TaskAccepted(**about(task), volunteer_id=volunteer_id, due_at=do_by, accepted_at=now)
    return moved(task, accepted, told)


def refuse(task: Task, volunteer_id: UUID, now: datetime) -> Step[Task]:
    """The volunteer refuses: the next one is asked. Raises NotAllowedError."""
    if task.state is TaskState.OPEN and volunteer_id in task.asked:
        return Step(task)
    _must_be(task, TaskState.OFFERED, volunteer_id, "This offer is not this volunteer's, or has run out")
    return _reported(_let_go(task, now), Told(Report.REFUSED, volunteer_id, now))


def complete(task: Task, volunteer_id: UUID, now: datetime) -> Step[Task]:
    """The task is done. A second report changes nothing. Raises NotAllowedError."""
    if task.state is TaskState.DONE and task.volunteer_id == volunteer_id:
        return Step(task)
    _must_be(task, TaskState.ACCEPTED, volunteer_id, "The task is not in this volunteer's hands")
    return moved(
        task,
        replace(
            task,
            state=TaskState.DONE,
            settled_at=now,
            unfilled=False,
            do_by=None,
            last=Told(Report.DONE, volunteer_id, now, task.do_by),
        ),
        TaskCompleted(**about(task), volunteer_id=volunteer_id, completed_at=now),
    )


def done_in_time(before: Task | None, after: Task) -> bool | None:
    """Whether the resident was helped by the promised time; None where the task has not just been done."""
    if before is None or before.state is TaskState.DONE or after.state is not TaskState.DONE:
        return None
    return after.settled_at is not None and after.settled_at <= after.due_at


def fail(task: Task, volunteer_id: UUID, reason: str, now: datetime) -> Step[Task]:
    """The volunteer could not do it: the task is open again for somebody else. Raises NotAllowedError."""
    _must_be(task, TaskState.ACCEPTED, volunteer_id, "The task is not in this volunteer's hands")
    failures = task.failures + 1
    again = _reopened(
        replace(
            task,
            failures=failures,
            alarm_at=now + ALARM_AFTER[task.priority],
            returned_because=reason,
        )
    )
    told = TaskFailed(**about(task), volunteer_id=volunteer_id, reason=reason, failed_at=now)
    return moved(task, again, told) if failures % FAILURES_BEFORE_ALARM else _alarm(task, again, now, told)


def report_failure(task: Task, volunteer_id: UUID, reason: str, now: datetime) -> Step[Task]:
    """The volunteer says by themselves that they could not do it. Raises NotAllowedError."""
    told = Told(Report.FAILED, volunteer_id, now, task.do_by)
    return _reported(fail(task, volunteer_id, reason, now), told)


def undo_report(task: Task, volunteer: Volunteer, now: datetime, calendar: Calendar) -> Step[Task]:
    """What was reported last was a slip: the volunteer has the offer or the task again. Raises NotAllowedError.

    An offer that went to somebody else meanwhile is withdrawn; what somebody else has accepted is theirs.
    """
    last = task.last
    if last is None or last.volunteer_id != volunteer.volunteer_id or last.what is Report.UNDONE:
        raise NotAllowedError(
            "nothing-to-undo", "This volunteer has reported nothing of the task that can be undone."
        )
    if now > last.told_at + UNDO_FOR:
        minutes = int(UNDO_FOR.total_seconds() // 60)
        raise NotAllowedError(
            "too-late",
            f"A report can be undone for {minutes} minutes. Reopen the welfare call with a reason: it asks anew.",
        )
    if task.state is TaskState.CANCELLED:
        raise NotAllowedError("not-wanted", "Nobody wants the task any more: see the referral at intake.")
    if task.state is TaskState.ACCEPTED:
        raise NotAllowedError("task-not-yours", "Somebody else has accepted the task: they can hand it back.")
    _must_be_fit(task, volunteer, now)
    if last.what is Report.DONE:
        return _not_done_yet(task, last, now)
    freed = withhold(task, Reason.DECISION_UNDONE, now)
    asked = tuple(who for who in freed.state.asked if who != volunteer.volunteer_id)
    open_again = replace(freed.state, asked=asked, returned_because=None, last=None)
    if last.what is Report.REFUSED:
        expires_at = offer_ends(now, calendar)
        back = replace(
            open_again,
            state=TaskState.OFFERED,
            volunteer_id=volunteer.volunteer_id,
            offer_expires_at=expires_at,
        )
        told: BaseModel = TaskOffered(
            **about(task), volunteer_id=volunteer.volunteer_id, expires_at=expires_at, offered_at=now
        )
    else:
        do_by = max(last.do_by or task.due_at, now + LEAST_TIME_TO_DO)
        back = replace(
            open_again,
            state=TaskState.ACCEPTED,
            volunteer_id=volunteer.volunteer_id,
            do_by=do_by,
            failures=max(0, task.failures - (last.what is Report.FAILED)),
            unfilled=False,
        )
        told = TaskAccepted(**about(task), volunteer_id=volunteer.volunteer_id, due_at=do_by, accepted_at=now)
    return moved(task, back, *freed.events, told)


def _not_done_yet(task: Task, last: Told, now: datetime) -> Step[Task]:
    if task.parcel_id is not None:
        raise NotAllowedError(
            "parcel-delivered",
            "The food hub counts the parcel as delivered. Reopen the welfare call with a reason: another parcel follows.",
        )
    do_by = max(last.do_by or task.due_at, now + LEAST_TIME_TO_DO)
    undone = Told(Report.UNDONE, last.volunteer_id, now)
    back = replace(task, state=TaskState.ACCEPTED, settled_at=None, do_by=do_by, last=undone)
    told = TaskReopened(
        **about(task),
        volunteer_id=last.volunteer_id,
        due_at=do_by,
        reason=Reason.DECISION_UNDONE,
        reopened_at=now,
    )
    return moved(task, back, told)


def _reported(step: Step[Task], told: Told) -> Step[Task]:
    return Step(replace(step.state, last=told), step.events, step.deadlines)


def hear_of_parcel(task: Task, facts: Iterable[str], *, stopped: bool) -> Step[Task]:
    """Foodhub stopped the parcel, or a fact changed after it left: whoever brings it must know."""
    if task.state in ENDS:
        return Step(task)
    also = {PARCEL_STOPPED} if stopped else set[str]()
    return moved(task, replace(task, warnings=tuple(sorted({*task.warnings, *facts, *also}))))


def cancel(task: Task, reason: str, now: datetime) -> Step[Task]:
    """Nobody wants the task any more. One that has ended stays as it is."""
    if task.state in ENDS:
        return Step(task)
    cancelled = replace(
        task,
        state=TaskState.CANCELLED,
        volunteer_id=None,
        settled_at=now,
        unfilled=False,
        do_by=None,
        offer_expires_at=None,
    )
    told = TaskCancelled(**about(task), volunteer_id=task.volunteer_id, reason=reason, cancelled_at=now)
    return moved(task, cancelled, told)


def hear(task: Task, needs: Iterable[CalledNeed], now: datetime) -> Step[Task]:
    """A later call declined the task's need, or made another need of it: nobody wants the task any more."""
    said = next((n for n in needs if n.need_id == task.need_id), None)
    if said is None or task.parcel_id is not None:
        return Step(task)
    if said.result is CallNeedResult.DECLINED:
        return cancel(task, Reason.DECLINED_AT_CALL, now)
    changed = help_for(said.code, said.lane).task != task.kind
    return cancel(task, Reason.NEED_CHANGED_AT_CALL, now) if changed else Step(task)


def undo(task: Task, call: WelfareCall, now: datetime) -> Step[Task]:
    """Somebody undid the report of `call`: the tasks that it opened are not wanted before the next call."""
    said = {need.need_id for need in call.needs if need.said_in == call.call_id}
    undone = task.need_id in said and task.parcel_id is None
    return cancel(task, Reason.OUTCOME_UNDONE, now) if undone else Step(task)


def visit_task_id(call_id: UUID) -> UUID:
    """The id of the task that looks for a resident whom nobody reached by telephone."""
    return uuid5(call_id, "visit")


def for_visit(task: Task | None, call: WelfareCall, now: datetime) -> Step[Task] | None:
    """Open the visit to a resident whom nobody reached; None while one is under way."""
    if call.hub_id is None or (task is not None and task.state not in ENDS):
        return None
    undecided = unknown_flags(call.flags)
    return _opened(
        Task(
            task_id=visit_task_id(call.call_id) if task is None else uuid5(task.task_id, now.isoformat()),
            referral_id=call.referral_id,
            kind=TaskKind.DOORSTEP_VISIT,
            hub_id=call.hub_id,
            sector=call.sector,
            priority=call.priority,
            requires_dbs=bool(undecided),
            undecided=undecided,
            due_at=now + DONE_WITHIN[call.priority],
            alarm_at=now + ALARM_AFTER[call.priority],
            opened_at=now,
        )
    )


def close(task: Task, event: ReferralClosed, now: datetime) -> Step[Task]:
    """Intake closed the referral. The task of a need that the event does not list stays: the need came up later.

    So does the task of a need that the event calls referred on: Community Solutions has given it back since, and a call
    has asked about it again. So does a task that was reported as done by a slip: intake hears of that after it has closed
    the referral.
    """
    undone = task.last is not None and task.last.what is Report.UNDONE
    later = {NeedState.REFERRED_ON, NeedState.MET} if undone else {NeedState.REFERRED_ON}
    listed = task.need_id is None or any(
        task.need_id == need.need_id and need.state not in later for need in event.needs
    )
    return cancel(task, Reason.REFERRAL_CLOSED, now) if listed else Step(task)


def leave_area(task: Task, call: WelfareCall, now: datetime) -> Step[Task]:
    """Routing found the home out of area: nobody of here goes there any more, but for what is about somebody's safety."""
    wanted = task.need_id is None or call.wants(task.need_id)
    stays = wanted and not call.ended
    return Step(task) if stays else cancel(task, Reason.OUT_OF_AREA, now)


def take_back(task: Task, reason: str, now: datetime) -> Step[Task]:
    """Take the task from its volunteer: an offer goes to the next one, an accepted task has failed for `reason`."""
    match task.state, task.volunteer_id:
        case TaskState.OFFERED, _:
            return _let_go(task, now)
        case TaskState.ACCEPTED, UUID() as volunteer_id:
            return fail(task, volunteer_id, reason, now)
        case _:
            return Step(task)


def withhold(task: Task, reason: str, now: datetime) -> Step[Task]:
    """The volunteer must not do it: an offer is withdrawn, an accepted task is handed back, for `reason`.

    It is no fault of the volunteer: no failure is counted, and they may be asked again.
    """
    again = replace(
        _reopened(task), asked=task.asked, returned_because=reason, alarm_at=now + ALARM_AFTER[task.priority]
    )
    match task.state, task.volunteer_id:
        case TaskState.OFFERED, UUID() as volunteer_id:
            told = TaskOfferWithdrawn(
                **about(task), volunteer_id=volunteer_id, reason=reason, withdrawn_at=now
            )
            if task.offers_made % OFFERS_BEFORE_ALARM == 0:
                return _alarm(task, again, now, told)
            return moved(task, again, told)
        case TaskState.ACCEPTED, UUID() as volunteer_id:
            return moved(
                task,
                again,
                TaskFailed(**about(task), volunteer_id=volunteer_id, reason=reason, failed_at=now),
            )
        case _:
            return Step(task)


def follow_volunteer(task: Task, before: Volunteer, after: Volunteer, now: datetime) -> Step[Task]:
    """The task's volunteer left, paused, went off duty, or may do other things than before.

    Who pauses or goes off duty keeps what they accepted, while they may do it.
    """
    unfit = after.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=now)
    if unfit is Reason.VOLUNTEER_LEFT:
        return take_back(task, unfit, now)
    if (
        unfit is not Reason.VOLUNTEER_SUSPENDED
        and task.hub_id in before.hub_ids
        and task.hub_id not in after.hub_ids
    ):
        unfit = Reason.HUB_NOT_HELPED
    if unfit is not None:
        return withhold(task, unfit, now)
    idle = not after.takes_offers and task.state is TaskState.OFFERED
    return take_back(task, "volunteer-paused", now) if idle else Step(task)


def on_deadline(task: Task, now: datetime) -> Step[Task]:
    """The task's deadline has come: an offer ran out, an alarm is due, or an accepted task is long overdue."""
    if task.deadline_at is None or task.deadline_at > now:
        return Step(task)
    match task.state:
        case TaskState.OPEN:
            # everybody may be asked once more: perhaps they have time by now
            return _alarm(task, replace(task, asked=()), now)
        case _:
            return take_back(task, Reason.NOT_DONE_IN_TIME, now)


def raise_concern(task: Task, concern_id: UUID, code: str, now: datetime) -> Step[Task]:
    """A volunteer saw something that worries them. They may say so in every state, also long after."""
    told = TaskConcernRaised(
        task_id=task.task_id,
        referral_id=task.referral_id,
        concern_id=concern_id,
        code=code,
        lane=Lane.SAFEGUARDING,
        raised_at=now,
    )
    return Step(task, (told,))


def moved(before: Task | None, after: Task, *events: BaseModel) -> Step[Task]:
    """A step whose deadline follows the state."""
    kept = before is not None and before.deadline_at == after.deadline_at
    return Step(after, events, {} if kept else {DEADLINE: after.deadline_at})


def _must_be_fit(task: Task, volunteer: Volunteer, now: datetime) -> None:
    unfit = volunteer.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=now)
    if unfit is not None:
        raise NotAllowedError(
            unfit, f"{_UNFIT[unfit]} Somebody else is asked: the coordinator can tell you more."
        )


_UNFIT = {
    Reason.VOLUNTEER_LEFT: "This volunteer has left.",
    Reason.VOLUNTEER_SUSPENDED: "Somebody looks into a concern about this volunteer.",
    Reason.HUB_NOT_HELPED: "This volunteer does not help this hub.",
    Reason.KIND_NOT_OFFERED: "This volunteer does not do this kind of task any more.",
    Reason.CHECK_MISSING: "The task requires an enhanced DBS check that is in force, and this volunteer has none.",
}


def about(task: Task) -> dict[str, Any]:
    """What every event of a task says."""
    return {
        "task_id": task.task_id,
        "referral_id": task.referral_id,
        "need_id": task.need_id,
        "parcel_id": task.parcel_id,
        "kind": task.kind,
    }


def _must_be(task: Task, state: TaskState, volunteer_id: UUID, otherwise: str) -> None:
    if task.state is not state or task.volunteer_id != volunteer_id:
        raise NotAllowedError("task-not-yours", f"{otherwise}: the task is {task.state.value}.")


def _opened(task: Task) -> Step[Task]:
    told = TaskOpened(
        **about(task),
        hub_id=task.hub_id,
        priority=task.priority,
        due_at=task.due_at,
        requires_dbs=task.requires_dbs,
        opened_at=task.opened_at,
    )
    return moved(None, task, told)


def _reopened(task: Task) -> Task:
    asked = (*task.asked, task.volunteer_id) if task.volunteer_id else task.asked
    return replace(
        task,
        state=TaskState.OPEN,
        volunteer_id=None,
        offer_expires_at=None,
        do_by=None,
        asked=asked,
    )


def _let_go(task: Task, now: datetime) -> Step[Task]:
    again = _reopened(task)
    return moved(task, again) if task.offers_made % OFFERS_BEFORE_ALARM else _alarm(task, again, now)


def _alarm(before: Task, after: Task, now: datetime, *told: BaseModel) -> Step[Task]:
    """Nobody was found in time: somebody must look, while offers continue."""
    alarmed = replace(after, unfilled=True, alarm_at=now + ALARM_AFTER[after.priority])
    unfilled = TaskUnfilled(
        **about(after),
        hub_id=after.hub_id,
        priority=after.priority,
        offers_made=after.offers_made,
        unfilled_at=now,
    )
    return moved(before, alarmed, *told, unfilled)
