"""A volunteer, without name or telephone number: enquired → active ⇄ paused → left."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    VolunteerActivated,
    VolunteerEnquiryReceived,
    VolunteerLeft,
    VolunteerPaused,
)
from bdcan_contracts.vocabulary import Reason
from bdcan_volunteer_match.domain.errors import NotAllowedError

RETURN = "volunteer-return"
"""Deadline: a volunteer's pause ends."""

CHECK = "volunteer-check"
"""Deadline: a volunteer's DBS check runs out."""

WELCOME_WITHIN_DAYS = 2
"""How soon a person answers an enquiry, in working days: the office promises it."""


class VolunteerState(StrEnum):
    """The state of a volunteer."""

    ENQUIRED = "enquired"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


class Volunteer(Struct, frozen=True):
    """What decides about offers. `version` counts the events of the volunteer.

    A check that has run out keeps its `dbs_expires_at`, so that a coordinator sees why `dbs_cleared` is False.
    """

    volunteer_id: UUID
    state: VolunteerState = VolunteerState.ENQUIRED
    version: int = 0
    hub_ids: tuple[str, ...] = ()
    task_kinds: tuple[str, ...] = ()
    dbs_cleared: bool = False
    has_car: bool = False
    welcome_by: datetime | None = None
    paused_until: datetime | None = None
    last_offered_at: datetime | None = None
    dbs_expires_at: datetime | None = None
    suspended: bool = False
    """Somebody looks into a concern about them: they have no task until a person activates them again."""

    def is_checked(self, now: datetime) -> bool:
        """Whether their enhanced DBS check is in force."""
        return self.dbs_cleared and (self.dbs_expires_at is None or now < self.dbs_expires_at)

    def why_unfit(self, kind: str, *, requires_dbs: bool, now: datetime) -> Reason | None:
        """Why the volunteer must not have a task of this kind; None where nothing speaks against it."""
        if self.state is VolunteerState.LEFT:
            return Reason.VOLUNTEER_LEFT
        if self.suspended:
            return Reason.VOLUNTEER_SUSPENDED
        if kind not in self.task_kinds:
            return Reason.KIND_NOT_OFFERED
        return Reason.CHECK_MISSING if requires_dbs and not self.is_checked(now) else None


class Offering(Struct, frozen=True):
    """What a volunteer has agreed to do."""

    hub_ids: tuple[str, ...]
    task_kinds: tuple[str, ...]
    dbs_cleared: bool = False
    has_car: bool = False
    dbs_expires_at: datetime | None = None


def volunteer_id_of(enquiry_id: UUID) -> UUID:
    """The id of the volunteer who sent an enquiry."""
    return uuid5(enquiry_id, "volunteer")


def enquire(
    volunteer: Volunteer | None, event: VolunteerEnquiryReceived, calendar: Calendar
) -> Step[Volunteer] | None:
    """Somebody wants to help: a person has to welcome them. None for an enquiry that is known."""
    if volunteer is not None:
        return None
    return Step(
        Volunteer(
            volunteer_id=volunteer_id_of(event.enquiry_id),
            task_kinds=event.task_kinds,
            has_car=bool(event.has_car),
            welcome_by=calendar.add_working_days(event.received_at, WELCOME_WITHIN_DAYS),
        )
    )


def activate(volunteer: Volunteer, offering: Offering, now: datetime) -> Step[Volunteer]:
    """The volunteer may be asked from now on, or offers something else. The same again changes nothing.

    Raises NotAllowedError for somebody who left: they come back with a new enquiry.
    """
    _must_not_have_left(volunteer)
    active = replace(
        volunteer,
        state=VolunteerState.ACTIVE,
        hub_ids=offering.hub_ids,
        task_kinds=offering.task_kinds,
        dbs_cleared=offering.dbs_cleared,
        dbs_expires_at=offering.dbs_expires_at,
        has_car=offering.has_car,
        welcome_by=None,
        paused_until=None,
        suspended=False,
    )
    return Step(volunteer) if active == volunteer else _activated(volunteer, active, now)


