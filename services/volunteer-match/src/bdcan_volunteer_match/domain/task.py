"""One thing that one volunteer does: open → offered → accepted → done | cancelled.

A failed try is an event, not an end: the task is open again for the next volunteer. So is `unfilled`: an alarm that
somebody must look, while offers go on. A task that is not at its end always has one deadline, `deadline_at`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    Flag,
    NeedCode,
    ParcelPacked,
    Priority,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskConcernRaised,
    TaskFailed,
    TaskKind,
    TaskOffered,
    TaskOpened,
    TaskUnfilled,
)
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.errors import NotAllowedError

OFFER_FOR = timedelta(hours=2)
"""How long a volunteer may think about an offer."""

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
"""How long a task may stay open before somebody is told; then again and again."""

LEAST_TIME_TO_DO = timedelta(hours=4)
"""A volunteer who accepts late still gets this long."""

GRACE = timedelta(hours=24)
"""How long after its time an accepted task is waited for, before it is given to somebody else."""

KIND_OF = {
    NeedCode.SHOPPING: TaskKind.SHOPPING,
    NeedCode.PRESCRIPTION: TaskKind.PRESCRIPTION,
    NeedCode.BEFRIENDING_CALL: TaskKind.BEFRIENDING_CALL,
    NeedCode.TRANSPORT: TaskKind.TRANSPORT,
    NeedCode.ERRAND: TaskKind.ERRAND,
    NeedCode.LEAFLETTING: TaskKind.LEAFLETTING,
}
"""The needs of the community lane, and what a volunteer does for each."""


class TaskState(StrEnum):
    """Where a task stands; the last two are ends."""

    OPEN = "open"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DONE = "done"
    CANCELLED = "cancelled"


ENDS = frozenset({TaskState.DONE, TaskState.CANCELLED})


class Task(Struct, frozen=True):
    """A task. `asked` are the volunteers who let it go by since the last alarm. `revision` 0: not saved yet."""

    task_id: UUID
    referral_id: UUID
    kind: TaskKind
    hub_id: str
    priority: Priority
    requires_dbs: bool
    due_at: datetime
    alarm_at: datetime
    opened_at: datetime
    need_id: UUID | None = None
    parcel_id: UUID | None = None
    state: TaskState = TaskState.OPEN
    revision: int = 0
    volunteer_id: UUID | None = None
    offer_expires_at: datetime | None = None
    do_by: datetime | None = None
    offers_made: int = 0
    failures: int = 0
    unfilled: bool = False
    asked: tuple[UUID, ...] = ()
    settled_at: datetime | None = None

    @property
    def deadline_at(self) -> datetime | None:
        """When the task is looked at again, whatever happens; None at its end."""
        match self.state:
            case TaskState.OPEN:
                return self.alarm_at
            case TaskState.OFFERED:
                return self.offer_expires_at
            case TaskState.ACCEPTED:
                return self.do_by and self.do_by + GRACE
            case _:
                return None


TaskEvent: TypeAlias = (
    TaskOpened
    | TaskOffered
    | TaskAccepted
    | TaskCompleted
    | TaskFailed
    | TaskCancelled
    | TaskUnfilled
    | TaskConcernRaised
)


class Decided(NamedTuple):
    """The task as it now stands, and what to tell the world."""

    task: Task
    events: tuple[TaskEvent, ...] = ()


def requires_dbs(kind: TaskKind, flags: tuple[Flag, ...]) -> bool:
    """Whether English law asks for an enhanced DBS check (regulated activity because of age or illness).

    Medicines and driving to care always do; shopping, which is another's money, where the resident is shielding.
    """
    if kind in (TaskKind.PRESCRIPTION, TaskKind.TRANSPORT):
        return True
    return kind is TaskKind.SHOPPING and Flag.SHIELDING in flags


def for_need(call: WelfareCall, need: CalledNeed, now: datetime) -> Decided | None:
    """The task that a need of an answered call opens; None where it is no volunteer's, or was declined."""
    kind = KIND_OF.get(need.code)
    if kind is None or need.result is CallNeedResult.DECLINED or call.hub_id is None:
        return None
    return _opened(
        Task(
            task_id=uuid5(need.need_id, "task"),
            referral_id=call.referral_id,
            need_id=need.need_id,
            kind=kind,
            hub_id=call.hub_id,
            priority=call.priority,
            requires_dbs=requires_dbs(kind, call.flags),
            due_at=now + DONE_WITHIN[call.priority],
            alarm_at=now + ALARM_AFTER[call.priority],
            opened_at=now,
        )
    )


