"""What people change about a referral after it was taken on: they withdraw it, or amend what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import LANE_OF, Lane, NeedCode, NeedState, Priority
from bdcan_intake.domain.errors import NotAllowedError, StaleError
from bdcan_intake.domain.referral import (
    CONTACT_WITHIN,
    Need,
    Referral,
    ReferralState,
    new_need,
    with_next_step,
)


def withdraw(referral: Referral, reason: str, now: datetime) -> Referral:
    """End every need that the resident may end. Raises NotAllowedError for a closed referral.

    A concern for somebody's safety stays with Community Solutions: who is at risk may be the one who cannot speak. One that
    they have looked into and given back is the resident's to end.
    """
    if referral.state is ReferralState.CLOSED:
        raise NotAllowedError("The referral is closed.")
    needs = tuple(
        need
        if need.ended or need.protected
        else replace(need, state=NeedState.WITHDRAWN, owner=None, due_at=None, fact_at=now, reason=reason)
        for need in referral.needs
    )
    return replace(referral, needs=needs, withdrawn_reason=reason)


class Amendment(Struct, frozen=True):
    """What changes about a referral's needs. `version`: what the caller had seen; None: whatever it is."""

    version: int | None = None
    add_needs: tuple[NeedCode, ...] = ()
    withdraw_needs: tuple[UUID, ...] = ()
    priority: Priority | None = None


def amend(
    referral: Referral, amendment: Amendment, new_id: Callable[[], UUID], now: datetime
) -> tuple[Referral, tuple[Need, ...]]:
    """The next version of the referral, and the needs that are new in it.

    Raises StaleError if another version than the caller's stands, NotAllowedError if the referral is closed,
    withdrawn, or a need that is to be withdrawn is not there or is Community Solutions' to settle.
    """
    if amendment.version is not None and amendment.version != referral.version:
        raise StaleError(f"The referral has version {referral.version} now.")
    if referral.state is ReferralState.CLOSED or referral.withdrawn_reason:
        raise NotAllowedError("The referral is closed or withdrawn.")
    unwanted = set(amendment.withdraw_needs)
    if unwanted - {n.need_id for n in referral.needs if not n.ended}:
        raise NotAllowedError("A need that is to be withdrawn is not open.")
    if any(n.protected for n in referral.needs if n.need_id in unwanted):
        raise NotAllowedError("Community Solutions looks into a need that is to be withdrawn.")
    priority = amendment.priority or referral.priority
    if any(LANE_OF[code] is Lane.SAFEGUARDING for code in amendment.add_needs):
        priority = Priority.URGENT
    contact_due_at = referral.contact_due_at
    if CONTACT_WITHIN[priority] < CONTACT_WITHIN[referral.priority]:
        contact_due_at = min(contact_due_at, now + CONTACT_WITHIN[priority])
    standing = {n.code for n in referral.needs if not n.ended and n.need_id not in unwanted}
    added = tuple(
        new_need(code, new_id(), referral.placed_with, now + CONTACT_WITHIN[priority], now)
        for code in dict.fromkeys(amendment.add_needs)
        if code not in standing
    )
    kept = tuple(
        replace(n, state=NeedState.WITHDRAWN, owner=None, due_at=None, fact_at=now, reason="amended")
        if n.need_id in unwanted
        else n
        for n in referral.needs
    )
    amended = replace(
        referral,
        version=referral.version + 1,
        priority=priority,
        contact_due_at=contact_due_at,
        needs=(*kept, *added),
    )
    return with_next_step(amended), added
