"""What volunteers say about themselves, and when they are on duty."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from volunteer_match_story import enquiry, open_task, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import VolunteerActivated, VolunteerPaused

SAID: dict[str, Any] = {
    "postcode": "rm108xx",
    "travels": "bicycle",
    "radius_m": 2500,
    "languages": ["bn", "en"],
    "availability": [{"weekday": 1, "begins": "09:00:00", "ends": "12:00:00"}],
    "weekly_offers": 3,
    "cautions": ["no-stairs"],
}


async def switch(given: Harness, who: UUID, duty: str) -> dict[str, Any]:
    answer = await given.http.post(f"/v1/volunteers/{who}/{duty}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_profile_is_kept_and_shown_without_the_postcode(given: Harness) -> None:
    who = await volunteer(given, name="Ada Example", **SAID)
    (shown,) = (await given.http.get("/v1/volunteers")).json()["items"]
    assert {name: shown[name] for name in SAID if name != "postcode"} == {
        name: value for name, value in SAID.items() if name != "postcode"
    }
    assert (shown["sector"], shown["has_car"], shown["on_duty"]) == ("RM10 8", False, True)
    look = await given.http.post(f"/v1/volunteers/{who}/contact-views", json={"reason": "send gloves"})
    assert look.json()["postcode"] == "RM10 8XX"
    told = await given.emitted(VolunteerActivated)
    assert "RM10" not in "".join(e.data.model_dump_json() for e in told)


async def test_what_is_left_out_stays_and_what_is_emptied_goes(given: Harness) -> None:
    who = await volunteer(given, **SAID)
    path = f"/v1/volunteers/{who}/profile"
    changed = await given.http.post(path, json={"radius_m": 900, "availability": []})
    assert (changed.json()["radius_m"], changed.json()["availability"]) == (900, [])
    assert changed.json()["sector"] == "RM10 8"
    gone = await given.http.post(path, json={"postcode": ""})
    assert "sector" not in gone.json()
    assert [r[0] for r in await given.fetch("SELECT postcode FROM volunteer_person")] == [None]


async def test_bad_profile_names_every_field_and_changes_nothing(given: Harness) -> None:
    who = await volunteer(given)
    bad = {
        "radius_m": 0,
        "weekly_offers": 0,
        "availability": [{"weekday": 1, "begins": "12:00", "ends": "09:00"}],
    }
    for path in (f"/v1/volunteers/{who}/profile", f"/v1/volunteers/{who}/activation"):
        more = {"hub_ids": ["thames"], "task_kinds": ["errand"]} if path.endswith("activation") else {}
        answer = await given.http.post(path, json=bad | more)
        assert answer.status_code == 422
        assert {e["field"] for e in answer.json()["errors"]} == {
            "radius_m",
            "weekly_offers",
            "availability.0.ends",
        }
    assert len(await given.emitted(VolunteerActivated)) == 1


async def test_enquiry_brings_its_sector(given: Harness) -> None:
    await given.deliver(enquiry().model_copy(update={"postcode_sector": "RM10 8"}))
    (waiting,) = (await given.http.get("/v1/volunteers?state=enquired")).json()["items"]
    assert (waiting["sector"], waiting["travels"]) == ("RM10 8", "car")


async def test_who_goes_off_duty_keeps_what_they_accepted_and_gets_nothing_new(given: Harness) -> None:
    who = await volunteer(given)
    kept, offered = await open_task(given), await open_task(given)
    assert await given.run("match") == 2
    assert await say(given, kept, "acceptance", who) == 200
    assert (await switch(given, who, "off-duty"))["on_duty"] is False
    assert (await task(given, kept))["state"] == "accepted"
    assert (await task(given, offered))["state"] == "open"
    assert await given.run("match") == 0
    other = await volunteer(given)
    assert await given.run("match") == 1
    assert (await task(given, offered))["volunteer_id"] == str(other)
    await switch(given, who, "on-duty")
    new = await open_task(given)
    assert await given.run("match") == 1
    assert (await task(given, new))["state"] == "offered"


async def test_nobody_goes_on_duty_in_a_pause(given: Harness) -> None:
    who = await volunteer(given)
    await given.http.post(f"/v1/volunteers/{who}/pause")
    answer = await given.http.post(f"/v1/volunteers/{who}/on-duty")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:paused")
    assert len(await given.emitted(VolunteerPaused)) == 1


async def test_nothing_of_a_profile_outlives_the_volunteer(given: Harness) -> None:
    who = await volunteer(given, name="Ada Example", **SAID)
    await given.http.post(f"/v1/volunteers/{who}/leave")
    rows = await given.fetch(
        "SELECT sector, travels, radius_m, languages, availability, weekly_offers, cautions FROM volunteer"
    )
    assert [tuple(row) for row in rows] == [(None, None, None, [], "[]", 7, [])]
    assert await given.fetch("SELECT * FROM volunteer_person") == []