def delivery_task_id(parcel_id: UUID) -> UUID:
    """The id of the task that brings a parcel to the door."""
    return uuid5(parcel_id, "delivery")


def for_parcel(event: ParcelPacked, hub_id: str | None, now: datetime) -> Decided:
    """The delivery of a packed parcel, by volunteers of `hub_id`: the referral's hub now, else the parcel's."""
    return _opened(
        Task(
            task_id=delivery_task_id(event.parcel_id),
            referral_id=event.referral_id,
            need_id=event.need_id,
            parcel_id=event.parcel_id,
            kind=TaskKind.PARCEL_DELIVERY,
            hub_id=hub_id or event.hub_id,
            priority=event.priority,
            requires_dbs=False,
            due_at=event.due_at,
            alarm_at=now + ALARM_AFTER[event.priority],
            opened_at=now,
        )
    )


def _opened(task: Task) -> Decided:
    return Decided(
        task,
        (
            TaskOpened(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                hub_id=task.hub_id,
                priority=task.priority,
                due_at=task.due_at,
                requires_dbs=task.requires_dbs,
                opened_at=task.opened_at,
            ),
        ),
    )


def offer(task: Task, volunteer_id: UUID, now: datetime) -> Decided:
    """Put an open task to a volunteer. Raises NotAllowedError."""
    if task.state is not TaskState.OPEN:
        raise NotAllowedError("task-not-open", f"The task is {task.state.value}.")
    offered = replace(
        task,
        state=TaskState.OFFERED,
        volunteer_id=volunteer_id,
        offer_expires_at=now + OFFER_FOR,
        offers_made=task.offers_made + 1,
    )
    return Decided(
        offered,
        (
            TaskOffered(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                volunteer_id=volunteer_id,
                expires_at=now + OFFER_FOR,
                offered_at=now,
            ),
        ),
    )


def accept(task: Task, volunteer_id: UUID, now: datetime) -> Decided:
    """The volunteer takes the task on. Accepting it again changes nothing. Raises NotAllowedError."""
    if task.state is TaskState.ACCEPTED and task.volunteer_id == volunteer_id:
        return Decided(task)
    _must_be(task, TaskState.OFFERED, volunteer_id, "This offer is not this volunteer's, or has run out")
    do_by = max(task.due_at, now + LEAST_TIME_TO_DO)
    return Decided(
        replace(task, state=TaskState.ACCEPTED, do_by=do_by, offer_expires_at=None, unfilled=False),
        (
            TaskAccepted(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                volunteer_id=volunteer_id,
                due_at=do_by,
                accepted_at=now,
            ),
        ),
    )


def refuse(task: Task, volunteer_id: UUID, now: datetime) -> Decided:
    """The volunteer does not want it: on to the next. Raises NotAllowedError."""
    if task.state is TaskState.OPEN and volunteer_id in task.asked:
        return Decided(task)
    _must_be(task, TaskState.OFFERED, volunteer_id, "This offer is not this volunteer's, or has run out")
    return _let_go(task, now)


def complete(task: Task, volunteer_id: UUID, now: datetime) -> Decided:
    """The task is done. Reporting it again changes nothing. Raises NotAllowedError."""
    if task.state is TaskState.DONE and task.volunteer_id == volunteer_id:
        return Decided(task)
    _must_be(task, TaskState.ACCEPTED, volunteer_id, "The task is not in this volunteer's hands")
    return Decided(
        replace(task, state=TaskState.DONE, settled_at=now, unfilled=False, do_by=None),
        (
            TaskCompleted(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                volunteer_id=volunteer_id,
                completed_at=now,
            ),
        ),
    )


