"""A referral with its needs: who owns each, in which state, due when; and how it opens and closes.

A need that is not at its end always has an owner and a time: the constructor refuses anything else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts import models
from bdcan_contracts.models import LANE_OF, Lane, NeedCode, NeedState, Priority, ReferralOutcome
from bdcan_intake.domain.submission import Submission, priority_of

ROUTING = "routing"
VOLUNTEERS = "volunteers"
FOODHUB = "foodhub"
COMMUNITY_SOLUTIONS = "community-solutions"
INTAKE = "intake"

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

TERMINAL = frozenset({NeedState.MET, NeedState.UNMET, NeedState.REFERRED_ON, NeedState.WITHDRAWN})


class ReferralState(StrEnum):
    """Where a referral stands. It only moves on; a need that turns up after the end opens it again."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    IN_CONTACT = "in-contact"
    BEING_HELPED = "being-helped"
    CLOSED = "closed"


_ORDER = {state: place for place, state in enumerate(ReferralState)}


class Need(Struct, frozen=True):
    """One need. `fact_at` and `rank` say which event it last followed: an older one is old news."""

    need_id: UUID
    code: NeedCode
    state: NeedState
    owner: str | None
    due_at: datetime | None
    fact_at: datetime
    rank: int = 0
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.state not in TERMINAL and (self.owner is None or self.due_at is None):
            raise ValueError("a need that is not at its end has an owner and a time")

    @property
    def lane(self) -> Lane:
        """Who helps with it."""
        return LANE_OF[self.code]

    @property
    def ended(self) -> bool:
        """Whether it is at its end."""
        return self.state in TERMINAL

    @property
    def protected(self) -> bool:
        """Whether the resident cannot end it: Community Solutions looks into somebody's safety."""
        return self.lane is Lane.SAFEGUARDING and self.owner == COMMUNITY_SOLUTIONS


class Referral(Struct, frozen=True):
    """One request for help. Holds nothing that says whose it is."""

    referral_id: UUID
    version: int
    state: ReferralState
    priority: Priority
    outreach: bool
    contact_due_at: datetime
    owner: str | None
    due_at: datetime | None
    needs: tuple[Need, ...]
    hub_id: str | None = None
    placement_version: int = 0
    called: bool = False
    out_of_area: bool = False
    withdrawn_reason: str | None = None
    outcome: ReferralOutcome | None = None

    @property
    def lane(self) -> str | None:
        """The lane of its events: the same for all of them, or their order would be lost."""
        return "bulk" if self.outreach else None

    @property
    def placed_with(self) -> str:
        """Who looks after it as a whole: its hub, or routing as long as it has none."""
        return f"hub:{self.hub_id}" if self.hub_id else ROUTING

    def at_least(self, state: ReferralState) -> ReferralState:
        """`state`, or the referral's own if that is further."""
        return self.state if _ORDER[self.state] >= _ORDER[state] else state


def open_referral(
    submission: Submission, referral_id: UUID, need_ids: tuple[UUID, ...], now: datetime
) -> Referral:
    """A new referral, owned by routing. Each safeguarding need belongs to Community Solutions from the first moment."""
    priority = priority_of(submission)
    needs = tuple(
        new_need(code, need_id, ROUTING, now + ASSIGNED_WITHIN, now)
        for code, need_id in zip(submission.needs, need_ids, strict=True)
    )
    return with_next_step(
        Referral(
            referral_id=referral_id,
            version=1,
            state=ReferralState.RECEIVED,
            priority=priority,
            # an urgent referral never waits in the bulk lane, whatever list it came from
            outreach=submission.outreach and priority is not Priority.URGENT,
            contact_due_at=now + CONTACT_WITHIN[priority],
            owner=ROUTING,
            due_at=now + ASSIGNED_WITHIN,
            needs=needs,
        )
    )


def new_need(code: NeedCode, need_id: UUID, owner: str, due_at: datetime, now: datetime) -> Need:
    """An open need."""
    if LANE_OF[code] is Lane.SAFEGUARDING:
        owner, due_at = COMMUNITY_SOLUTIONS, now + SAFEGUARDING_WITHIN
    return Need(need_id, code, NeedState.OPEN, owner, due_at, now)


