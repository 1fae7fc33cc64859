"""A referral with its needs: who owns each, in which state, due when; and how it opens and closes.

The constructor refuses an open need without an owner or a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.step import Step
from bdcan_contracts import models
from bdcan_contracts.inbound.submission import Submission
from bdcan_contracts.models import Household, Lane, NeedState, Priority
from bdcan_contracts.vocabulary import NEEDS, ReferralOutcome
from bdcan_intake.domain.references import told
from bdcan_intake.domain.submission import priority_of, sent_flags

ASSIGNMENT_DUE = "assignment-due"
"""Deadline: routing must have said who has the referral."""

ROUTING = "routing"
VOLUNTEERS = "volunteers"
FOODHUB = "foodhub"
COMMUNITY_SOLUTIONS = "community-solutions"
INTAKE = "intake"

_HELPERS = frozenset({VOLUNTEERS, FOODHUB, COMMUNITY_SOLUTIONS})

CONTACT_WITHIN = {
    Priority.URGENT: timedelta(hours=4),
    Priority.STANDARD: timedelta(hours=48),
    Priority.ROUTINE: timedelta(hours=72),
}
"""How soon the resident is called: 48 hours is the usual promise of the councils' published ladders."""

ASSIGNED_WITHIN = timedelta(hours=1)
"""How soon routing must have answered before intake looks again."""

SAFEGUARDING_WITHIN = timedelta(hours=1)
"""How soon Community Solutions must have a safeguarding concern."""

PARTLY = "partly-helped"
"""The reason of a met need with which somebody was helped in part."""

TERMINAL = frozenset({NeedState.MET, NeedState.UNMET, NeedState.REFERRED_ON, NeedState.WITHDRAWN})


class ReferralState(StrEnum):
    """How far a referral has come. It never moves back, but a need that is found after the end reopens it."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    IN_CONTACT = "in-contact"
    BEING_HELPED = "being-helped"
    CLOSED = "closed"


_ORDER = {state: place for place, state in enumerate(ReferralState)}


class Need(Struct, frozen=True, rename={"need_id": "id", "rank": "fact_rank"}):
    """One need. `fact_at` and `rank` say which event it last followed. An older event is ignored."""

    referral_id: UUID
    need_id: UUID
    code: str
    lane: Lane
    state: NeedState
    owner: str | None
    due_at: datetime | None
    fact_at: datetime
    rank: int = 0
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.state not in TERMINAL and (self.owner is None or self.due_at is None):
            raise ValueError("an open need has an owner and a time")

    @property
    def ended(self) -> bool:
        """Whether it is at its end."""
        return self.state in TERMINAL

    @property
    def protected(self) -> bool:
        """Whether the resident cannot end it: Community Solutions looks into somebody's safety."""
        return self.lane is Lane.SAFEGUARDING and self.owner == COMMUNITY_SOLUTIONS


class Referral(Struct, frozen=True, rename={"referral_id": "id"}):
    """One request for help. Nothing in it is personal. `diets` and `flags` are codes."""

    referral_id: UUID
    source: str
    reference: str | None
    """What its sender calls it. The database keeps what may be shown of it, and finds it again by a hash."""
    channel: str
    priority: Priority
    outreach: bool
    state: ReferralState
    version: int
    received_at: datetime
    contact_due_at: datetime
    owner: str | None
    due_at: datetime | None
    import_id: UUID | None = None
    adults: int | None = None
    children: int | None = None
    infants: int | None = None
    diets: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    hub_id: str | None = None
    assignment_version: int = 0
    called: bool = False
    out_of_area: bool = False
    withdrawn_reason: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    previous_referral_id: UUID | None = None
    """The closed referral that this one follows: the same source sent the same reference again."""
    next_referral_id: UUID | None = None
    past_reference: str | None = None
    """The reference, once `next_referral_id` answers to it."""
    same_person_ids: tuple[UUID, ...] = ()
    same_household_ids: tuple[UUID, ...] = ()
    earlier_referral_ids: tuple[UUID, ...] = ()
    """Closed referrals that may be about the same person, the newest first."""
    erased_at: datetime | None = None
    """When whoever it is about was erased."""
    told_reference: str | None = None
    """How receipts name it (`domain/references.py`); None: its sender is told nothing by Kafka."""
    guarded: bool = False
    """Whether its sender told of a safeguarding need: they hear only that the right team has it."""
    unreached_after: int = 0
    """After how many tries the calls were given up; 0: they were not, or somebody was reached since."""

    @property
    def traffic_class(self) -> str | None:
        """The lane of its events. All of them have the same, so that they keep their order."""
        return "bulk" if self.outreach else None

    @property
    def shown_reference(self) -> str | None:
        """The reference as answers may show it: its hash where it may be somebody's name or number."""
        named = self.reference or self.past_reference
        return named and (self.told_reference or named)

    @property
    def open(self) -> bool:
        """Whether it has not come to its end."""
        return self.state is not ReferralState.CLOSED

    @property
    def placed_with(self) -> str:
        """Who looks after it as a whole: its hub, or routing while it has none."""
        return f"hub:{self.hub_id}" if self.hub_id else ROUTING

    @property
    def household(self) -> Household | None:
        """Who lives there; None: nobody has said."""
        if self.adults is None:
            return None
        return Household(adults=self.adults, children=self.children or 0, infants=self.infants or 0)

    @property
    def open_needs(self) -> tuple[models.Need, ...]:
        """The needs that have not ended, as events carry them."""
        return tuple(
            models.Need(need_id=n.need_id, code=n.code, lane=n.lane) for n in self.needs if not n.ended
        )

    def at_least(self, state: ReferralState) -> ReferralState:
        """`state`, or the referral's own if that is further."""
        return self.state if _ORDER[self.state] >= _ORDER[state] else state


