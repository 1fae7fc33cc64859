"""Volunteers and who they are."""

from __future__ import annotations

from uuid import uuid4

import pytest
from volunteer_match_story import enquiry, hub, volunteer

from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import (
    VolunteerActivated,
    VolunteerEnquiryErasureRequested,
    VolunteerLeft,
    VolunteerPaused,
)

OFFERING = {"hub_ids": ["thames"], "task_kinds": ["errand"]}


async def test_a_volunteer_who_is_taken_on_is_told_without_who_they_are(given: Harness) -> None:
    helper = await volunteer(given, name="Ada Example", phone="07700 900123", checked=True, has_car=True)
    told = await given.emitted()
    assert [type(e.data) for e in told] == [VolunteerActivated] * 2, "taken on, and checked"
    data = told[1].data
    assert (data.volunteer_id, data.version, data.hub_ids, data.dbs_cleared, data.has_car) == (
        helper,
        2,
        ("thames",),
        True,
        True,
    )
    assert "Ada" not in data.model_dump_json()
    listed = await given.http.get("/v1/volunteers?state=active")
    assert [v["volunteer_id"] for v in listed.json()["items"]] == [str(helper)]
    assert "Ada" not in listed.text
    tables = await given.fetch(
        "SELECT table_name FROM information_schema.columns WHERE column_name IN ('phone') AND table_schema = 'public'"
    )
    assert [r["table_name"] for r in tables] == ["volunteer_person"]


async def test_request_to_erase_a_volunteer_whom_nobody_knows_is_answered(given: Harness) -> None:
    stranger, known = uuid4(), await volunteer(given)
    await given.emitted()
    asked = [
        VolunteerEnquiryErasureRequested(
            enquiry_id=one, erasure_id=uuid4(), volunteer_id=one, requested_at=given.clock.now()
        )
        for one in (stranger, known, stranger)
    ]
    for records in (asked[:2], asked[2:]):  # whoever asks again is told again
        await given.deliver(*records)
        told = [e.data for e in await given.emitted(VolunteerLeft)]
        assert {(e.volunteer_id, e.unknown) for e in told} == {
            (a.volunteer_id, True if a.volunteer_id == stranger else None) for a in records
        }
    assert [r[0] for r in await given.fetch("SELECT volunteer_id FROM volunteer")] == [known]


async def test_who_looks_at_a_volunteers_number_is_written_down(given: Harness) -> None:
    helper = await volunteer(given, name="Ada Example", phone="07700 900123")
    path = f"/v1/volunteers/{helper}/contact-views"
    assert (await given.http.post(path, json={})).status_code == 422
    answer = await given.http.post(path, json={"reason": "offer by telephone"})
    assert (answer.json()["phone"], answer.json()["phone_e164"]) == ("07700 900123", "+447700900123")
    looks = await given.fetch("SELECT subject_id, actor, reason FROM chassis.audit")
    assert [tuple(r) for r in looks] == [(helper, "key:test", "offer by telephone")]
    unknown = await volunteer(given)
    body = {"reason": "offer by telephone"}
    assert (await given.http.post(f"/v1/volunteers/{unknown}/contact-views", json=body)).status_code == 404


async def test_a_new_number_replaces_the_one_that_is_dialled(given: Harness) -> None:
    helper = await volunteer(given, name="Zoe\u0308 Example", phone="tel:07700 900123")
    for changed in ({"name": " Zoe  Example\u200b"}, {"phone": "ask at the hub"}):
        answer = await given.http.post(f"/v1/volunteers/{helper}/activation", json=OFFERING | changed)
        assert answer.status_code == 200
        rows = await given.fetch("SELECT name, phone, phone_e164 FROM volunteer_person")
        expected = ("tel:07700 900123", "+447700900123") if "name" in changed else ("ask at the hub", None)
        assert [tuple(r) for r in rows] == [("Zoe Example", *expected)]


async def test_the_same_activation_again_is_told_once_and_another_counts_on(given: Harness) -> None:
    helper = await volunteer(given)
    path = f"/v1/volunteers/{helper}/activation"
    assert (await given.http.post(path, json=OFFERING)).json()["version"] == 1
    changed = await given.http.post(path, json={**OFFERING, "has_car": True})
    assert changed.json()["version"] == 2
    assert [e.data.version for e in await given.emitted()] == [1, 2]


async def test_a_pause_without_an_end_lasts_until_the_next_activation(given: Harness) -> None:
    helper = await volunteer(given)
    await given.emitted()
    for _ in range(2):
        assert (await given.http.post(f"/v1/volunteers/{helper}/pause")).json()["state"] == "paused"
    assert await given.deadlines() == {}
    back = await given.http.post(f"/v1/volunteers/{helper}/activation", json=OFFERING)
    assert back.json()["state"] == "active"
    told = await given.emitted()
    assert [(type(e.data), e.data.version) for e in told] == [(VolunteerPaused, 2), (VolunteerActivated, 3)]


async def test_an_activation_ends_a_pause_and_its_deadline(given: Harness) -> None:
    helper = await volunteer(given)
    await given.http.post(f"/v1/volunteers/{helper}/pause", json={"until": "2020-04-01T09:00:00Z"})
    assert len(await given.deadlines()) == 1
    await given.http.post(f"/v1/volunteers/{helper}/activation", json=OFFERING)
    assert await given.deadlines() == {}


async def test_a_pause_into_the_past_and_one_of_an_enquiry_are_refused(given: Harness) -> None:
    helper = await volunteer(given)
    past = await given.http.post(f"/v1/volunteers/{helper}/pause", json={"until": START.isoformat()})
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "until")
    await given.deliver(enquiry())
    waiting = (await given.http.get("/v1/volunteers?state=enquired")).json()["items"][0]
    answer = await given.http.post(f"/v1/volunteers/{waiting['volunteer_id']}/pause")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:not-active")


async def test_every_field_at_fault_is_named_at_once(given: Harness) -> None:
    body = {"hub_ids": ["Not A Hub"], "task_kinds": ["flying"], "name": "", "phone": "1", "age": 7}
    answer = await given.http.post("/v1/volunteers", json=body)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {
        "hub_ids.0",
        "task_kinds.0",
        "name",
        "phone",
        "body",
    }


@pytest.mark.parametrize("what", ["activation", "pause", "leave", "contact-views"])
async def test_a_hub_does_not_learn_of_another_hubs_volunteers(given: Harness, what: str) -> None:
    helper = await volunteer(given, "thames")
    heath = given.client(["volunteers:read", "volunteers:write"], ["heath"])
    bodies = {
        "activation": {**OFFERING, "hub_ids": ["heath"]},
        "contact-views": {"reason": "curious"},
        "pause": {},
    }
    for which in (helper, uuid4()):
        answer = await heath.post(f"/v1/volunteers/{which}/{what}", json=bodies.get(what))
        assert answer.status_code == 404
    assert (await heath.get("/v1/volunteers")).json()["items"] == []


async def test_a_hub_takes_on_volunteers_for_itself_alone(given: Harness) -> None:
    heath = given.client(["volunteers:read", "volunteers:write"], ["heath"])
    await given.deliver(hub("heath"))
    assert (await heath.post("/v1/volunteers", json=OFFERING)).status_code == 404
    mine = await heath.post("/v1/volunteers", json={**OFFERING, "hub_ids": ["heath"]})
    assert mine.status_code == 201
    assert (await heath.get("/v1/volunteers")).json()["items"] == [mine.json()]
