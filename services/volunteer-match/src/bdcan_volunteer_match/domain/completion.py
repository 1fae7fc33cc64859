"""What a volunteer reports when a task is done, wholly or in part: each kind of task has its form.

What is missing of a task that was done in part opens it again. The forms are data: a test tries each cell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Problem
from bdcan_contracts.vocabulary import Reason, TaskKind
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.domain.task import Report, Task, TaskState, Told, complete, fail, withhold


class Handed(StrEnum):
    """To whom something went."""

    RESIDENT = "resident"
    HOUSEHOLD = "household"
    NEIGHBOUR = "neighbour"
    LEFT_SAFE = "left-safe"


class HowTheyWere(StrEnum):
    """How the resident was."""

    WELL = "well"
    LOW = "low"
    UNWELL = "unwell"
    CONFUSED = "confused"
    NOT_SEEN = "not-seen"


class Missing(StrEnum):
    """What is missing of a task that was done in part."""

    OUT_OF_STOCK = "out-of-stock"
    NOT_READY = "not-ready"
    CLOSED = "closed"
    MONEY = "not-enough-money"
    TIME = "no-time-left"


class Form(Struct, frozen=True):
    """Which fields a kind of task asks for. `parts`: whether it can be done in part."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    parts: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.required, *self.optional)


FIELDS = ("spent_pence", "receipt", "change_pence", "handed", "bags", "arrived", "seen", "homes")
"""Every field that some form has."""

_MONEY = ("spent_pence", "receipt", "change_pence")

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        TaskKind.SHOPPING: Form(("spent_pence",), ("receipt", "change_pence", "handed", "seen"), parts=True),
        TaskKind.PRESCRIPTION: Form(("bags", "handed"), ("seen",), parts=True),
        TaskKind.PARCEL_DELIVERY: Form(optional=("handed", "bags", "seen")),
        TaskKind.TRANSPORT: Form(optional=("arrived", "seen")),
        TaskKind.BEFRIENDING_CALL: Form(optional=("seen",)),
        TaskKind.DOORSTEP_VISIT: Form(optional=("seen",)),
        TaskKind.ERRAND: Form(optional=(*_MONEY, "handed", "seen"), parts=True),
        TaskKind.LEAFLETTING: Form(optional=("homes",), parts=True),
    }
)
"""Kind → form. Somebody else's money and medicines need an account; all else may be left out, as older programs do."""

_UNKNOWN = Form(optional=FIELDS, parts=True)
"""The form of a kind that this release does not know."""


class Completion(Struct, frozen=True):
    """One report. `missing` is empty where the task is done. `caller`: the account that said so."""

    task_id: UUID
    referral_id: UUID
    volunteer_id: UUID
    caller: str
    kind: str
    missing: tuple[str, ...] = ()
    spent_pence: int | None = None
    receipt: bool | None = None
    change_pence: int | None = None
    handed: str | None = None
    bags: int | None = None
    arrived: bool | None = None
    seen: str | None = None
    homes: int | None = None


def must_fit(kind: str, filled: Mapping[str, object], missing: Collection[str]) -> None:
    """Raise FindingsError where the fields are not those of the kind's form; it names each and what is needed."""
    form = FORMS.get(kind, _UNKNOWN)
    asks = ", ".join(form.fields)
    problems = [
        Problem(name, "missing", f"is missing: the form of {kind} requires it")
        for name in form.required
        if name not in filled
    ]
    problems += [
        Problem(name, "not-asked", f"is not on the form of {kind}: it asks for {asks}")
        for name in filled
        if name not in form.fields
    ]
    if filled.get("arrived") is False:
        problems.append(Problem("arrived", "not-done", "is false: report a failure, with a reason"))
    if missing and not form.parts:
        problems.append(
            Problem("missing", "no-parts", f"does not go with {kind}: it is done, or report a failure")
        )
    if problems:
        raise FindingsError(problems)


def finish(
    task: Task, volunteer_id: UUID, filled: Mapping[str, object], missing: Collection[str], now: datetime
) -> Step[Task]:
    """The task is done, or done in part. Raises NotAllowedError, and FindingsError for the wrong form.

    What is missing opens the task again. It is no failure of the volunteer, who may be asked again. A second report of a
    task that is done changes nothing: the first one stands.
    """
    if task.state is TaskState.DONE or not missing:
        step = complete(task, volunteer_id, now)
        must_fit(task.kind, filled, missing)
        return step
    if task.state is not TaskState.ACCEPTED or task.volunteer_id != volunteer_id:
        raise NotAllowedError(
            "task-not-yours", f"The task is not in this volunteer's hands: the task is {task.state.value}."
        )
    must_fit(task.kind, filled, missing)
    told = Told(Report.PARTLY, volunteer_id, now, task.do_by)
    step = withhold(task, Reason.PARTLY_DONE, now)
    return Step(replace(step.state, last=told), step.events, step.deadlines)


def did_not_come(task: Task, now: datetime) -> Step[Task]:
    """The volunteer who accepted did not come: the task is open again for somebody else. Raises NotAllowedError."""
    if task.state is not TaskState.ACCEPTED or task.volunteer_id is None:
        raise NotAllowedError(
            "nobody-has-it", f"Nobody has accepted the task: the task is {task.state.value}. Open it again."
        )
    return fail(task, task.volunteer_id, Reason.VOLUNTEER_DID_NOT_COME, now)
