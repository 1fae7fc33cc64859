"""A volunteer, without name or telephone number: enquired → active ⇄ paused → left."""

from __future__ import annotations

from collections.abc import Collection
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
from bdcan_contracts.vocabulary import Reason, Travel
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.profile import USUAL_WEEKLY_OFFERS, Profile, Slot

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


class Part(Struct, frozen=True):
    """What one hub has agreed with a volunteer, and whether its people have seen a check, which may end.

    A check that has run out keeps its `check_ends_at`, so that a coordinator sees why `checked` is False.
    """

    hub_id: str
    task_kinds: tuple[str, ...] = ()
    checked: bool = False
    check_ends_at: datetime | None = None

    def is_checked(self, now: datetime) -> bool:
        """Whether the check is in force."""
        return self.checked and (self.check_ends_at is None or now < self.check_ends_at)


class Volunteer(Struct, frozen=True):
    """What decides about offers. `version` counts the events of the volunteer.

    `parts` say what each hub has agreed. `hub_ids`, `task_kinds` and the check sum them up; a row of an older release has
    no parts, and the sums hold for each of its hubs.
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
    parts: tuple[Part, ...] = ()
    suspended_by: tuple[str, ...] = ()
    """The hubs that look into the concern. None: the whole borough's people, or an older release."""
    sector: str | None = None
    """Where they live, such as `RM10 8`: the whole postcode is with their name."""
    travels: str | None = None
    """How they get about (`Travel`); `has_car` follows it."""
    radius_m: int | None = None
    """How far from home they help, in metres."""
    languages: tuple[str, ...] = ()
    availability: tuple[Slot, ...] = ()
    """When they have time every week, in local time. None: any time is good."""
    on_duty: bool = True
    """Whether they want offers now. They switch it themselves, as often as they like."""
    weekly_offers: int = USUAL_WEEKLY_OFFERS
    """How many offers they want in seven days at most."""
    cautions: tuple[str, ...] = ()

    @property
    def takes_offers(self) -> bool:
        """Whether they may be asked at all just now."""
        return self.state is VolunteerState.ACTIVE and self.on_duty

    @property
    def agreed(self) -> tuple[Part, ...]:
        """What each of the hubs has agreed."""
        return self.parts or tuple(
            Part(hub_id, self.task_kinds, self.dbs_cleared, self.dbs_expires_at) for hub_id in self.hub_ids
        )

    def part_of(self, hub_id: str) -> Part:
        """What a hub has agreed. A hub that they do not help has seen no check; they may still have a task that moved there."""
        return next((p for p in self.agreed if p.hub_id == hub_id), Part(hub_id, self.task_kinds))

    def why_unfit(self, kind: str, hub_id: str, *, requires_dbs: bool, now: datetime) -> Reason | None:
        """Why the volunteer must not have a task of this kind at this hub; None where nothing speaks against it."""
        if self.state is VolunteerState.LEFT:
            return Reason.VOLUNTEER_LEFT
        if self.suspended:
            return Reason.VOLUNTEER_SUSPENDED
        part = self.part_of(hub_id)
        if kind not in part.task_kinds:
            return Reason.KIND_NOT_OFFERED
        return Reason.CHECK_MISSING if requires_dbs and not part.is_checked(now) else None


class Offering(Struct, frozen=True):
    """What a volunteer has agreed to do for some hubs, and what they say about themselves."""

    hub_ids: tuple[str, ...]
    task_kinds: tuple[str, ...]
    profile: Profile = Profile()


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
            travels=Travel.CAR if event.has_car else None,
            sector=event.postcode_sector,
            welcome_by=calendar.add_working_days(event.received_at, WELCOME_WITHIN_DAYS),
        )
    )


def activate(
    volunteer: Volunteer, offering: Offering, hubs: Collection[str] | None, now: datetime
) -> Step[Volunteer]:
    """The volunteer may be asked from now on, or offers something else. The same again changes nothing.

    `hubs`: those whose part the caller may change (None: all). What the others have agreed stays. A check stays with the
    hub that has seen it. Raises NotAllowedError for somebody who left: they come back with a new enquiry; and where another
    hub looks into a concern about them.
    """
    _must_not_have_left(volunteer)
    if volunteer.suspended and hubs is not None and not set(volunteer.suspended_by) <= set(hubs):
        raise NotAllowedError(
            "suspended",
            "Another hub looks into a concern about this volunteer, and must lift the suspension.",
        )
    parts = {part.hub_id: part for part in volunteer.agreed}
    kept = {
        hub_id: part
        for hub_id, part in parts.items()
        if hub_id in offering.hub_ids or not _speaks_for(hubs, hub_id)
    }
    for hub_id in offering.hub_ids:
        kept[hub_id] = replace(parts.get(hub_id, Part(hub_id)), task_kinds=offering.task_kinds)
    active = _with_parts(
        replace(
            _described(volunteer, offering.profile),
            state=VolunteerState.ACTIVE,
            welcome_by=None,
            paused_until=None,
            suspended=False,
            suspended_by=(),
        ),
        tuple(kept.values()),
    )
    if active == replace(volunteer, parts=volunteer.agreed):
        return Step(volunteer)
    return _activated(volunteer, active, now)


