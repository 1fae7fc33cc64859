"""A dry run answers as if, and stores nothing: no row of any table changes."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_intake.app import service
from bdcan_intake.settings import Settings

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


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    """Intake, which takes on two rows of a list in one transaction."""
    async with harness(postgres_server, service, Settings, import_chunk=2) as running:
        yield running


async def everything(given: Harness) -> dict[str, list[str]]:
    """All rows of all tables."""
    return {
        table["name"]: [
            row["row"]
            for row in await given.fetch(f"SELECT t::text AS row FROM {table['name']} AS t ORDER BY 1")
        ]  # a name from the catalogue
        for table in await given.fetch(TABLES)
    }


async def handed_in(given: Harness, **more: Any) -> str:
    answer = await given.http.post("/v1/referrals", json=BODY | more)
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


LIST = b"""reference,name,needs,birth_date
RS-1,Amina Example,shopping,
L-2,Bola Example,shopping,long ago
L-3,Carol Example,pony,
L-4,Dina Example,shopping,
L-4,Dina Example,shopping,
"""
IMPORTS = "/v1/referral-imports"


async def test_dry_run_of_a_list_answers_as_the_list_itself_and_stores_nothing(given: Harness):
    before = await everything(given)
    dry = await given.http.post(IMPORTS, content=LIST, params=DRY)
    assert (dry.status_code, dry.headers.get("Dry-Run")) == (201, "true"), dry.text
    assert await everything(given) == before
    wet = (await given.http.post(IMPORTS, content=LIST)).json()
    told = dry.json()
    assert told["dry_run"]
    assert (told["accepted"], told["duplicates"], told["refused"], told["kept"]) == (3, 1, 1, 1)
    same = told.keys() & wet.keys() - {"import_id", "imported_at", "ended_at", "duplicate_rows"}
    assert {name: told[name] for name in same} == {name: wet[name] for name in same}
    assert [row["line"] for row in told["duplicate_rows"]] == [row["line"] for row in wet["duplicate_rows"]]
    assert told.keys().isdisjoint({"errors_url", "duplicates_url"}), "there is nothing to fetch"
    listed = list(csv.DictReader(io.StringIO((await given.http.get(wet["errors_url"])).text)))
    said = [{**problem, "line": str(problem["line"])} for problem in told["problems"]]
    assert said == listed
    assert {row["code"] for row in listed} == {"kept-as-typed", "unknown-code"}


async def test_dry_run_of_a_list_knows_what_was_handed_in_before(given: Harness):
    assert (await given.http.post(IMPORTS, content=LIST)).status_code == 201
    before = await everything(given)
    told = (await given.http.post(IMPORTS, content=LIST, params=DRY)).json()
    assert (told["accepted"], told["duplicates"], told["refused"]) == (0, 4, 1)
    assert await everything(given) == before


async def test_dry_run_of_a_list_that_nobody_can_read_stores_nothing(given: Harness):
    before = await everything(given)
    for content in (b"%PDF-1.7", b"no,column,of,ours\n1,2,3,4\n"):
        dry = await given.http.post(IMPORTS, content=content, params=DRY)
        assert await everything(given) == before
        wet = await given.http.post(IMPORTS, content=content)
        assert (dry.status_code, dry.json()["type"]) == (wet.status_code, wet.json()["type"])
        before = await everything(given)


async def test_dry_run_of_a_note_stores_nothing(given: Harness):
    url = f"/v1/referrals/{await handed_in(given)}/notes"
    before = await everything(given)
    for text in ("She has a dog.", "She has died."):
        answer = await given.http.post(url, json={"text": text}, params=DRY)
        assert (answer.status_code, answer.headers.get("Dry-Run")) == (201, "true"), answer.text
        assert answer.json()["dry_run"]
    assert await everything(given) == before
    assert (await given.http.post(url, json={"text": ""}, params=DRY)).status_code == 422


async def test_dry_run_of_a_correction_stores_nothing(given: Harness):
    url = f"/v1/referrals/{await handed_in(given, needs=['food-parcel'])}"
    body = {"reason": "typed wrongly", "person": {"name": "Amina Other"}}
    assert (await given.http.post(f"{url}/corrections", json=body, params=DRY)).status_code == 409
    await given.http.post(f"{url}/withdrawal", json={"reason": "moved-away"})
    before = await everything(given)
    answer = await given.http.post(f"{url}/corrections", json=body, params=DRY)
    assert (answer.status_code, answer.headers.get("Dry-Run")) == (204, "true"), answer.text
    assert await everything(given) == before


@pytest.mark.parametrize("said", ["maybe", "", "2"])
async def test_dry_run_that_is_neither_yes_nor_no_is_refused(given: Harness, said: str):
    answer = await given.http.post("/v1/referrals", json=BODY, params={"dry_run": said})
    assert answer.status_code == 422
    assert await given.fetch("SELECT id FROM referral") == []