def open_referral(
    submission: Submission,
    referral_id: UUID,
    need_ids: tuple[UUID, ...],
    now: datetime,
    *,
    previous: Referral | None = None,
) -> Step[Referral]:
    """A new referral, owned by routing. Each safeguarding need belongs to Community Solutions from the first moment.

    `previous`: the closed referral that had the same source and reference.
    """
    priority = priority_of(submission)
    household = submission.household
    referral = with_next_step(
        Referral(
            referral_id=referral_id,
            source=submission.source,
            reference=submission.reference,
            channel=submission.channel,
            priority=priority,
            # an urgent referral never waits in the bulk lane, whatever list it came from
            outreach=submission.outreach and priority is not Priority.URGENT,
            state=ReferralState.RECEIVED,
            version=1,
            received_at=now,
            contact_due_at=now + CONTACT_WITHIN[priority],
            owner=ROUTING,
            due_at=now + ASSIGNED_WITHIN,
            import_id=submission.import_id,
            adults=household and household.adults,
            children=household and household.children,
            infants=household and household.infants,
            diets=submission.diets,
            flags=submission.flags,
            needs=tuple(
                new_need(referral_id, code, need_id, ROUTING, now + ASSIGNED_WITHIN, now)
                for code, need_id in zip(submission.needs, need_ids, strict=True)
            ),
            previous_referral_id=previous and previous.referral_id,
            told_reference=told(submission.source, submission.reference, submission.person)
            if submission.reference
            else str(referral_id),
            guarded=any(NEEDS[code].lane is Lane.SAFEGUARDING for code in submission.needs),
        )
    )
    received = models.ReferralReceived(
        referral_id=referral_id,
        channel=referral.channel,
        priority=priority,
        outreach=referral.outreach,
        postcode=submission.person.sent_postcode,
        household=household,
        needs=referral.open_needs,
        diets=referral.diets,
        flags=sent_flags(referral.flags),
        received_at=now,
        contact_due_at=referral.contact_due_at,
        previous_referral_id=referral.previous_referral_id,
    )
    events = (received, *concerns(referral.needs, now))
    return Step(referral, events, {ASSIGNMENT_DUE: now + ASSIGNED_WITHIN})


def followed_by(referral: Referral, next_referral_id: UUID) -> Step[Referral]:
    """A closed referral whose person needs help again: the new referral answers to the reference from now on."""
    return Step(
        replace(
            referral,
            reference=None,
            past_reference=referral.shown_reference,
            next_referral_id=next_referral_id,
        )
    )


def new_need(
    referral_id: UUID, code: str, need_id: UUID, owner: str, due_at: datetime, now: datetime
) -> Need:
    """An open need. `code` is known here: the doors refuse others."""
    lane = NEEDS[code].lane
    if lane is Lane.SAFEGUARDING:
        owner, due_at = COMMUNITY_SOLUTIONS, now + SAFEGUARDING_WITHIN
    return Need(referral_id, need_id, code, lane, NeedState.OPEN, owner, due_at, now)