def welcomed_in_time(before: Volunteer | None, after: Volunteer, now: datetime) -> bool | None:
    """Whether somebody answered the enquiry by the promised time; None where nobody just has."""
    if before is None or before.welcome_by is None or after.state is not VolunteerState.ACTIVE:
        return None
    return now <= before.welcome_by


def record_check(
    volunteer: Volunteer, hub_ids: Collection[str], ends_at: datetime | None, now: datetime
) -> Step[Volunteer]:
    """People of some hubs have seen the volunteer's check. It counts for these hubs. Raises NotAllowedError."""
    return _rechecked(volunteer, hub_ids, now, checked=True, ends_at=ends_at)


def withdraw_check(volunteer: Volunteer, hub_ids: Collection[str], now: datetime) -> Step[Volunteer]:
    """The check does not count for some hubs any more. Raises NotAllowedError."""
    return _rechecked(volunteer, hub_ids, now, checked=False, ends_at=None)


def describe(volunteer: Volunteer, profile: Profile, now: datetime) -> Step[Volunteer]:
    """The volunteer says something else about themselves. The same again changes nothing. Raises NotAllowedError."""
    _must_not_have_left(volunteer)
    described = _described(volunteer, profile)
    return Step(volunteer) if described == volunteer else _told(volunteer, described, now)


