"""What a plan of rounds asks for, and how a round is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from bdcan_chassis.http.bodies import Body, Slug, Text
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain import rounds as going
from bdcan_volunteer_match.domain.drops import LOADS, MOST_STOPS, WORDS, LeftOut, Means, WhyLeftOut
from bdcan_volunteer_match.domain.rounds import Progress, Round, RoundState
from bdcan_volunteer_match.domain.task import Task

MOST_DOERS = 20
"""People of one plan at most."""


class DoerBody(Body):
    """Somebody who goes, and when. Several trips are several plans."""

    volunteer_id: UUID
    means: Means
    leaves_at: AwareDatetime
    back_by: AwareDatetime
    room: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="small bags of one trip, of which a parcel takes six; left out: what the means usually carries",
    )


class WindowBody(Body):
    """When the resident of a task is at home."""

    task_id: UUID
    earliest: AwareDatetime | None = None
    latest: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.earliest and self.latest and self.latest < self.earliest:
            raise ValueError("latest must not be before earliest")
        return self


class StartBody(Body):
    """Where the rounds begin and end: the hub, a store, a pharmacy. Never somebody's home."""

    postcode: Annotated[Text, Field(min_length=5, max_length=10)]
    name: Annotated[Text, Field(min_length=1, max_length=80)] | None = None


class PlanBody(Body):
    """What is to be delivered by whom: the tasks that are named, or all of some kinds that are due by a time."""

    hub_id: Slug
    start: StartBody
    doers: list[DoerBody] = Field(min_length=1, max_length=MOST_DOERS)
    task_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=MOST_STOPS)
    kinds: list[TaskKind] | None = Field(default=None, min_length=1, max_length=len(LOADS))
    due_before: AwareDatetime | None = None
    windows: list[WindowBody] = Field(default=[], max_length=MOST_STOPS)

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.task_ids is None) == (self.kinds is None or self.due_before is None):
            raise ValueError("name task_ids, or kinds and due_before")
        return self


class OrderBody(Body):
    """The stops in the order that somebody wants. `version` is that of the round as they saw it."""

    version: int = Field(ge=1)
    task_ids: list[UUID] = Field(min_length=1, max_length=MOST_STOPS)


class LeftOutView(BaseModel):
    """A task that is in no round, and why."""

    task_id: UUID
    reason: WhyLeftOut
    words: str

    @classmethod
    def of(cls, one: LeftOut) -> Self:
        """With the reason in words."""
        return cls(task_id=one.task_id, reason=one.reason, words=WORDS[one.reason])


class StopView(BaseModel):
    """A stop: when it is reached, and what became of it. Its task says what to bring and takes the report of what was done."""

    task_id: UUID
    arrive_at: datetime
    earliest: datetime | None = None
    latest: datetime | None = None
    late: bool = Field(description="it is reached after `latest`: put it earlier, or ask the resident")
    rough: bool = Field(
        description="only the middle of the postcode's sector is known: the order may be wrong here"
    )
    progress: Progress = Field(description="`gone`: the task was cancelled, failed, or somebody else has it")
    referral_id: UUID | None = None
    kind: str | None = None
    due_at: datetime | None = None
    warnings: list[str] = []


class StartView(BaseModel):
    """Where a round begins and ends."""

    postcode: str
    name: str | None = None


class RoundView(BaseModel):
    """A round of one person."""

    round_id: UUID
    plan_id: UUID
    hub_id: str
    state: RoundState
    version: int
    volunteer_id: UUID
    means: Means
    room: int
    start: StartView
    leaves_at: datetime
    back_by: datetime
    back_at: datetime = Field(description="when the person is back, as far as is known")
    metres: int = Field(description="by road, an estimate: a third longer than the straight lines")
    stops: list[StopView]
    left_out: list[LeftOutView] = Field(description="stops whose task could not be given at the confirmation")


class PlanView(BaseModel):
    """The rounds that are proposed. A person without a round is not needed."""

    plan_id: UUID
    rounds: list[RoundView]
    left_out: list[LeftOutView]
    more: bool = Field(
        description=f"there are more than {MOST_STOPS} such tasks: plan again once these are confirmed"
    )


def view_of(found: Round, tasks: Mapping[UUID, Task]) -> RoundView:
    """A round as people see it. `tasks`: those of its stops, by id."""
    return RoundView(
        round_id=found.round_id,
        plan_id=found.plan_id,
        hub_id=found.hub_id,
        state=found.state,
        version=found.version,
        volunteer_id=found.volunteer_id,
        means=found.means,
        room=found.room,
        start=StartView(postcode=found.start, name=found.start_name),
        leaves_at=found.leaves_at,
        back_by=found.back_by,
        back_at=found.back_at,
        metres=found.metres,
        stops=[_stop(found, place, tasks) for place in range(len(found.stops))],
        left_out=list(map(LeftOutView.of, found.left_out)),
    )


def _stop(found: Round, place: int, tasks: Mapping[UUID, Task]) -> StopView:
    stop = found.stops[place]
    task = tasks.get(stop.task_id)
    view = StopView(
        task_id=stop.task_id,
        arrive_at=stop.arrive_at,
        earliest=stop.earliest,
        latest=stop.latest,
        late=stop.late,
        rough=stop.rough,
        progress=going.progress(found, task),
    )
    if task is None or view.progress is Progress.GONE:
        return view
    more = {"referral_id": task.referral_id, "kind": task.kind, "due_at": task.due_at}
    return view.model_copy(update=more | {"warnings": list(task.warnings)})