def fail(task: Task, volunteer_id: UUID, reason: str, now: datetime) -> Decided:
    """The volunteer tried and could not, or cannot any more: open again for somebody else. Raises NotAllowedError."""
    _must_be(task, TaskState.ACCEPTED, volunteer_id, "The task is not in this volunteer's hands")
    failures = task.failures + 1
    again = _reopened(replace(task, failures=failures, alarm_at=now + ALARM_AFTER[task.priority]))
    failed = TaskFailed(
        task_id=task.task_id,
        referral_id=task.referral_id,
        need_id=task.need_id,
        parcel_id=task.parcel_id,
        kind=task.kind,
        volunteer_id=volunteer_id,
        reason=reason,
        failed_at=now,
    )
    if failures % FAILURES_BEFORE_ALARM:
        return Decided(again, (failed,))
    alarmed, alarm = _alarm(again, now)
    return Decided(alarmed, (failed, *alarm))


def cancel(task: Task, reason: str, now: datetime) -> Decided:
    """The task is no longer wanted. One that is at its end stays as it is."""
    if task.state in ENDS:
        return Decided(task)
    return Decided(
        replace(
            task,
            state=TaskState.CANCELLED,
            volunteer_id=None,
            settled_at=now,
            unfilled=False,
            do_by=None,
            offer_expires_at=None,
        ),
        (
            TaskCancelled(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                volunteer_id=task.volunteer_id,
                reason=reason,
                cancelled_at=now,
            ),
        ),
    )


def take_back(task: Task, reason: str, now: datetime) -> Decided:
    """The volunteer pauses or leaves: an offer goes on to the next, a task in hand has failed for `reason`."""
    match task.state, task.volunteer_id:
        case TaskState.OFFERED, _:
            return _let_go(task, now)
        case TaskState.ACCEPTED, UUID() as volunteer_id:
            return fail(task, volunteer_id, reason, now)
        case _:
            return Decided(task)


def on_deadline(task: Task, now: datetime) -> Decided:
    """The task's deadline has come: an offer ran out, an alarm is due, or what was accepted is long overdue."""
    if task.deadline_at is None or task.deadline_at > now:
        return Decided(task)
    match task.state:
        case TaskState.OPEN:
            # those who let it go by may be asked once more: perhaps they can by now
            return _alarm(replace(task, asked=()), now)
        case _:
            return take_back(task, "not-done-in-time", now)


def move(task: Task, hub_id: str) -> Decided:
    """The referral has another hub: from now on that hub's volunteers are asked. Who has it in hand keeps it."""
    return Decided(task if task.state in ENDS else replace(task, hub_id=hub_id))


def raise_concern(task: Task, concern_id: UUID, code: NeedCode, now: datetime) -> TaskConcernRaised:
    """A volunteer saw something that worries them; possible in every state, also long after."""
    return TaskConcernRaised(
        task_id=task.task_id, referral_id=task.referral_id, concern_id=concern_id, code=code, raised_at=now
    )


def _must_be(task: Task, state: TaskState, volunteer_id: UUID, otherwise: str) -> None:
    if task.state is not state or task.volunteer_id != volunteer_id:
        raise NotAllowedError("task-not-yours", f"{otherwise}: the task is {task.state.value}.")


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


def _let_go(task: Task, now: datetime) -> Decided:
    again = _reopened(task)
    return Decided(again) if task.offers_made % OFFERS_BEFORE_ALARM else _alarm(again, now)


def _alarm(task: Task, now: datetime) -> Decided:
    return Decided(
        replace(task, unfilled=True, alarm_at=now + ALARM_AFTER[task.priority]),
        (
            TaskUnfilled(
                task_id=task.task_id,
                referral_id=task.referral_id,
                need_id=task.need_id,
                parcel_id=task.parcel_id,
                kind=task.kind,
                hub_id=task.hub_id,
                priority=task.priority,
                offers_made=task.offers_made,
                unfilled_at=now,
            ),
        ),
    )
