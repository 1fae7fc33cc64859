"""The planner: it compares residents, and links referrals that may be about the same person or household."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_intake import store
from bdcan_intake.books import Referrals, Residents
from bdcan_intake.domain.likeness import Likeness, alike, compared, follow_earlier, keys, link, relink
from bdcan_intake.domain.referral import Referral, ReferralState
from bdcan_intake.domain.submission import Resident

RESIDENTS_A_PASS = 200
"""Enough for the largest list in seconds; one pass holds its locks for a few milliseconds."""

EARLIER_A_PASS = 2_000
"""Residents of closed referrals that a pass looks at, the newest first."""


async def compare_residents(tx: Tx) -> int:
    """Compare residents who are new, or whose details changed, with those of open referrals."""
    waiting = await store.residents.NOT_COMPARED.all(tx.connection, limit=RESIDENTS_A_PASS)
    if not waiting:
        return 0
    sharing = await store.residents.SHARING_KEYS.all(
        tx.connection, keys=[k for one in waiting for k in keys(one)]
    )
    before = await store.residents.HELPED_BEFORE.all(
        tx.connection, keys=[k for one in waiting for k in keys(one)], limit=EARLIER_A_PASS
    )
    helped_by_key: dict[str, list[Resident]] = {}
    for old in before:
        for key in old.likeness_keys:
            helped_by_key.setdefault(key, []).append(old)
    new = {one.referral_id for one in waiting}
    known = await store.referrals.REFERRAL.get.all(tx.connection, keys=list(new))
    referrals, residents = Referrals(tx), Residents(tx)
    # all locks at once, in the order of the ids; nobody else changes links
    linked = {other_id for referral in known for other_id in _links(referral)}
    await referrals.lock_keys({*new, *linked, *(one.referral_id for one in sharing)})
    await residents.lock_keys(referral.referral_id for referral in referrals)
    by_key: dict[str, set[UUID]] = {}
    for one in residents:
        for key in keys(one):
            by_key.setdefault(key, set()).add(one.referral_id)
    async for referral_id in in_turns(sorted(new)):
        one = residents[referral_id]
        others = {i for key in keys(one) for i in by_key[key]} - {referral_id}
        _compare(referrals, one, [residents[i] for i in sorted(others)], tx)
        helped = {old.referral_id: old for key in keys(one) for old in helped_by_key.get(key, ())}
        if step := follow_earlier(referrals[referral_id], one, helped.values()):
            referrals.put(step)
        residents.put(compared(one))
    await residents.save()
    await referrals.save()
    return len(waiting)


def _compare(referrals: Referrals, one: Resident, others: Iterable[Resident], tx: Tx) -> None:
    """Set the links of one resident's referral, and the links back."""
    referral = referrals[one.referral_id]
    found: dict[UUID, Likeness] = {}
    if referral.state is not ReferralState.CLOSED:
        for other in others:
            likeness = alike(one, other)
            if likeness and referrals[other.referral_id].state is not ReferralState.CLOSED:
                found[other.referral_id] = likeness
    for other_id in {*_links(referral), *found}:
        if (other := referrals.get(other_id)) and (
            step := relink(other, referral.referral_id, found.get(other_id), tx.now)
        ):
            referrals.put(step)
    if step := link(referral, found, tx.now):
        referrals.put(step)


def _links(referral: Referral) -> tuple[UUID, ...]:
    return (*referral.same_person_ids, *referral.same_household_ids)


PLANNERS = (Planner("likeness", compare_residents, timedelta(seconds=2)),)
"""The planners of intake."""
