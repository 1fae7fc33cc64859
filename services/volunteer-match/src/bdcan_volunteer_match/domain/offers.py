"""Offers: who was asked for which task, why, and how it ended. A task has one live offer at most."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from bdcan_volunteer_match.domain.matching import Chosen
from bdcan_volunteer_match.domain.task import Report, Task, TaskState


class OfferState(StrEnum):
    """What became of an offer. `withdrawn`: it was taken back, and not because of the volunteer."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Offer(Struct, frozen=True):
    """An offer of a task to a volunteer. `because` and `not_asked` (by reason): see `matching.Chosen`.

    `caller` and `reason`: which account offered it by hand, and why.
    """

    task_id: UUID
    number: int
    """Counts the offers of the task from 1."""
    volunteer_id: UUID
    offered_at: datetime
    expires_at: datetime
    state: OfferState = OfferState.OFFERED
    ended_at: datetime | None = None
    ring: str | None = None
    metres: int | None = None
    because: tuple[str, ...] = ()
    not_asked: dict[str, int] = field(default_factory=dict)
    caller: str | None = None
    reason: str | None = None


def begins(before: Task | None, after: Task) -> bool:
    """Whether somebody is asked anew. An offer that returns after an undone refusal is the old one."""
    return after.state is TaskState.OFFERED and (before is None or after.offers_made > before.offers_made)


def returns(before: Task | None, after: Task) -> bool:
    """Whether an earlier offer is live again, because a refusal was undone."""
    if before is None or after.state is not TaskState.OFFERED or begins(before, after):
        return False
    return before.state is not TaskState.OFFERED or before.volunteer_id != after.volunteer_id


def ended_as(before: Task | None, after: Task) -> OfferState | None:
    """What became of the offer that was live before; None where there was none, or it still is."""
    if before is None or before.state is not TaskState.OFFERED:
        return None
    who = before.volunteer_id
    if after.volunteer_id == who and after.state is TaskState.OFFERED and not begins(before, after):
        return None
    if after.volunteer_id == who and after.state in (TaskState.ACCEPTED, TaskState.DONE):
        return OfferState.ACCEPTED
    told = after.last
    if told is not None and told != before.last and told.what is Report.REFUSED and told.volunteer_id == who:
        return OfferState.REFUSED
    return OfferState.EXPIRED if who in after.asked else OfferState.WITHDRAWN


def plain_offer(task: Task, now: datetime) -> Offer:
    """The offer of an offered task, without reasons."""
    assert task.volunteer_id is not None and task.offer_expires_at is not None  # noqa: S101, PT018 # it is offered
    return Offer(task.task_id, task.offers_made, task.volunteer_id, now, task.offer_expires_at)


def explained(
    task: Task, chosen: Chosen, now: datetime, caller: str | None = None, reason: str | None = None
) -> Offer:
    """The offer of an offered task, with the reasons; by hand if `caller` is named."""
    return replace(
        plain_offer(task, now),
        ring=chosen.ring,
        metres=chosen.metres,
        because=chosen.because,
        not_asked=chosen.not_asked,
        caller=caller,
        reason=reason,
    )
