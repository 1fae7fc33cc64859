"""A volunteer, without name or telephone number: enquired → active ⇄ paused → left."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import (
    TaskKind,
    VolunteerActivated,
    VolunteerEnquiryReceived,
    VolunteerLeft,
    VolunteerPaused,
)
from bdcan_volunteer_match.domain.errors import NotAllowedError

WELCOME_WITHIN = timedelta(days=2)
"""How soon somebody who wants to help hears from us."""


class VolunteerState(StrEnum):
    """Where a volunteer stands."""

    ENQUIRED = "enquired"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


class Volunteer(Struct, frozen=True):
    """What offers are decided by. `version` counts the events told about the volunteer."""

    volunteer_id: UUID
    state: VolunteerState = VolunteerState.ENQUIRED
    version: int = 0
    hub_ids: tuple[str, ...] = ()
    task_kinds: tuple[TaskKind, ...] = ()
    dbs_cleared: bool = False
    has_car: bool = False
    welcome_by: datetime | None = None
    paused_until: datetime | None = None


class Offering(Struct, frozen=True):
    """What somebody is ready to do, as agreed with them."""

    hub_ids: tuple[str, ...]
    task_kinds: tuple[TaskKind, ...]
    dbs_cleared: bool = False
    has_car: bool = False


VolunteerEvent: TypeAlias = VolunteerActivated | VolunteerPaused | VolunteerLeft


class Moved(NamedTuple):
    """The volunteer as they now stand, and what to tell the world."""

    volunteer: Volunteer
    events: tuple[VolunteerEvent, ...] = ()


def enquired(event: VolunteerEnquiryReceived) -> Volunteer:
    """Somebody wants to help: they are to be welcomed by a person."""
    return Volunteer(
        volunteer_id=uuid5(event.enquiry_id, "volunteer"),
        task_kinds=event.task_kinds,
        has_car=bool(event.has_car),
        welcome_by=event.received_at + WELCOME_WITHIN,
    )


def activate(volunteer: Volunteer, offering: Offering, now: datetime) -> Moved:
    """They can be asked from now on, or what they offer changed. The same once more changes nothing.

    Raises NotAllowedError for somebody who left: they come back with a new enquiry.
    """
    _must_not_have_left(volunteer)
    active = replace(
        volunteer,
        state=VolunteerState.ACTIVE,
        hub_ids=offering.hub_ids,
        task_kinds=offering.task_kinds,
        dbs_cleared=offering.dbs_cleared,
        has_car=offering.has_car,
        welcome_by=None,
        paused_until=None,
    )
    if active == volunteer:
        return Moved(volunteer)
    return _told_active(replace(active, version=volunteer.version + 1), now)


def _told_active(volunteer: Volunteer, now: datetime) -> Moved:
    return Moved(
        volunteer,
        (
            VolunteerActivated(
                volunteer_id=volunteer.volunteer_id,
                version=volunteer.version,
                hub_ids=volunteer.hub_ids,
                task_kinds=volunteer.task_kinds,
                dbs_cleared=volunteer.dbs_cleared,
                has_car=volunteer.has_car,
                activated_at=now,
            ),
        ),
    )


def pause(volunteer: Volunteer, until: datetime | None, now: datetime) -> Moved:
    """They want no offers for now; with `until`, they are asked again from then on. Raises NotAllowedError."""
    _must_not_have_left(volunteer)
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet.")
    if volunteer.state is VolunteerState.PAUSED and volunteer.paused_until == until:
        return Moved(volunteer)
    paused = replace(
        volunteer, state=VolunteerState.PAUSED, paused_until=until, version=volunteer.version + 1
    )
    return Moved(
        paused,
        (
            VolunteerPaused(
                volunteer_id=paused.volunteer_id,
                version=paused.version,
                hub_ids=paused.hub_ids,
                task_kinds=paused.task_kinds,
                dbs_cleared=paused.dbs_cleared,
                has_car=paused.has_car,
                until=until,
                paused_at=now,
            ),
        ),
    )


def come_back(volunteer: Volunteer, now: datetime) -> Moved:
    """The day has come that they named when they paused."""
    if volunteer.state is not VolunteerState.PAUSED or volunteer.paused_until is None:
        return Moved(volunteer)
    if volunteer.paused_until > now:
        return Moved(volunteer)
    return _told_active(
        replace(volunteer, state=VolunteerState.ACTIVE, paused_until=None, version=volunteer.version + 1),
        now,
    )


def leave(volunteer: Volunteer, now: datetime) -> Moved:
    """They left for good. Leaving again changes nothing."""
    if volunteer.state is VolunteerState.LEFT:
        return Moved(volunteer)
    gone = replace(
        volunteer,
        state=VolunteerState.LEFT,
        version=volunteer.version + 1,
        welcome_by=None,
        paused_until=None,
    )
    return Moved(gone, (VolunteerLeft(volunteer_id=gone.volunteer_id, version=gone.version, left_at=now),))


def _must_not_have_left(volunteer: Volunteer) -> None:
    if volunteer.state is VolunteerState.LEFT:
        raise NotAllowedError("left", "This volunteer has left.")
