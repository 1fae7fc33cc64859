"""What foodhub knows about a referral: which hub has it, which needs were withdrawn, and what food must respect.

The desk (by amendments at intake) and the callers (by welfare calls) each tell what they know, and either may not have
heard the other yet. So a diet counts from whoever names it, until the desk takes it away. Of the household and the
priority, the latest word counts.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    Household,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import Fact

_URGENCY = (Priority.URGENT, Priority.STANDARD, Priority.ROUTINE)


class Word(Struct, frozen=True):
    """What the desk or a caller said of a resident, and when."""

    at: datetime
    priority: Priority | None = None
    diets: tuple[str, ...] = ()
    household: Household | None = None
    household_at: datetime | None = None
    flags: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Referral(Struct, frozen=True):
    """A referral. Only routing sets `hub_id` and `out_of_area`; only amendments set `withdrawn_needs` and `desk`; calls set `call`."""

    referral_id: UUID
    hub_id: str | None = None
    assignment_version: int = 0
    out_of_area: bool = False
    withdrawn_at: datetime | None = None
    withdrawn_needs: frozenset[UUID] = frozenset()
    amendment_version: int = 0
    desk: Word | None = None
    call: Word | None = None
    same_person_ids: tuple[UUID, ...] = ()
    same_household_ids: tuple[UUID, ...] = ()
    linked_at: datetime | None = None

    def wants(self, need_id: UUID) -> bool:
        """Whether the resident may still want help with this need."""
        return not self.over and need_id not in self.withdrawn_needs

    @property
    def over(self) -> bool:
        """Whether this borough helps no more: somebody withdrew the referral, or the home lies elsewhere."""
        return self.withdrawn_at is not None or self.out_of_area

    @property
    def diets(self) -> tuple[str, ...]:
        """The diets that anybody named and that the desk has not taken away since."""
        called = set(self.call.diets) if self.call else set[str]()
        if self.desk is None:
            return tuple(sorted(called))
        if self.call is None or self.call.at <= self.desk.at:
            called -= set(self.desk.dropped)
        return tuple(sorted(called | set(self.desk.diets)))

    @property
    def household(self) -> Household | None:
        """Who lives there, by the latest word; None: nobody has said."""
        said = [w for w in (self.call, self.desk) if w is not None and w.household is not None]
        return max(said, key=lambda w: w.household_at or w.at).household if said else None

    @property
    def priority(self) -> Priority | None:
        """How soon help must come. A call of before an amendment can only say so too late: then the desk's word counts."""
        desk, call = self.desk and self.desk.priority, self.call and self.call.priority
        if desk is None or call is None:
            return desk or call
        if self.desk and self.call and self.call.at <= self.desk.at:
            return desk
        return min(desk, call, key=_URGENCY.index)

    @property
    def flags(self) -> tuple[str, ...]:
        """Circumstances that change how help is given. Only amendments tell them."""
        return self.desk.flags if self.desk else ()


def amend(referral: Referral, event: ReferralAmended) -> Step[Referral]:
    """Needs were withdrawn, and later calls make no parcel for them. An older amendment than the known one tells nothing else."""
    after = replace(referral, withdrawn_needs=referral.withdrawn_needs.union(event.withdrawn_need_ids))
    if event.version < referral.amendment_version:
        return Step(after)
    before = referral.desk
    dropped = set(before.dropped if before else ()).union(event.dropped_diets) - set(event.diets)
    if before:
        dropped |= set(before.diets) - set(event.diets)
    names = set(event.changed)  # an amendment of something else only repeats what intake knows
    if not names and (before is None or before.household != event.household):
        names.add(Fact.HOUSEHOLD.value)
    said = event.household if Fact.HOUSEHOLD.value in names else None
    urgency = event.priority if not event.changed or Fact.PRIORITY.value in names else None
    word = Word(
        event.amended_at,
        urgency or (before.priority if before else None),
        tuple(sorted(set(event.diets))),
        said or (before.household if before else None),
        event.amended_at if said else (before.household_at if before else None),
        tuple(sorted(set(event.flags))),
        tuple(sorted(dropped)),
    )
    return Step(replace(after, amendment_version=event.version, desk=word))


def link(referral: Referral | None, event: ReferralLinked) -> Step[Referral]:
    """Intake says which other referrals may be about the same person or household. Both get their parcel; a person decides."""
    known = referral or Referral(event.referral_id)
    if known.linked_at is not None and event.linked_at < known.linked_at:
        return Step(known)
    return Step(
        replace(
            known,
            same_person_ids=event.same_person_ids,
            same_household_ids=event.same_household_ids,
            linked_at=event.linked_at,
        )
    )


def hear_call(referral: Referral, event: WelfareCallCompleted) -> Step[Referral]:
    """A call told what the resident needs. An older call than the known one is ignored."""
    before = referral.call
    if before and before.at > event.completed_at:
        return Step(referral)
    same = before and event.household in (before.household, None)
    word = Word(
        event.completed_at,
        event.priority,
        tuple(sorted(set(event.diets))),
        event.household or (before.household if before else None),
        before.household_at if before and same else event.completed_at,
    )
    return Step(replace(referral, call=word))


def withdraw(referral: Referral, event: ReferralWithdrawn) -> Step[Referral]:
    """The resident wants no help. The first withdrawal counts."""
    return Step(replace(referral, withdrawn_at=referral.withdrawn_at or event.withdrawn_at))


def assign(referral: Referral, event: ReferralAssigned | ReferralReassigned) -> Step[Referral]:
    """This hub has the resident now. An older assignment than the known one is ignored."""
    if event.version <= referral.assignment_version:
        return Step(referral)
    return Step(replace(referral, assignment_version=event.version, hub_id=event.hub_id, out_of_area=False))


def leave(referral: Referral, event: ReferralOutOfArea) -> Step[Referral]:
    """The home lies outside the borough. An older assignment than the known one is ignored."""
    if event.version <= referral.assignment_version:
        return Step(referral)
    return Step(replace(referral, assignment_version=event.version, out_of_area=True))