def pause(volunteer: Volunteer, until: datetime | None, now: datetime) -> Step[Volunteer]:
    """The volunteer wants no offers for now; with `until`, offers start again then. Raises NotAllowedError."""
    _must_not_have_left(volunteer)
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet.")
    if volunteer.state is VolunteerState.PAUSED and volunteer.paused_until == until:
        return Step(volunteer)
    if volunteer.suspended:
        raise NotAllowedError("suspended", "This volunteer is suspended: only an activation lifts that.")
    return _paused(volunteer, replace(volunteer, state=VolunteerState.PAUSED, paused_until=until), now)


def suspend(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """There is a concern about the volunteer: they give back all that they have, and get nothing. Raises NotAllowedError.

    It lasts until a person activates them again. A second time changes nothing.
    """
    _must_not_have_left(volunteer)
    if volunteer.suspended:
        return Step(volunteer)
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet.")
    return _paused(
        volunteer, replace(volunteer, state=VolunteerState.PAUSED, paused_until=None, suspended=True), now
    )


def come_back(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The pause is over."""
    if volunteer.paused_until is None or volunteer.paused_until > now:
        return Step(volunteer)
    active = replace(volunteer, state=VolunteerState.ACTIVE, paused_until=None)
    return _activated(volunteer, active, now)


def lapse_check(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The check has run out: no tasks that require one, until somebody records a new check."""
    if not volunteer.dbs_cleared or volunteer.is_checked(now):
        return Step(volunteer)
    unchecked = replace(volunteer, dbs_cleared=False)
    if volunteer.state is VolunteerState.PAUSED:
        return _paused(volunteer, unchecked, now)
    return _activated(volunteer, unchecked, now)


def leave(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer leaves for good. A second time changes nothing."""
    if volunteer.state is VolunteerState.LEFT:
        return Step(volunteer)
    gone = replace(
        volunteer,
        state=VolunteerState.LEFT,
        version=volunteer.version + 1,
        welcome_by=None,
        paused_until=None,
        dbs_cleared=False,
        dbs_expires_at=None,
        suspended=False,
    )
    told = VolunteerLeft(volunteer_id=gone.volunteer_id, version=gone.version, left_at=now)
    return _moved(volunteer, gone, told)


def asked(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer gets an offer: the others come first next time."""
    return Step(replace(volunteer, last_offered_at=now))


def _activated(before: Volunteer, active: Volunteer, now: datetime) -> Step[Volunteer]:
    after = replace(active, version=before.version + 1)
    return _moved(before, after, VolunteerActivated(**_about(after), activated_at=now))


def _paused(before: Volunteer, paused: Volunteer, now: datetime) -> Step[Volunteer]:
    after = replace(paused, version=before.version + 1)
    return _moved(before, after, VolunteerPaused(**_about(after), until=after.paused_until, paused_at=now))


def _moved(before: Volunteer, after: Volunteer, *events: BaseModel) -> Step[Volunteer]:
    """A step whose deadlines follow the pause and the check."""
    deadlines: dict[str, datetime | None] = {}
    if before.paused_until != after.paused_until:
        deadlines[RETURN] = after.paused_until
    if (ends := _check_ends(after)) != _check_ends(before):
        deadlines[CHECK] = ends
    return Step(after, events, deadlines)


def _check_ends(volunteer: Volunteer) -> datetime | None:
    return volunteer.dbs_expires_at if volunteer.dbs_cleared else None


def _about(volunteer: Volunteer) -> dict[str, Any]:
    """What every event of a volunteer who has not left says."""
    return {
        "volunteer_id": volunteer.volunteer_id,
        "version": volunteer.version,
        "hub_ids": volunteer.hub_ids,
        "task_kinds": volunteer.task_kinds,
        "dbs_cleared": volunteer.dbs_cleared,
        "has_car": volunteer.has_car,
    }


def _must_not_have_left(volunteer: Volunteer) -> None:
    if volunteer.state is VolunteerState.LEFT:
        raise NotAllowedError(
            "left",
            "This volunteer has left, and nothing of them is kept. If that was a slip, add them as a new volunteer.",
        )
