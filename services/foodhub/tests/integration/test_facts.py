"""A fact about a resident changes: the parcel follows, stops, or its driver is warned. Nothing leaves that does not fit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import (
    Household,
    ParcelDelivered,
    ParcelDispatched,
    ParcelPacked,
    ParcelStopped,
    ParcelWarned,
    Priority,
    TaskAccepted,
    TaskCompleted,
    TaskFailed,
)
from bdcan_contracts.vocabulary import Diet
from bdcan_foodhub.domain.contents import contents

SIX = Household(adults=4, children=2)
ALLERGY = (Diet.GLUTEN_FREE, Diet.SEAFOOD_ALLERGY)
LATER = START + timedelta(minutes=10)


class Kitchen:
    """One parcel of one referral, and what people do with it."""

    def __init__(self, foodhub: Harness, tell: Any) -> None:
        self.foodhub, self.tell = foodhub, tell
        self.call, self.need_id = tell.call_completed(household=Household(adults=1))
        self.referral_id = self.call.referral_id
        self.parcel_id: UUID = derived_id(self.need_id, "parcel")
        self.task_id = new_id()

    async def reach(self, state: str) -> None:
        """Bring the parcel into a state."""
        await self.foodhub.deliver(self.call)
        if state == "requested":
            return
        if state == "short":
            await self.foodhub.run("allocate")
            return
        await self.stock(self.tell.asked_for(self.call))
        if state == "reserved":
            return
        await self.do("picking")
        if state == "picking":
            return
        await self.do("packing")
        if state == "packed":
            return
        await self.foodhub.deliver(self.tell.delivery_task(TaskAccepted, self.parcel_id, self.task_id))
        if state == "delivered":
            await self.foodhub.deliver(self.tell.delivery_task(TaskCompleted, self.parcel_id, self.task_id))

    async def stock(self, quantities: dict[str, int]) -> None:
        await self.tell.received(self.foodhub, quantities)
        await self.foodhub.run("allocate")

    async def do(self, step: str, **body: Any) -> dict[str, Any]:
        answer = await self.foodhub.http.post(f"/v1/parcels/{self.parcel_id}/{step}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def amend(self, **facts: Any) -> None:
        told = {"amended_at": LATER, "household": Household(adults=1)} | facts
        await self.foodhub.deliver(self.tell.amended(self.referral_id, **told))

    async def seen(self) -> dict[str, Any]:
        return (await self.foodhub.http.get(f"/v1/parcels/{self.parcel_id}")).json()

    async def lines(self) -> dict[str, int]:
        return {line["item_id"]: line["quantity"] for line in (await self.seen())["lines"]}


@pytest.fixture
def kitchen(foodhub: Harness, tell: Any) -> Kitchen:
    return Kitchen(foodhub, tell)


def right(household: Household = SIX, diets: tuple[Diet, ...] = ALLERGY) -> dict[str, int]:
    return {x.item_id: x.quantity for x in contents("food-parcel", household, diets)}


@pytest.mark.parametrize("state", ["requested", "short", "reserved"])
async def test_parcel_that_nobody_picks_is_filled_anew_when_the_desk_amends(kitchen, foodhub, state):
    await kitchen.reach(state)
    foodhub.clock.advance(timedelta(minutes=10))
    await kitchen.amend(diets=ALLERGY, household=SIX, priority=Priority.URGENT)
    parcel = await kitchen.seen()
    assert (parcel["state"], parcel["priority"]) == ("requested", "urgent")
    assert await kitchen.lines() == right()
    due_at = foodhub.clock.now() + timedelta(hours=24)
    assert parcel["due_at"] == due_at.isoformat().replace("+00:00", "Z")
    assert (await foodhub.deadlines())["parcel-due", kitchen.parcel_id] == due_at
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["reserved"] == 0


@pytest.mark.parametrize("state", ["picking", "packed"])
async def test_parcel_in_work_stops_and_is_repacked_when_the_desk_amends(kitchen, foodhub, state):
    await kitchen.reach(state)
    await foodhub.emitted()
    await kitchen.amend(diets=ALLERGY, household=SIX)
    (stopped,) = await foodhub.emitted(ParcelStopped)
    assert set(stopped.data.facts) == {"diets", "household"}
    listed = (await foodhub.http.get("/v1/parcel-notices")).json()["items"]
    assert [p["parcel_id"] for p in listed] == [str(kitchen.parcel_id)]
    (notice,) = listed[0]["notices"]
    assert (notice["owner"], notice["stops"]) == ("site:central", True)
    if state == "picking":
        refused = await foodhub.http.post(f"/v1/parcels/{kitchen.parcel_id}/packing", json={})
        assert refused.status_code == 409
        assert "diets" in refused.json()["detail"]
    await foodhub.deliver(kitchen.tell.delivery_task(TaskAccepted, kitchen.parcel_id, kitchen.task_id))
    assert await foodhub.emitted(ParcelDispatched) == []

    await kitchen.do("decision", decision="repack", reason="diets-changed")
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["issued"], stock["reserved"], stock["balanced"]) == (0, 0, True)
    await kitchen.stock(right())
    await kitchen.do("picking")
    packed = await kitchen.do("packing")
    assert {x["item_id"]: x["quantity"] for x in packed["lines"]} == right()
    kinds = [type(e.data) for e in await foodhub.emitted()]
    assert kinds[-2:] == [ParcelPacked, ParcelDispatched], "the volunteer who had accepted takes it"
    assert (await foodhub.http.get("/v1/parcel-notices")).json()["items"] == []


async def test_stopped_parcel_leaves_as_it_is_when_a_person_decides_so(kitchen, foodhub):
    await kitchen.reach("packed")
    await kitchen.amend(diets=ALLERGY)
    await foodhub.deliver(kitchen.tell.delivery_task(TaskAccepted, kitchen.parcel_id, kitchen.task_id))
    assert (await kitchen.seen())["state"] == "packed"
    kept = await kitchen.do("decision", decision="keep", reason="replaced-by-hand")
    assert kept["state"] == "dispatched"
    (notice,) = kept["notices"]
    assert (notice["decision"], notice["reason"]) == ("keep", "replaced-by-hand")
    again = await foodhub.http.post(
        f"/v1/parcels/{kitchen.parcel_id}/decision", json={"decision": "keep", "reason": "x"}
    )
    assert again.status_code == 409


async def test_stopped_parcel_goes_on_when_the_fact_changes_back(kitchen, foodhub):
    await kitchen.reach("packed")
    await kitchen.amend(diets=ALLERGY)
    assert (await kitchen.seen())["stopped"]
    await kitchen.amend(version=3, diets=(), dropped_diets=ALLERGY)
    assert not (await kitchen.seen())["stopped"]


async def test_failed_task_of_a_stopped_parcel_leaves_it_to_the_next_volunteer(kitchen, foodhub):
    await kitchen.reach("packed")
    await kitchen.amend(diets=ALLERGY)
    await foodhub.deliver(
        kitchen.tell.delivery_task(TaskAccepted, kitchen.parcel_id, kitchen.task_id),
        kitchen.tell.delivery_task(TaskFailed, kitchen.parcel_id, kitchen.task_id),
    )
    kept = await kitchen.do("decision", decision="keep", reason="fits")
    assert (kept["state"], kept.get("task_id")) == ("packed", None)


async def test_stopped_parcel_that_a_volunteer_took_all_the_same_warns_the_hub(kitchen, foodhub):
    await kitchen.reach("packed")
    await kitchen.amend(diets=ALLERGY)
    await foodhub.deliver(kitchen.tell.delivery_task(TaskCompleted, kitchen.parcel_id, kitchen.task_id))
    kinds = [type(e.data) for e in await foodhub.emitted()]
    assert kinds[-2:] == [ParcelDelivered, ParcelWarned]
    (listed,) = (await foodhub.http.get("/v1/parcel-notices")).json()["items"]
    assert [n["owner"] for n in listed["notices"] if n.get("settled_at") is None] == ["hub:northbury"]


@pytest.mark.parametrize(
    "facts",
    [{"diets": ALLERGY}, {"household": SIX}, {"flags": ("shielding",)}, {"changed": ("address",)}],
    ids=lambda facts: next(iter(facts)),
)
async def test_driver_is_warned_when_a_fact_changes_on_the_way(kitchen, foodhub, facts):
    await kitchen.reach("dispatched")
    await foodhub.emitted()
    await kitchen.amend(**facts)
    await kitchen.amend(**facts)
    (warned,) = await foodhub.emitted(ParcelWarned)
    assert warned.data.task_id == kitchen.task_id
    (listed,) = (await foodhub.http.get("/v1/parcel-notices")).json()["items"]
    assert listed["notices"][0]["owner"] == "hub:northbury"
    done = await kitchen.do("passed-on", reason="driver-rung")
    assert done["notices"][0]["decision"] == "passed-on"
    assert (await foodhub.http.get("/v1/parcel-notices")).json()["items"] == []


async def test_hub_is_warned_of_an_allergy_that_is_learned_after_delivery(kitchen, foodhub):
    await kitchen.reach("delivered")
    await kitchen.amend(diets=(Diet.NUT_ALLERGY,))
    assert await foodhub.emitted(ParcelWarned) == [], "the parcel has no nuts"
    await kitchen.amend(version=3, diets=(Diet.NUT_ALLERGY, Diet.SEAFOOD_ALLERGY))
    assert len(await foodhub.emitted(ParcelWarned)) == 1


async def test_second_call_stops_a_packed_parcel(kitchen, foodhub):
    await kitchen.reach("packed")
    again, _ = kitchen.tell.call_completed(
        need_id=kitchen.need_id, referral_id=kitchen.referral_id, diets=ALLERGY, household=SIX
    )
    await foodhub.deliver(again)
    assert len(await foodhub.emitted(ParcelStopped)) == 1


async def test_packed_parcel_waits_for_a_new_label_when_the_resident_moves_house(kitchen, foodhub):
    await kitchen.reach("packed")
    await kitchen.amend(changed=("address",))
    assert (await kitchen.seen())["stopped"]


async def test_reserved_parcel_moves_to_the_new_site_when_the_resident_moves_house(kitchen, foodhub):
    await kitchen.reach("reserved")
    moved = kitchen.tell.reassigned(kitchen.referral_id, "thames")
    await foodhub.deliver(moved.model_copy(update={"reason": "address-changed"}))
    parcel = await kitchen.seen()
    assert (parcel["state"], parcel["hub_id"], parcel["site_id"]) == ("requested", "thames", "becontree")
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["reserved"] == 0


async def test_allergy_that_a_call_found_survives_an_amendment_of_something_else(kitchen, foodhub, tell):
    call, need_id = tell.call_completed(diets=(Diet.SEAFOOD_ALLERGY,), household=SIX)
    await foodhub.deliver(call)
    stale = {"diets": (), "household": Household(adults=1), "amended_at": LATER, "changed": ("notes",)}
    await foodhub.deliver(tell.amended(call.referral_id, **stale))
    parcel = (await foodhub.http.get(f"/v1/parcels/{derived_id(need_id, 'parcel')}")).json()
    assert (parcel["diets"], parcel["people"]) == (["seafood-allergy"], 6)


async def test_allergy_that_the_desk_told_before_the_call_counts_in_the_parcel(kitchen, foodhub):
    await kitchen.amend(diets=ALLERGY, household=SIX, priority=Priority.URGENT, amended_at=START)
    await foodhub.deliver(kitchen.call)
    assert (await kitchen.seen())["diets"] == sorted(ALLERGY)


async def test_withdrawn_consent_stops_a_parcel_that_waits(kitchen, foodhub):
    await kitchen.reach("short")
    await kitchen.amend(changed=("consent",))
    await kitchen.stock(kitchen.tell.asked_for(kitchen.call))
    parcel = await kitchen.seen()
    assert (parcel["state"], parcel["stopped"]) == ("short", True)
    await kitchen.do("decision", decision="keep", reason="resident-agrees")
    await foodhub.run("allocate")
    assert (await kitchen.seen())["state"] == "reserved"


async def test_order_of_call_and_amendment_makes_no_difference(kitchen, foodhub, tell):
    for first_call in (True, False):
        one = Kitchen(foodhub, tell)
        amendment = tell.amended(one.referral_id, diets=ALLERGY, household=SIX, amended_at=LATER)
        await foodhub.deliver(*((one.call, amendment) if first_call else (amendment, one.call)))
        assert await one.lines() == right()
