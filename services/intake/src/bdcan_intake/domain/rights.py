"""Erasing a person: whom a request covers, what the services answer, and when the request has been met.

waiting → done. A request is done when all five services have erased each referral, and the volunteer has left whose enquiry it
names. The law gives one month (UK GDPR art. 12(3)); open work is waited for until a few days before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    ErasureAnswered,
    ReferralErasureRequested,
    VolunteerEnquiryErasureRequested,
)
from bdcan_intake.domain.enquiry import Enquiry
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import Referral

ERASURE_DUE = "erasure-due"
"""Deadline: all services must have answered."""

ANSWERED_WITHIN = timedelta(days=28)
"""The shortest month."""

WAITS_FOR_WORK = timedelta(days=21)
"""How long open work is waited for."""

LOOK_AGAIN_AFTER = timedelta(days=1)

RESTORED = "database-restored"
"""The reason of a request that is known by its answers alone."""

SERVICES = ("intake", "routing", "volunteer-match", "foodhub", "escalation")


class State(StrEnum):
    """How far a request has come."""

    WAITING = "waiting"
    DONE = "done"


class Answer(Struct, frozen=True):
    """What a service last said of a referral. `rows`: how many rows of each kind of record went."""

    referral_id: UUID
    service: str
    erased: bool
    answered_at: datetime
    waits_for: tuple[str, ...] = ()
    rows: dict[str, int] = {}
    keeps: tuple[str, ...] = ()


class Erasure(Struct, frozen=True, rename={"erasure_id": "id"}):
    """A request to erase a person, by the ids under which they are known."""

    erasure_id: UUID
    referral_ids: tuple[UUID, ...]
    enquiry_ids: tuple[UUID, ...]
    """Enquiries of volunteers that are not erased yet."""
    reason: str
    asked_by: str
    requested_at: datetime
    erase_by: datetime
    due_at: datetime
    state: State = State.WAITING
    ended_at: datetime | None = None
    overdue: bool = False
    volunteer_ids: tuple[UUID, ...] = ()
    """Volunteers without an enquiry who are not erased yet."""
    unknown_ids: tuple[UUID, ...] = ()
    """Ids of volunteers whom nobody knows: nothing had to go."""
    answers: tuple[Answer, ...] = ()

    @property
    def missing(self) -> tuple[tuple[UUID, str], ...]:
        """The referrals and services that have not erased yet."""
        done = {(one.referral_id, one.service) for one in self.answers if one.erased}
        return tuple(
            (referral_id, service)
            for referral_id in self.referral_ids
            for service in SERVICES
            if (referral_id, service) not in done
        )


def ask(
    erasure_id: UUID,
    referrals: Iterable[Referral],
    enquiries: Iterable[Enquiry],
    reason: str,
    asked_by: str,
    now: datetime,
    volunteer_ids: Iterable[UUID] = (),
) -> Step[Erasure]:
    """A person asks to be erased. `volunteer_ids`: volunteers whose enquiry intake does not know."""
    due_at = now + ANSWERED_WITHIN
    asked = Erasure(
        erasure_id,
        tuple(sorted(one.referral_id for one in referrals)),
        tuple(sorted(one.enquiry_id for one in enquiries if one.erased_at is None)),
        reason,
        asked_by,
        now,
        now + WAITS_FOR_WORK,
        due_at,
        volunteer_ids=tuple(sorted(volunteer_ids)),
    )
    step = _told(asked, now)
    told = (
        VolunteerEnquiryErasureRequested(
            enquiry_id=one, erasure_id=erasure_id, volunteer_id=one, requested_at=now
        )
        for one in asked.volunteer_ids
    )
    return Step(step.state, tuple(told), step.deadlines)


def is_forgotten(erasure: Erasure | None, event: ErasureAnswered) -> bool:
    """Whether a service answers a request that we do not know: our database was restored from before it."""
    return erasure is None or event.referral_id not in erasure.referral_ids


def remember(erasure: Erasure | None, event: ErasureAnswered) -> Erasure:
    """The request that a service answers, as far as the answer tells of it. Its time began before."""
    if erasure is not None:
        return replace(erasure, referral_ids=tuple(sorted({*erasure.referral_ids, event.referral_id})))
    at = event.answered_at
    return Erasure(
        event.erasure_id,
        (event.referral_id,),
        (),
        RESTORED,
        "restore",
        at,
        at + WAITS_FOR_WORK,
        at + ANSWERED_WITHIN,
    )


def answer(erasure: Erasure, event: ErasureAnswered, now: datetime) -> Step[Erasure]:
    """A service has erased, or says what it waits for. An older answer than the known one changes nothing."""
    key = (event.referral_id, event.service)
    known = next((one for one in erasure.answers if (one.referral_id, one.service) == key), None)
    if known is not None and (known.erased or known.answered_at > event.answered_at):
        return Step(erasure)
    said = Answer(
        event.referral_id,
        event.service,
        event.erased,
        event.answered_at,
        event.waits_for or (),
        {one.kind: one.rows for one in event.rows or ()},
        event.keeps or (),
    )
    others = tuple(one for one in erasure.answers if one is not known)
    answers = sorted((*others, said), key=lambda one: (one.referral_id, SERVICES.index(one.service)))
    return _told(replace(erasure, answers=tuple(answers)), now)


def enquiry_erased(erasure: Erasure, enquiry_ids: Iterable[UUID], now: datetime) -> Step[Erasure]:
    """The volunteers of these enquiries have left, and nothing says who they were."""
    left = set(enquiry_ids)
    return _told(replace(erasure, enquiry_ids=tuple(i for i in erasure.enquiry_ids if i not in left)), now)


def volunteers_erased(
    erasure: Erasure, volunteer_ids: Iterable[UUID], now: datetime, *, unknown: Iterable[UUID] = ()
) -> Step[Erasure]:
    """These volunteers have left, and nothing says who they were. `unknown`: of these ids nobody was ever known."""
    left, strangers = set(volunteer_ids), set(unknown)
    waiting = tuple(i for i in erasure.volunteer_ids if i not in left)
    found = tuple(i for i in erasure.volunteer_ids if i in left & strangers)
    return _told(replace(erasure, volunteer_ids=waiting, unknown_ids=(*erasure.unknown_ids, *found)), now)


def overdue(erasure: Erasure, now: datetime) -> Step[Erasure] | None:
    """A service has not answered in time: an alarm, every day until it has."""
    if erasure.state is State.DONE:
        return None
    return Step(replace(erasure, overdue=True), (), {ERASURE_DUE: now + LOOK_AGAIN_AFTER})


def ask_of(referral: Referral, erasure: Erasure) -> Step[Referral]:
    """Tell every service to erase whoever this referral is about."""
    told = ReferralErasureRequested(
        referral_id=referral.referral_id,
        erasure_id=erasure.erasure_id,
        requested_at=erasure.requested_at,
        erase_by=erasure.erase_by,
    )
    return Step(referral, (told,))


def ask_of_enquiry(enquiry: Enquiry, erasure: Erasure) -> Step[Enquiry]:
    """Tell volunteer-match that whoever sent this enquiry leaves."""
    told = VolunteerEnquiryErasureRequested(
        enquiry_id=enquiry.enquiry_id, erasure_id=erasure.erasure_id, requested_at=erasure.requested_at
    )
    return Step(enquiry, (told,))


def person_erased(referral: Referral, now: datetime) -> Step[Referral]:
    """Nothing says any more who the referral is about."""
    return Step(replace(referral, erased_at=referral.erased_at or now))


def must_not_be_erased(referral: Referral) -> None:
    """Raise NotAllowedError where the person was erased: nothing about them is written down again."""
    if referral.erased_at is not None:
        raise NotAllowedError("Whoever this referral was about has been erased. Hand in a new referral.")


def _told(erasure: Erasure, now: datetime) -> Step[Erasure]:
    if erasure.state is State.DONE or erasure.missing or erasure.enquiry_ids or erasure.volunteer_ids:
        return Step(
            erasure,
            (),
            {} if erasure.overdue or erasure.state is State.DONE else {ERASURE_DUE: erasure.due_at},
        )
    return Step(replace(erasure, state=State.DONE, ended_at=now), (), {ERASURE_DUE: None})
