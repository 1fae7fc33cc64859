"""Who decides about a held referral: a claim is a lease that ends by itself. The deadline of triage stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_routing.domain.assignment import Assignment, State
from bdcan_routing.domain.errors import NotAllowedError, TriageClaimedError

CLAIMED_FOR = timedelta(minutes=15)
"""How long a person has a held referral to themselves."""


def holder(state: Assignment, now: datetime) -> str | None:
    """Who has claimed it, while the claim lasts."""
    lasts = state.claim_expires_at is not None and state.claim_expires_at > now
    return state.claimed_by if lasts else None


def must_be_free_for(state: Assignment, by: str, now: datetime) -> None:
    """Raise TriageClaimedError if somebody else has claimed it."""
    other = holder(state, now)
    if other is not None and other != by:
        until = state.claim_expires_at
        raise TriageClaimedError(
            f"{other} decides about this referral until {until:%H:%M} UTC. Take another one: POST /v1/triage/next."
        )


def claim(state: Assignment, by: str, now: datetime) -> Step[Assignment]:
    """Have it for 15 minutes, or for 15 more. Raises NotAllowedError unless it is held and nobody else has claimed it."""
    if state.state is not State.HELD:
        raise NotAllowedError(
            f"The referral is not in triage any more: it is {state.state}. Take the next one."
        )
    must_be_free_for(state, by, now)
    return Step(replace(state, claimed_by=by, claim_expires_at=now + CLAIMED_FOR))


def release(state: Assignment, by: str, now: datetime) -> Step[Assignment]:
    """Give it back to everybody. Raises TriageClaimedError if somebody else has claimed it."""
    must_be_free_for(state, by, now)
    return Step(replace(state, claimed_by=None, claim_expires_at=None))