def received_event(referral: Referral, submission: Submission, now: datetime) -> models.ReferralReceived:
    """What the others are told of a new referral."""
    return models.ReferralReceived(
        referral_id=referral.referral_id,
        channel=submission.channel,
        priority=referral.priority,
        outreach=referral.outreach,
        postcode=submission.person.sent_postcode,
        household=submission.household,
        needs=contract_needs(referral),
        diets=submission.diets,
        flags=submission.flags,
        received_at=now,
        contact_due_at=referral.contact_due_at,
    )


def contract_needs(referral: Referral) -> tuple[models.Need, ...]:
    """The needs that are not at their end, as events carry them."""
    return tuple(models.Need(need_id=n.need_id, code=n.code) for n in referral.needs if not n.ended)


def concerns(
    referral_id: UUID, needs: tuple[Need, ...], now: datetime
) -> list[models.SafeguardingConcernRaised]:
    """One concern for each of these needs that is about somebody's safety."""
    return [
        models.SafeguardingConcernRaised(
            referral_id=referral_id,
            need_id=need.need_id,
            code=need.code,
            raised_at=now,
            respond_by=now + SAFEGUARDING_WITHIN,
        )
        for need in needs
        if need.lane is Lane.SAFEGUARDING
    ]


def settle(
    referral: Referral, now: datetime
) -> tuple[Referral, models.ReferralClosed | models.ReferralReopened | None]:
    """Close a referral whose last need has come to its end; open it again if a need has turned up since.

    Somebody calls each resident of a hub, whatever else is settled before, and the call may find more. So until it has
    been made or given up, the referral stays the hub's.
    """
    ended = all(need.ended for need in referral.needs)
    if referral.state is ReferralState.CLOSED:
        if ended:
            return referral, None
        again = with_next_step(replace(referral, state=ReferralState.BEING_HELPED, outcome=None))
        return again, models.ReferralReopened(
            referral_id=referral.referral_id,
            priority=referral.priority,
            needs=contract_needs(again),
            reopened_at=now,
        )
    if not ended or not _nothing_to_come(referral):
        return with_next_step(referral), None
    outcome = outcome_of(referral)
    closed = models.ReferralClosed(
        referral_id=referral.referral_id,
        outcome=outcome,
        needs=tuple(
            models.ClosedNeed(need_id=n.need_id, code=n.code, state=n.state, reason=n.reason)
            for n in referral.needs
        ),
        closed_at=now,
    )
    return replace(referral, state=ReferralState.CLOSED, outcome=outcome, owner=None, due_at=None), closed


def _nothing_to_come(referral: Referral) -> bool:
    return referral.called or referral.out_of_area or referral.withdrawn_reason is not None


def outcome_of(referral: Referral) -> ReferralOutcome:
    """What became of a referral whose needs are all at their end. Needs that nobody wanted any more don't count."""
    states = {need.state for need in referral.needs} - {NeedState.WITHDRAWN}
    if not states:
        if referral.withdrawn_reason:
            return ReferralOutcome.WITHDRAWN
        return ReferralOutcome.OUT_OF_AREA if referral.out_of_area else ReferralOutcome.DECLINED
    if states == {NeedState.MET}:
        return ReferralOutcome.HELPED
    if NeedState.MET in states:
        return ReferralOutcome.PARTLY_HELPED
    if NeedState.REFERRED_ON in states:
        return ReferralOutcome.REFERRED_ON
    return ReferralOutcome.OUT_OF_AREA


def with_next_step(referral: Referral) -> Referral:
    """Owner and time of a referral are those of the need that is due first; without one, of whoever calls."""
    first: Need | None = None
    for need in referral.needs:
        if (
            need.due_at is not None
            and not need.ended
            and (first is None or first.due_at is None or need.due_at < first.due_at)
        ):
            first = need
    if (
        first is None and referral.owner == COMMUNITY_SOLUTIONS
    ):  # all needs are theirs already, the call is still due
        caller = f"hub:{referral.hub_id}" if referral.hub_id else ROUTING
        return replace(referral, owner=caller, due_at=referral.contact_due_at)
    if first is None or (referral.owner == first.owner and referral.due_at == first.due_at):
        return referral
    return replace(referral, owner=first.owner, due_at=first.due_at)
