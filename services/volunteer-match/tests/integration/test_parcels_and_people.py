"""Parcels that want to be delivered, people who want to help, hubs."""

from __future__ import annotations

from uuid import UUID, uuid4, uuid5

import pytest
from volunteer_match_story import (
    START,
    assigned,
    enquiry,
    hub,
    packed,
    parcel_cancelled,
    reassigned,
    say,
    task,
    volunteer,
    withdrawn,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    HubConfigured,
    HubPaused,
    TaskCancelled,
    TaskFailed,
    TaskOffered,
    TaskOpened,
    VolunteerActivated,
)
from bdcan_volunteer_match import store


async def test_a_packed_parcel_becomes_one_delivery(given: Harness) -> None:
    parcel = packed(uuid4())
    record = given.record(parcel)
    await given.deliver(record, given.record(parcel))
    await given.deliver(record)
    told = await given.emitted()
    assert [type(e.data) for e in told] == [TaskOpened]
    opened = told[0].data
    assert (opened.parcel_id, opened.need_id, opened.due_at) == (
        parcel.parcel_id,
        parcel.need_id,
        parcel.due_at,
    )
    assert opened.task_id == uuid5(parcel.parcel_id, "delivery")
    assert not opened.requires_dbs


async def test_a_parcel_goes_to_the_hub_where_the_referral_is_now(given: Harness) -> None:
    event = assigned()
    await given.deliver(event, reassigned(event, "heath"))
    await given.deliver(packed(event.referral_id, "thames"))
    assert [e.data.hub_id for e in await given.emitted(TaskOpened)] == ["heath"]


async def test_a_parcel_of_a_referral_that_ended_is_not_delivered(given: Harness) -> None:
    referral_id = uuid4()
    await given.deliver(withdrawn(referral_id))
    await given.deliver(packed(referral_id))
    assert await given.emitted() == []


@pytest.mark.parametrize("order", ["packed first", "both at once", "not packed"])
async def test_a_parcel_that_is_cancelled_is_not_delivered(given: Harness, order: str) -> None:
    parcel = packed(uuid4())
    match order:
        case "packed first":
            await given.deliver(parcel)
            await given.deliver(parcel_cancelled(parcel))
        case "both at once":
            await given.deliver(parcel, parcel_cancelled(parcel))
        case _:
            await given.deliver(parcel_cancelled(parcel))
    told = [type(e.data) for e in await given.emitted()]
    assert told == ([] if order == "not packed" else [TaskOpened, TaskCancelled])
    assert await given.deadlines() == {}


async def test_a_delivery_that_failed_is_offered_to_somebody_else(given: Harness) -> None:
    first = await volunteer(given, kinds=("parcel-delivery",))
    second = await volunteer(given, kinds=("parcel-delivery",))
    await given.deliver(packed(uuid4()))
    await given.run("match")
    offered = (await given.emitted(TaskOffered))[0].data
    task_id, other = str(offered.task_id), ({first, second} - {offered.volunteer_id}).pop()
    assert await say(given, task_id, "acceptance", offered.volunteer_id) == 200
    assert await say(given, task_id, "failure", offered.volunteer_id, reason="nobody-home") == 200
    assert [e.data.reason for e in await given.emitted(TaskFailed)] == ["nobody-home"]
    await given.run("match")
    assert (await task(given, task_id))["volunteer_id"] == str(other)


async def test_an_enquiry_waits_to_be_welcomed_and_becomes_a_volunteer(given: Harness) -> None:
    record = given.record(enquiry())
    await given.deliver(hub("thames"), record)
    await given.deliver(record)
    waiting = (await given.http.get("/v1/volunteers?state=enquired")).json()["items"]
    assert len(waiting) == 1
    assert waiting[0]["welcome_by"] > START.isoformat()
    answer = await given.http.post(
        f"/v1/volunteers/{waiting[0]['volunteer_id']}/activation",
        json={
            "hub_ids": ["thames"],
            "task_kinds": ["errand"],
            "name": "Ada Example",
            "phone": "07700 900123",
        },
    )
    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    told = await given.emitted()
    assert [type(e.data) for e in told] == [VolunteerActivated]
    assert told[0].data.volunteer_id == UUID(waiting[0]["volunteer_id"])
    assert (await given.http.get("/v1/volunteers?state=enquired")).json()["items"] == []


async def test_an_enquiry_that_comes_late_does_not_undo_an_activation(given: Harness) -> None:
    event = enquiry()
    await given.deliver(hub("thames"), event)
    volunteer_id = uuid5(event.enquiry_id, "volunteer")
    body = {"hub_ids": ["thames"], "task_kinds": ["errand"]}
    await given.http.post(f"/v1/volunteers/{volunteer_id}/activation", json=body)
    await given.deliver(event)
    listed = (await given.http.get("/v1/volunteers")).json()["items"]
    assert [v["state"] for v in listed] == ["active"]


async def test_hubs_follow_the_newest_news(given: Harness) -> None:
    configured = HubConfigured(
        hub_id="thames", version=1, name="Thames", wards=(), paused=False, configured_at=START
    )
    paused = HubPaused(
        hub_id="thames", version=2, name="Thames", wards=(), paused=True, reason="flood", paused_at=START
    )
    await given.deliver(configured, paused)
    await given.deliver(configured.model_copy(update={"name": "Old"}))
    hubs = (await given.http.get("/v1/hubs")).json()["items"]
    assert hubs == [{"hub_id": "thames", "name": "Thames", "paused": True}]


async def test_neighbours_of_a_hub_stay_when_an_older_routing_does_not_say(given: Harness) -> None:
    said = hub("thames").model_copy(update={"neighbours": ("abbey", "river")})
    await given.deliver(said)
    await given.deliver(hub("thames").model_copy(update={"version": 2, "name": "Thames again"}))
    async with given.transactions.begin() as tx:
        [known] = await store.hubs.FIND.all(tx.connection)
    assert (known.name, known.neighbours) == ("Thames again", ("abbey", "river"))
