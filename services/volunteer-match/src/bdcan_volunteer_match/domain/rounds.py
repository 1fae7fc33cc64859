"""A round: the stops of one person on one trip, in their order. proposed → confirmed | cancelled.

A round keeps the order and the expected times, and nothing about anybody. Whether a stop is still to be made, its task says:
a task that is cancelled, fails or goes to somebody else is no stop of the round any more, and nobody has to tell the round.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import TaskOfferWithdrawn
from bdcan_contracts.vocabulary import Reason
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.drops import Course, Doer, LeftOut, Means, Stop, WhyLeftOut
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.offers import Offer, plain_offer
from bdcan_volunteer_match.domain.task import GRACE, LEAST_TIME_TO_DO, Task, TaskState
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState

MOST_AHEAD: timedelta = LEAST_TIME_TO_DO + GRACE
"""How far ahead a round may end: an accepted task that is not done waits so long at least before somebody else is asked."""


class RoundState(StrEnum):
    """The state of a round."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Progress(StrEnum):
    """What became of a stop."""

    TO_DO = "to-do"
    DONE = "done"
    GONE = "gone"


class Round(Struct, frozen=True):
    """The round of one person. `start`: the postcode of the place where it begins and ends, which is nobody's home.

    `plan_id` is the same for all rounds of one plan. `version` counts the orders of the stops.
    """

    round_id: UUID
    plan_id: UUID
    hub_id: str
    volunteer_id: UUID
    means: Means
    room: int
    start: str
    leaves_at: datetime
    back_by: datetime
    back_at: datetime
    metres: int
    stops: tuple[Stop, ...]
    planned_by: str
    proposed_at: datetime
    start_name: str | None = None
    state: RoundState = RoundState.PROPOSED
    version: int = 1
    left_out: tuple[LeftOut, ...] = ()
    settled_at: datetime | None = None

    @property
    def doer(self) -> Doer:
        """Who goes."""
        return Doer(self.volunteer_id, self.means, self.leaves_at, self.back_by, self.room)

    @property
    def task_ids(self) -> tuple[UUID, ...]:
        """The tasks of the stops, in their order."""
        return tuple(stop.task_id for stop in self.stops)


class Place(Struct, frozen=True):
    """Where rounds begin and end: a hub, a store, a pharmacy."""

    postcode: str
    name: str | None = None


def propose(
    round_id: UUID,
    plan_id: UUID,
    hub_id: str,
    start: Place,
    doer: Doer,
    course: Course,
    by: str,
    now: datetime,
) -> Step[Round]:
    """Propose a round. No task changes before somebody confirms it."""
    return Step(
        Round(
            round_id=round_id,
            plan_id=plan_id,
            hub_id=hub_id,
            volunteer_id=doer.volunteer_id,
            means=doer.means,
            room=doer.room,
            start=start.postcode,
            start_name=start.name,
            leaves_at=doer.leaves_at,
            back_by=doer.back_by,
            back_at=course.back_at,
            metres=course.metres,
            stops=course.stops,
            planned_by=by,
            proposed_at=now,
        )
    )


def must_be_open(round_: Round, now: datetime) -> None:
    """Raise NotAllowedError for a round that nobody can confirm any more."""
    if round_.state is RoundState.CANCELLED:
        raise NotAllowedError("round-cancelled", "This round was cancelled. Plan a new one.")
    if round_.back_by <= now:
        raise NotAllowedError("round-over", "The time of this round is over. Plan a new one.")


def confirm(round_: Round, left_out: Sequence[LeftOut], now: datetime) -> Step[Round]:
    """The person goes. `left_out`: the stops whose task they could not be given. Raises NotAllowedError."""
    must_be_open(round_, now)
    gone = {one.task_id for one in left_out}
    return Step(
        replace(
            round_,
            state=RoundState.CONFIRMED,
            stops=tuple(stop for stop in round_.stops if stop.task_id not in gone),
            left_out=(*round_.left_out, *left_out),
            settled_at=now,
        )
    )


def cancel(round_: Round, now: datetime) -> Step[Round]:
    """Nobody goes. A second time changes nothing."""
    if round_.state is RoundState.CANCELLED:
        return Step(round_)
    return Step(replace(round_, state=RoundState.CANCELLED, settled_at=now))


