"""What people change about a referral after intake took it on: they withdraw it, or amend what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.inbound.submission import DERIVED, flags_for, says_deceased, tidy_person
from bdcan_contracts.models import (
    CallCorrections,
    Household,
    Lane,
    NeedState,
    Priority,
    ReferralAmended,
    ReferralWithdrawn,
)
from bdcan_contracts.vocabulary import NEEDS, Fact, Flag, Reason
from bdcan_intake.domain.errors import NotAllowedError, StaleError
from bdcan_intake.domain.referral import (
    CONTACT_WITHIN,
    Need,
    Referral,
    ReferralState,
    concerns,
    new_need,
    settled,
)
from bdcan_intake.domain.rights import must_not_be_erased
from bdcan_intake.domain.submission import Resident, sent_flags

NOT_OPEN = "A need that is to be withdrawn is not open."


def withdraw(referral: Referral, reason: str, now: datetime) -> Step[Referral]:
    """End every need that the resident may end. Raises NotAllowedError for a closed referral.

    A safeguarding concern stays with Community Solutions: the person at risk may be the one who cannot speak. Once
    Community Solutions has given it back, the resident may end it.
    """
    if referral.state is ReferralState.CLOSED:
        raise NotAllowedError("The referral is closed.")
    needs = tuple(
        need if need.ended or need.protected else _withdrawn(need, reason, now) for need in referral.needs
    )
    after = replace(referral, needs=needs, withdrawn_reason=reason)
    told = ReferralWithdrawn(referral_id=referral.referral_id, reason=reason, withdrawn_at=now)
    return settled(referral, after, now, told)


class Amendment(Struct, frozen=True):
    """What changes. UNSET leaves a value as it is, and so does None for diets, flags and the priority.

    `version` is what the caller has seen; None: whatever it is. `person` has the details that change, by name.
    """

    version: int | None = None
    add_needs: tuple[str, ...] = ()
    withdraw_needs: tuple[UUID, ...] = ()
    priority: Priority | None = None
    person: Mapping[str, Any] = MappingProxyType({})
    unclear: Mapping[str, str] = MappingProxyType({})
    """Details that could not be read, as they were typed; `person` names each of them, too."""
    household: Household | UnsetType | None = UNSET
    diets: tuple[str, ...] | None = None
    flags: tuple[str, ...] | None = None
    notes: str | None = None
    """A further note. It is added to the earlier ones (`domain/note.py`)."""
    consent: bool | UnsetType | None = UNSET
    by_sender: bool = False
    """Whether the system that sent the referral says so, and not somebody who helps."""


def by_call(said: CallCorrections, referral: Referral, resident: Resident) -> Amendment | None:
    """What a call corrected, as an amendment; None if everything is known already.

    Where somebody amended the referral after the caller had looked, diets and flags are added to what is known now, and
    the earlier time counts: an allergy that the caller had not heard of stays.
    """
    crossed = referral.version > max(1, said.amendment_version or 1)
    diets, flags, priority = said.diets, said.flags, said.priority
    if crossed:
        diets = diets and tuple(dict.fromkeys((*referral.diets, *diets)))
        flags = flags and tuple(dict.fromkeys((*referral.flags, *flags)))
        priority = priority and min(priority, referral.priority, key=CONTACT_WITHIN.__getitem__)
    asked = Amendment(
        priority=priority,
        household=UNSET if said.household is None else said.household,
        diets=diets,
        flags=flags,
        consent=UNSET if said.consent is None else said.consent,
    )
    known = (
        (priority or referral.priority) == referral.priority
        and (said.household or referral.household) == referral.household
        and (diets is None or set(diets) == set(referral.diets))
        and (said.consent is None or said.consent == resident.consent)
        and (flags is None or set(flags) - DERIVED == set(referral.flags) - DERIVED)
    )
    return None if known else asked


def amend_resident(resident: Resident, amendment: Amendment, today: date) -> Step[Resident]:
    """What is known of the person now. The hash of the first submission stays: it tells a repeated one.

    A detail that is given anew is no longer unclear, unless nobody can read it this time either.
    """
    given = {"unclear": _still_unclear(resident, amendment), **amendment.person}
    person = tidy_person(replace(resident, **given), today)
    return Step(
        replace(
            person,
            consent=resident.consent if amendment.consent is UNSET else amendment.consent,
            compared=resident.compared and person == resident,
        )
    )


def correct_resident(
    referral: Referral, resident: Resident, correction: Amendment, today: date
) -> Step[Resident]:
    """What is known of the person, put right after the referral has ended: nobody else is told, for nobody acts on it.

    Raises NotAllowedError while the referral can be amended, once nothing is kept about the person, and for a request that
    says nothing.
    """
    must_not_be_erased(referral)
    if not resident.content_hash:
        raise NotAllowedError("Nothing is kept about this person any more: its time is over.")
    if may_be_amended(referral):
        raise NotAllowedError("The referral is open: amend it, so that whoever helps hears of it.")
    if not correction.person:
        raise NotAllowedError("The correction names no detail of the person.")
    return amend_resident(resident, correction, today)


def _still_unclear(resident: Resident, amendment: Amendment) -> dict[str, str]:
    given = {*amendment.person}
    if amendment.household is not UNSET:
        given |= {"adults", "children", "infants"}
    if amendment.priority is not None:
        given.add("priority")
    if amendment.consent is not UNSET:
        given.add("consent")
    left = {name: typed for name, typed in resident.unclear.items() if name not in given}
    return {**left, **amendment.unclear}


def may_be_amended(referral: Referral) -> bool:
    """Whether anybody still acts on what the referral says."""
    return referral.state is not ReferralState.CLOSED and not referral.withdrawn_reason


def says_that_nobody_may_ring(referral: Referral, note: str) -> bool:
    """Whether a note says that the resident has died, and the referral does not say so yet."""
    return says_deceased(note) and Flag.DECEASED not in referral.flags and may_be_amended(referral)


MOST_NEEDS = 100
"""Needs of one referral, those that have ended included."""


def amend(
    referral: Referral, resident: Resident, amendment: Amendment, new_id: Callable[[], UUID], now: datetime
) -> Step[Referral]:
    """The next version of the referral of a resident who is amended already.

    Raises StaleError if the caller has seen another version. Raises NotAllowedError if the referral is closed or withdrawn,
    or if a need to be withdrawn is not open or belongs to Community Solutions.
    """
    if amendment.version is not None and amendment.version != referral.version:
        raise StaleError(f"The referral has version {referral.version} now.")
    if not may_be_amended(referral):
        raise NotAllowedError("The referral is closed or withdrawn.")
    unwanted = set(amendment.withdraw_needs)
    if unwanted - {n.need_id for n in referral.needs if not n.ended}:
        raise NotAllowedError(NOT_OPEN)
    if any(n.protected for n in referral.needs if n.need_id in unwanted):
        raise NotAllowedError("Community Solutions looks into a need that is to be withdrawn.")
    priority = amendment.priority or referral.priority
    if any(NEEDS[code].lane is Lane.SAFEGUARDING for code in amendment.add_needs):
        priority = Priority.URGENT
    contact_due_at = referral.contact_due_at
    if CONTACT_WITHIN[priority] < CONTACT_WITHIN[referral.priority]:
        contact_due_at = min(contact_due_at, now + CONTACT_WITHIN[priority])
    present = {n.code for n in referral.needs if not n.ended and n.need_id not in unwanted}
    due_at = now + CONTACT_WITHIN[priority]
    added = tuple(
        new_need(referral.referral_id, code, new_id(), referral.placed_with, due_at, now)
        for code in dict.fromkeys(amendment.add_needs)
        if code not in present
    )
    if added and len(referral.needs) + len(added) > MOST_NEEDS:
        raise NotAllowedError(f"A referral has {MOST_NEEDS} needs at most. Hand in a new referral.")
    kept = tuple(_withdrawn(n, Reason.AMENDED, now) if n.need_id in unwanted else n for n in referral.needs)
    household = referral.household if amendment.household is UNSET else amendment.household
    after = replace(
        referral,
        version=referral.version + 1,
        priority=priority,
        contact_due_at=contact_due_at,
        adults=household and household.adults,
        children=household and household.children,
        infants=household and household.infants,
        diets=referral.diets if amendment.diets is None else tuple(dict.fromkeys(amendment.diets)),
        flags=flags_for(
            resident,
            referral.flags if amendment.flags is None else amendment.flags,
            resident.consent,
            deceased=says_deceased(amendment.notes, *amendment.person.values()),
        ),
        needs=(*kept, *added),
        guarded=referral.guarded
        or (amendment.by_sender and any(need.lane is Lane.SAFEGUARDING for need in added)),
    )
    told = ReferralAmended(
        referral_id=after.referral_id,
        version=after.version,
        priority=priority,
        postcode=resident.sent_postcode,
        household=household,
        needs=after.open_needs,
        withdrawn_need_ids=amendment.withdraw_needs,
        diets=after.diets,
        flags=sent_flags(after.flags),
        dropped_diets=tuple(diet for diet in referral.diets if diet not in after.diets),
        changed=changed_facts(referral, after, amendment),
        amended_at=now,
    )
    return settled(referral, after, now, told, *concerns(added, now))


def changed_facts(before: Referral, after: Referral, amendment: Amendment) -> tuple[str, ...]:
    """The facts that an amendment changes. Whoever copied one of them must look at what they made from it."""
    address = bool(amendment.person.keys() & {"address", "postcode"})
    given = {
        Fact.DIETS: set(before.diets) != set(after.diets),
        Fact.HOUSEHOLD: before.household != after.household,
        Fact.FLAGS: set(before.flags) != set(after.flags),
        Fact.PRIORITY: before.priority != after.priority,
        Fact.CONSENT: amendment.consent is not UNSET,
        Fact.ADDRESS: address,
        Fact.PERSON: bool(amendment.person.keys() - {"address", "postcode"}),
        Fact.NEEDS: bool(amendment.add_needs or amendment.withdraw_needs),
        Fact.NOTES: amendment.notes is not None,
    }
    return tuple(fact.value for fact, changes in given.items() if changes)


def _withdrawn(need: Need, reason: str, now: datetime) -> Need:
    return replace(need, state=NeedState.WITHDRAWN, owner=None, due_at=None, fact_at=now, reason=reason)
