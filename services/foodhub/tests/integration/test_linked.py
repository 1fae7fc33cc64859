"""Two food requests of one household each get a parcel, and whoever looks at the parcels sees that they belong together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import ReferralLinked


def linked(one: UUID, *others: UUID, later: int = 0) -> ReferralLinked:
    return ReferralLinked(
        referral_id=one, same_household_ids=others, linked_at=START.replace(microsecond=later)
    )


@pytest.mark.parametrize("link_first", [True, False])
async def test_both_parcels_are_kept_and_flagged(foodhub: Harness, tell: Any, link_first: bool):
    calls = [tell.call_completed()[0] for _ in range(3)]
    one, other, _ = (call.referral_id for call in calls)
    links = [linked(one, other), linked(other, one)]
    for event in (*links, *calls) if link_first else (*calls, *links):
        await foodhub.deliver(event)
    assert len((await foodhub.http.get("/v1/parcels")).json()["items"]) == 3
    found = (await foodhub.http.get("/v1/parcels?linked=true")).json()["items"]
    assert {p["referral_id"]: p["same_household_ids"] for p in found} == {
        str(one): [str(other)],
        str(other): [str(one)],
    }
    shown = (await foodhub.http.get(f"/v1/parcels/{found[0]['parcel_id']}")).json()
    assert shown["same_household_ids"] == found[0]["same_household_ids"]


async def test_older_link_changes_nothing(foodhub: Harness, tell: Any):
    call, _ = tell.call_completed()
    await foodhub.deliver(call, linked(call.referral_id, later=2))
    await foodhub.deliver(linked(call.referral_id, call.call_id, later=1))
    assert (await foodhub.http.get("/v1/parcels?linked=true")).json()["items"] == []