def go_on_duty(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer wants offers from now on. Raises NotAllowedError for somebody who is paused or has not started."""
    _must_not_have_left(volunteer)
    match volunteer.state:
        case VolunteerState.ENQUIRED:
            raise NotAllowedError("not-active", "This volunteer has not started yet: activate them first.")
        case VolunteerState.PAUSED:
            raise NotAllowedError("paused", "This volunteer is paused: only an activation ends the pause.")
        case _:
            return _on_duty(volunteer, now, on_duty=True)


def go_off_duty(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer wants no offers until they go on duty again; what they accepted stays. Raises NotAllowedError."""
    _must_not_have_left(volunteer)
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet: activate them first.")
    return _on_duty(volunteer, now, on_duty=False)


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


def suspend(volunteer: Volunteer, hubs: Collection[str] | None, now: datetime) -> Step[Volunteer]:
    """There is a concern about the volunteer: they give back all that they have, and get nothing. Raises NotAllowedError.

    It holds at every hub, and lasts until people of each hub that has a concern activate them again. A second time changes
    nothing, but that another hub has a concern, too.
    """
    _must_not_have_left(volunteer)
    mine = () if hubs is None else tuple(hub_id for hub_id in volunteer.hub_ids if hub_id in hubs)
    concerned = tuple(sorted({*volunteer.suspended_by, *mine}))
    if volunteer.suspended:
        return Step(replace(volunteer, suspended_by=concerned))
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet.")
    suspended = replace(
        volunteer, state=VolunteerState.PAUSED, paused_until=None, suspended=True, suspended_by=concerned
    )
    return _paused(volunteer, suspended, now)


def come_back(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The pause is over."""
    if volunteer.paused_until is None or volunteer.paused_until > now:
        return Step(volunteer)
    active = replace(volunteer, state=VolunteerState.ACTIVE, paused_until=None)
    return _activated(volunteer, active, now)


def lapse_check(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """A check has run out: no tasks that require one, until somebody records a new check."""
    parts = tuple(
        part if part.checked == part.is_checked(now) else replace(part, checked=False)
        for part in volunteer.agreed
    )
    if parts == volunteer.agreed:
        return Step(volunteer)
    return _told(volunteer, _with_parts(volunteer, parts), now)


def leave(volunteer: Volunteer, hubs: Collection[str] | None, now: datetime) -> Step[Volunteer]:
    """The volunteer leaves these hubs; the scheme, for good, where no other is left. A second time changes nothing."""
    if volunteer.state is VolunteerState.LEFT:
        return Step(volunteer)
    others = _of_others(volunteer, hubs)
    if others:
        return _told(volunteer, _with_parts(volunteer, others), now)
    gone = replace(
        volunteer,
        state=VolunteerState.LEFT,
        version=volunteer.version + 1,
        welcome_by=None,
        paused_until=None,
        dbs_cleared=False,
        dbs_expires_at=None,
        suspended=False,
        suspended_by=(),
        parts=(),
        **_UNTOLD,
    )
    told = VolunteerLeft(volunteer_id=gone.volunteer_id, version=gone.version, left_at=now)
    return _moved(volunteer, gone, told)


def erase_on_request(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer wants to be erased, and leaves. Where they have left before, whoever asked is told again."""
    if volunteer.state is VolunteerState.LEFT:
        told = VolunteerLeft(volunteer_id=volunteer.volunteer_id, version=volunteer.version, left_at=now)
        return Step(volunteer, (told,))
    return leave(volunteer, None, now)


def nobody(volunteer_id: UUID, now: datetime) -> VolunteerLeft:
    """Somebody asks to erase a volunteer, and nobody of that id is known."""
    return VolunteerLeft(volunteer_id=volunteer_id, version=1, left_at=now, unknown=True)


def asked(volunteer: Volunteer, now: datetime) -> Step[Volunteer]:
    """The volunteer gets an offer: the others come first next time."""
    return Step(replace(volunteer, last_offered_at=now))


_UNTOLD: dict[str, Any] = {
    "sector": None,
    "travels": None,
    "radius_m": None,
    "languages": (),
    "availability": (),
    "weekly_offers": USUAL_WEEKLY_OFFERS,
    "cautions": (),
}
"""What remains of a profile when the volunteer leaves."""


def _described(volunteer: Volunteer, profile: Profile) -> Volunteer:
    travels = volunteer.travels if profile.travels is None else profile.travels or None
    if profile.travels is None and profile.has_car is not None:  # an older client says no more than this
        kept = None if volunteer.travels == Travel.CAR else volunteer.travels
        travels = Travel.CAR if profile.has_car else kept
    has_car = volunteer.has_car if profile.travels is None else travels == Travel.CAR
    said = {
        "radius_m": profile.radius_m,
        "languages": profile.languages,
        "availability": profile.availability,
        "weekly_offers": profile.weekly_offers,
        "cautions": profile.cautions,
    }
    return replace(
        volunteer,
        travels=travels,
        has_car=has_car if profile.has_car is None else profile.has_car,
        sector=volunteer.sector if profile.sector is None else profile.sector or None,
        **{name: value for name, value in said.items() if value is not None},
    )


def _on_duty(volunteer: Volunteer, now: datetime, *, on_duty: bool) -> Step[Volunteer]:
    if volunteer.on_duty == on_duty:
        return Step(volunteer)
    return _told(volunteer, replace(volunteer, on_duty=on_duty), now)


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


def _rechecked(
    volunteer: Volunteer, hub_ids: Collection[str], now: datetime, *, checked: bool, ends_at: datetime | None
) -> Step[Volunteer]:
    _must_not_have_left(volunteer)
    if volunteer.state is VolunteerState.ENQUIRED:
        raise NotAllowedError("not-active", "This volunteer has not started yet: activate them first.")
    parts = tuple(
        replace(part, checked=checked, check_ends_at=ends_at) if part.hub_id in hub_ids else part
        for part in volunteer.agreed
    )
    if parts == volunteer.agreed:
        return Step(volunteer)
    return _told(volunteer, _with_parts(volunteer, parts), now)


def _of_others(volunteer: Volunteer, hubs: Collection[str] | None) -> tuple[Part, ...]:
    """The parts of hubs that the caller does not speak for."""
    return tuple(part for part in volunteer.agreed if not _speaks_for(hubs, part.hub_id))


def _speaks_for(hubs: Collection[str] | None, hub_id: str) -> bool:
    return hubs is None or hub_id in hubs


def _with_parts(volunteer: Volunteer, parts: tuple[Part, ...]) -> Volunteer:
    """The volunteer with these parts, and what they sum up to."""
    ends = [part.check_ends_at for part in parts if part.check_ends_at is not None]
    return replace(
        volunteer,
        parts=parts,
        hub_ids=tuple(part.hub_id for part in parts),
        task_kinds=tuple(dict.fromkeys(kind for part in parts for kind in part.task_kinds)),
        dbs_cleared=any(part.checked for part in parts),
        dbs_expires_at=min(ends, default=None),
    )


def _check_ends(volunteer: Volunteer) -> datetime | None:
    """When the first check that is in force runs out."""
    if volunteer.state is VolunteerState.LEFT:
        return None
    ends = [p.check_ends_at for p in volunteer.agreed if p.checked and p.check_ends_at is not None]
    return min(ends, default=None)


def _told(before: Volunteer, after: Volunteer, now: datetime) -> Step[Volunteer]:
    """What a volunteer may do has changed, and not whether they are paused."""
    match after.state:
        case VolunteerState.PAUSED:
            return _paused(before, after, now)
        case VolunteerState.ACTIVE:
            return _activated(before, after, now)
        case _:
            return Step(after)


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