def concerns(needs: Iterable[Need], now: datetime) -> list[models.SafeguardingConcernRaised]:
    """One concern for each of these needs that is about somebody's safety."""
    return [
        models.SafeguardingConcernRaised(
            referral_id=need.referral_id,
            need_id=need.need_id,
            code=need.code,
            lane=need.lane,
            raised_at=now,
            respond_by=now + SAFEGUARDING_WITHIN,
        )
        for need in needs
        if need.lane is Lane.SAFEGUARDING
    ]


def assignment_overdue(referral: Referral, now: datetime) -> Step[Referral] | None:
    """Routing has not answered: intake owns the referral until routing does, and looks again every hour."""
    if referral.state is not ReferralState.RECEIVED or referral.assignment_version:
        return None
    next_look = now + ASSIGNED_WITHIN
    needs = tuple(
        need
        if need.ended or need.owner == COMMUNITY_SOLUTIONS
        # fact_at stays: routing's late answer must still count
        else replace(need, owner=INTAKE, due_at=next_look)
        for need in referral.needs
    )
    owned = with_next_step(replace(referral, needs=needs, owner=INTAKE, due_at=next_look))
    return Step(owned, (), {ASSIGNMENT_DUE: next_look})


def settled(before: Referral, after: Referral, now: datetime, *events: BaseModel) -> Step[Referral]:
    """The step to `after`: the referral closes with its last need, and opens again with a new one.

    Somebody calls each resident of a hub, whatever was settled before, because the call may find more needs. Until the
    call was made or given up, the referral stays with the hub. `events` tell of the change itself.
    """
    ended = all(need.ended for need in after.needs)
    if after.state is ReferralState.CLOSED and not ended:
        after = replace(after, state=ReferralState.BEING_HELPED, outcome=None, closed_at=None)
    if before.state is ReferralState.CLOSED and after.state is not ReferralState.CLOSED:
        after = with_next_step(after)
        turn = models.ReferralReopened(
            referral_id=after.referral_id, priority=after.priority, needs=after.open_needs, reopened_at=now
        )
        events = (*events, turn)
    elif after.state is not ReferralState.CLOSED and ended and nothing_to_come(after):
        outcome = outcome_of(after)
        after = replace(
            after, state=ReferralState.CLOSED, outcome=outcome, closed_at=now, owner=None, due_at=None
        )
        turn = models.ReferralClosed(
            referral_id=after.referral_id,
            outcome=outcome,
            needs=tuple(
                models.ClosedNeed(need_id=n.need_id, code=n.code, lane=n.lane, state=n.state, reason=n.reason)
                for n in after.needs
            ),
            closed_at=now,
        )
        events = (*events, turn)
    elif after.state is ReferralState.CLOSED:
        after = replace(after, outcome=outcome_of(after))  # Community Solutions may have helped since
    else:
        after = with_next_step(after)
    answered = after.assignment_version or after.state is ReferralState.CLOSED
    return Step(after, events, {ASSIGNMENT_DUE: None} if answered and not before.assignment_version else {})


def nothing_to_come(referral: Referral) -> bool:
    """Whether nobody will ring the resident any more, so that no need can be found."""
    return referral.called or referral.out_of_area or referral.withdrawn_reason is not None


def outcome_of(referral: Referral) -> ReferralOutcome:
    """What became of a referral whose needs have all ended. Withdrawn needs don't count."""
    states = {need.state for need in referral.needs} - {NeedState.WITHDRAWN}
    if not states:
        if referral.withdrawn_reason:
            return ReferralOutcome.WITHDRAWN
        return ReferralOutcome.OUT_OF_AREA if referral.out_of_area else ReferralOutcome.DECLINED
    partly = any(need.state is NeedState.MET and need.reason == PARTLY for need in referral.needs)
    if states == {NeedState.MET} and not partly:
        return ReferralOutcome.HELPED
    if NeedState.MET in states:
        return ReferralOutcome.PARTLY_HELPED
    if NeedState.REFERRED_ON in states:
        return ReferralOutcome.REFERRED_ON
    return ReferralOutcome.OUT_OF_AREA


def with_next_step(referral: Referral) -> Referral:
    """The referral takes owner and time from the need that is due first; without one, from the team that must ring."""
    first: Need | None = None
    for need in referral.needs:
        if (
            need.due_at is not None
            and not need.ended
            and (first is None or first.due_at is None or need.due_at < first.due_at)
        ):
            first = need
    if first is not None:
        return replace(referral, owner=first.owner, due_at=first.due_at)
    if referral.owner in _HELPERS:  # their needs have ended, and the call is still due
        return replace(referral, owner=referral.placed_with, due_at=referral.contact_due_at)
    return referral
