"""Whoever places a referral sees which others may be about the same person or household, before and after it came."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bdcan_contracts.models import ReferralAssigned, ReferralLinked
from bdcan_contracts.vocabulary import NeedCode


@pytest.mark.parametrize("link_first", [True, False])
async def test_link_shows_in_triage_and_beside_the_assignment(routing, referral, link_first):
    held, placed, other = referral(None), referral(), referral(None)
    now = routing.clock.now()
    links = [
        ReferralLinked(referral_id=held.referral_id, same_person_ids=(placed.referral_id,), linked_at=now),
        ReferralLinked(referral_id=placed.referral_id, same_person_ids=(held.referral_id,), linked_at=now),
    ]
    arrivals = [held, placed, other]
    for event in (*links, *arrivals) if link_first else (*arrivals, *links):
        await routing.deliver(event)
    assert len(await routing.emitted(ReferralAssigned)) == 1
    assert len((await routing.http.get("/v1/triage")).json()["items"]) == 2
    [item] = (await routing.http.get("/v1/triage?linked=true")).json()["items"]
    assert item["same_person_ids"] == [str(placed.referral_id)]
    shown = (await routing.http.get(f"/v1/referrals/{placed.referral_id}/assignment")).json()
    assert shown["same_person_ids"] == [str(held.referral_id)]


async def test_needs_of_triage_are_shown_with_their_links(routing, referral):
    given = referral(None)
    await routing.deliver(given)
    link = ReferralLinked(
        referral_id=given.referral_id, same_household_ids=(uuid4(),), linked_at=routing.clock.now()
    )
    await routing.deliver(link)
    await routing.deliver(link.model_copy(update={"same_household_ids": ()}))
    [item] = (await routing.http.get("/v1/triage")).json()["items"]
    assert (item["same_household_ids"], item["needs"][0]) == ([], NeedCode.FOOD_PARCEL)