def reorder(round_: Round, version: int, course: Course, now: datetime) -> Step[Round]:
    """Somebody put the stops in another order. Raises NotAllowedError where another order came in between."""
    must_be_open(round_, now)
    if version != round_.version:
        raise NotAllowedError(
            "round-changed",
            "Somebody changed the order of this round meanwhile. Open it again, and look first.",
        )
    return Step(
        replace(
            round_,
            stops=course.stops,
            metres=course.metres,
            back_at=course.back_at,
            version=round_.version + 1,
        )
    )


def progress(round_: Round, task: Task | None) -> Progress:
    """What became of a stop of a round, as its task says."""
    if task is None:
        return Progress.GONE
    mine = task.volunteer_id == round_.volunteer_id
    match task.state:
        case TaskState.DONE if mine and round_.state is RoundState.CONFIRMED:
            return Progress.DONE
        case TaskState.ACCEPTED if mine:
            return Progress.TO_DO
        case TaskState.OPEN | TaskState.OFFERED if round_.state is RoundState.PROPOSED:
            return Progress.TO_DO
        case _:
            return Progress.GONE


def refusal_of(task: Task | None, hub_id: str) -> WhyLeftOut | None:
    """Why a task cannot be on a round of a hub, as far as the task itself says."""
    if task is None or task.hub_id != hub_id:
        return WhyLeftOut.NOT_HERE
    if task.state in tasking.ENDS:
        return WhyLeftOut.ENDED
    if task.state is TaskState.ACCEPTED:
        return WhyLeftOut.TAKEN
    return WhyLeftOut.STOPPED if task.stopped_by else None


def may_go(task: Task, volunteer: Volunteer, now: datetime) -> bool:
    """Whether a volunteer may have a task of their hub: the rules of an offer."""
    if volunteer.state is not VolunteerState.ACTIVE or task.hub_id not in volunteer.hub_ids:
        return False
    return volunteer.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=now) is None


class Given(Struct, frozen=True):
    """How a task comes to whoever goes, step by step: each is saved before the next, so that each offer is on record."""

    withdrawn: Step[Task] | None = None
    offered: Step[Task] | None = None
    accepted: Step[Task] | None = None


def give(
    task: Task | None, hub_id: str, volunteer: Volunteer, now: datetime, calendar: Calendar
) -> Given | WhyLeftOut:
    """Give a task to whoever goes: it is offered and accepted. Returns why not, where somebody else has it, or they may not.

    An offer that another volunteer has not answered is withdrawn: a person at the hub has decided.
    """
    refusal = refusal_of(task, hub_id)
    if task is not None and refusal is WhyLeftOut.TAKEN and task.volunteer_id == volunteer.volunteer_id:
        return Given()
    if refusal is not None or task is None:
        return refusal or WhyLeftOut.NOT_HERE
    if not may_go(task, volunteer, now):
        return WhyLeftOut.NOBODY_MAY
    withdrawn = offered = None
    if task.state is TaskState.OFFERED and task.volunteer_id != volunteer.volunteer_id:
        withdrawn = _withdrawn(task, now)
        task = withdrawn.state
    if task.state is TaskState.OPEN:
        offered = tasking.offer(task, volunteer, now, calendar)
        task = offered.state
    return Given(withdrawn, offered, tasking.accept(task, volunteer, now))


def offer_of(task: Task, now: datetime, caller: str) -> Offer:
    """The offer of a task that `caller` gives to whoever goes."""
    return replace(plain_offer(task, now), caller=caller, reason=Reason.GIVEN_TO_A_ROUND)


def _withdrawn(task: Task, now: datetime) -> Step[Task]:
    free = replace(task, state=TaskState.OPEN, volunteer_id=None, offer_expires_at=None)
    assert task.volunteer_id is not None  # noqa: S101 # an offered task has somebody
    told = TaskOfferWithdrawn(
        **tasking.about(task),
        volunteer_id=task.volunteer_id,
        reason=Reason.GIVEN_TO_A_ROUND,
        withdrawn_at=now,
    )
    return tasking.moved(task, free, told)
