"""A dry run answers as if, and stores nothing: no row of any table changes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from bdcan_chassis.testing.harness import Harness

DRY = {"dry_run": "true"}

BODY: dict[str, Any] = {
    "channel": "gp",
    "reference": "RS-1",
    "person": {"name": "Amina Example", "phone": "07700 900417", "postcode": "RM10 8XX"},
    "needs": ["food-parcel", "domestic-abuse"],
    "notes": "Ring after ten.",
}

TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname IN ('public', 'chassis') ORDER BY 1
"""


async def everything(given: Harness) -> dict[str, list[str]]:
    """All rows of all tables."""
    return {
        table["name"]: [
            row["row"]
            for row in await given.fetch(f"SELECT t::text AS row FROM {table['name']} AS t ORDER BY 1")
        ]  # a name from the catalogue
        for table in await given.fetch(TABLES)
    }


async def handed_in(given: Harness) -> str:
    answer = await given.http.post("/v1/referrals", json=BODY)
    assert answer.status_code == 201, answer.text
    return answer.json()["referral_id"]


async def test_dry_run_of_a_request_answers_as_if_and_stores_nothing(given: Harness):
    before = await everything(given)
    answer = await given.http.post(
        "/v1/referrals", json=BODY, params=DRY, headers={"Idempotency-Key": str(uuid4())}
    )
    assert (answer.status_code, answer.headers["Dry-Run"]) == (201, "true")
    assert (answer.json()["state"], answer.json()["dry_run"]) == ("received", True)
    assert await everything(given) == before


async def test_dry_run_of_a_change_stores_nothing(given: Harness):
    url = f"/v1/referrals/{await handed_in(given)}"
    before = await everything(given)
    amendment = {"person": {"phone": "07700 900999"}, "add_needs": ["shopping"], "notes": "She has moved."}
    amended = await given.http.post(f"{url}/amendments", json=amendment, params=DRY)
    withdrawn = await given.http.post(f"{url}/withdrawal", json={"reason": "moved-away"}, params=DRY)
    assert [need["code"] for need in amended.json()["needs"]][-1] == "shopping"
    assert withdrawn.json()["needs"][0]["state"] == "withdrawn"
    assert amended.json()["dry_run"]
    assert withdrawn.json()["dry_run"]
    assert await everything(given) == before


async def test_dry_run_of_a_known_request_names_the_referral_that_it_has(given: Harness):
    referral_id = await handed_in(given)
    answer = await given.http.post("/v1/referrals", json=BODY, params=DRY)
    assert (answer.status_code, answer.json()["referral_id"]) == (200, referral_id)
    assert answer.json()["duplicate"]
    other = await given.http.post("/v1/referrals", json=BODY | {"notes": "Other."}, params=DRY)
    assert (other.status_code, other.json()["type"]) == (409, "urn:bdcan:problem:reference-reused")


async def test_dry_run_says_everything_that_is_wrong(given: Harness):
    before = await everything(given)
    answer = await given.http.post("/v1/referrals", json={"channel": "pigeon"}, params=DRY)
    assert answer.status_code == 422
    assert {"channel", "person", "needs"} == {error["field"] for error in answer.json()["errors"]}
    assert await everything(given) == before


async def test_text_that_no_table_takes_is_refused_in_a_dry_run_too(given: Harness):
    body = BODY | {"person": {"name": "Amina\0Example"}}
    wet = await given.http.post("/v1/referrals", json=body)
    dry = await given.http.post("/v1/referrals", json=body, params=DRY)
    assert wet.status_code == dry.status_code == 422


async def test_key_of_a_dry_run_is_free_for_the_request_itself(given: Harness):
    key = {"Idempotency-Key": str(uuid4())}
    await given.http.post("/v1/referrals", json=BODY, params=DRY, headers=key)
    answer = await given.http.post("/v1/referrals", json=BODY, headers=key)
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers
    assert "dry_run" not in answer.json()
    again = await given.http.post("/v1/referrals", json=BODY, params=DRY, headers=key)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)


@pytest.mark.parametrize("said", ["maybe", "", "2"])
async def test_dry_run_that_is_neither_yes_nor_no_is_refused(given: Harness, said: str):
    answer = await given.http.post("/v1/referrals", json=BODY, params={"dry_run": said})
    assert answer.status_code == 422
    assert await given.fetch("SELECT id FROM referral") == []
