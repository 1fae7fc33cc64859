"""Who has a task in hand, as volunteer-match tells it: only they may read what the task is about, and only meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import TaskAccepted, TaskCancelled, TaskCompleted, TaskFailed, TaskReopened
from bdcan_contracts.vocabulary import TaskKind
from bdcan_intake.domain.audience import is_sensitive
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.note import Note, all_notes
from bdcan_intake.domain.referral import Referral

D = TypeVar("D", TaskAccepted, TaskReopened, TaskCompleted, TaskFailed, TaskCancelled)


class TaskInHand(Struct, frozen=True):
    """A task that somebody has accepted once. `volunteer_id`: who has it now. `told_at`: the last event about it."""

    task_id: UUID
    referral_id: UUID
    kind: str
    told_at: datetime
    need_id: UUID | None = None
    volunteer_id: UUID | None = None


def hear(task: TaskInHand | None, event: Event[D], _now: datetime) -> Step[TaskInHand] | None:
    """A volunteer takes a task on, or does not have it any more. An older event changes nothing."""
    if task is not None and event.time < task.told_at:
        return None
    said = event.data
    doer = said.volunteer_id if isinstance(said, TaskAccepted | TaskReopened) else None
    return Step(TaskInHand(said.task_id, said.referral_id, said.kind, event.time, said.need_id, doer))


def is_wanted(task: TaskInHand, referral: Referral) -> bool:
    """Whether somebody wants the task still. Volunteer-match may not know yet that nobody does."""
    need = next((n for n in referral.needs if n.need_id == task.need_id), None)
    return referral.withdrawn_reason is None and (need is None or not need.ended)


def must_be_wanted(task: TaskInHand, referral: Referral) -> None:
    """Raise NotAllowedError where nobody wants the task any more."""
    if not is_wanted(task, referral):
        raise NotAllowedError("Nobody wants this task any more: the coordinator can tell you more.")


FROM_AFAR = frozenset({TaskKind.BEFRIENDING_CALL})
"""Kinds of task for which nobody goes to the home."""

_OF_THE_HOME = frozenset({"address", "postcode", "access", "say"})


def needed_for(kind: str, fields: Iterable[str]) -> tuple[str, ...]:
    """Those of the fields that somebody needs for a kind of task. Whoever only rings learns no address."""
    return tuple(name for name in fields if kind not in FROM_AFAR or name not in _OF_THE_HOME)


def notes_for_doer(
    referral: Referral, first: str | None, added: Iterable[Note], zone: tzinfo
) -> tuple[str | None, bool]:
    """What the doer may read of the notes, and whether some of them are withheld.

    Where a need of the referral is sensitive, notes may tell of it. Then the doer reads only those that are meant for them.
    """
    notes = list(added)
    if not any(is_sensitive(need) for need in referral.needs):
        return all_notes(first, notes, zone), False
    meant = [note for note in notes if note.for_doer]
    return all_notes(None, meant, zone), bool(first) or len(meant) < len(notes)
