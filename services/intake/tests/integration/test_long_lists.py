"""Nobody makes an answer, or what is stored, as long as they like: lists are cut, and say how many more there are."""

from __future__ import annotations

import csv
import io
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_following import handed_in

from bdcan_chassis.testing.harness import Harness
from bdcan_intake import importing
from bdcan_intake.domain.note import MOST_SHOWN

URL = "/v1/referral-imports"


async def _errors(given: Harness, done: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((await given.http.get(done["errors_url"])).text)))


async def _stored(given: Harness) -> int:
    [row] = await given.fetch("SELECT count(*) AS n FROM referral_import_error")
    return row["n"]


@pytest.mark.parametrize(
    ("column", "cell"), [("needs", ";".join(f"zz{n}" for n in range(3_000))), ("diets", "zz;" * 3_000)]
)
async def test_row_with_thousands_of_mistakes_has_twenty_in_the_list(
    given: Harness, column: str, cell: str
) -> None:
    answer = await given.http.post(URL, content=f"name,{column}\nAmina,{cell}\n".encode())
    done = answer.json()
    assert (answer.status_code, done["refused"]) == (201, 1)
    found = await _errors(given, done)
    assert len(found) <= 21
    assert done["unlisted_problems"] >= 20
    assert str(done["unlisted_problems"]) in found[-1]["message"]


async def test_row_with_hundreds_of_unnamed_cells_is_refused_with_one_problem(given: Harness) -> None:
    content = "name" + "," * 400 + "\nAmina" + ",x" * 400 + "\n"
    done = (await given.http.post(URL, content=content.encode())).json()
    assert (done["refused"], done["accepted"]) == (1, 0)
    assert [one["code"] for one in await _errors(given, done)] == ["unnamed-columns"]


async def test_file_of_mistakes_is_listed_up_to_a_limit(
    given: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_PROBLEMS", 25)
    rows = "".join(f"Person {n},not-a-need\n" for n in range(2_100))
    done = (await given.http.post(URL, content=f"name,needs\n{rows}".encode())).json()
    assert (done["refused"], done["unlisted_problems"]) == (2_100, 2_075)
    assert await _stored(given) == 25
    found = await _errors(given, done)
    assert [one["code"] for one in found] == ["unknown-code"] * 25 + ["more"]
    assert found[-1]["message"].startswith("2075 more problems")
    assert (await given.http.get(f"{URL}/{done['import_id']}")).json()["unlisted_problems"] == 2_075


async def test_header_of_unknown_columns_names_some_and_counts_the_others(given: Harness) -> None:
    answer = await given.http.post(URL, content=",".join(f"zz{n}" for n in range(100_000)).encode())
    assert answer.status_code == 422
    assert len(answer.content) < 10_000
    assert any("99980 more" in one["message"] for one in answer.json()["errors"])
    assert await _stored(given) <= 21


async def test_disclosure_shows_the_newest_notes_and_counts_the_others(given: Harness) -> None:
    r = await handed_in(given, "food-parcel", person={"name": "Amina"})
    await given.fetch(
        "INSERT INTO note (id, referral_id, text, author, noted_at) SELECT lpad(to_hex(n), 32, '0')::uuid, $1, 'note ' || n || '.',"
        " 'person:ada', now() + n * interval '1 minute' FROM generate_series(1, $2::int) AS n",
        r.referral_id,
        MOST_SHOWN + 7,
    )
    await given.deliver(s.assigned(r))
    body = {"referral_id": str(r.referral_id), "purpose": "escalation", "reason": "to help"}
    notes = (await given.http.post("/v1/disclosures", json=body)).json()["notes"]
    assert notes.splitlines()[0] == "7 older notes are not shown."
    assert len(notes.splitlines()) == MOST_SHOWN + 1
    assert notes.endswith(f"note {MOST_SHOWN + 7}.")


async def test_referral_shows_its_newest_entries_and_counts_the_others(given: Harness) -> None:
    r = await handed_in(given, "food-parcel", person={"name": "Amina"})
    await given.fetch(
        "INSERT INTO timeline (referral_id, event_key, at, kind, detail) SELECT $1, gen_random_uuid(),"
        " now() - n * interval '1 minute', 'note.added', '{}' FROM generate_series(1, 1500) AS n",
        r.referral_id,
    )
    shown = (await given.http.get(f"/v1/referrals/{r.referral_id}")).json()
    assert (len(shown["timeline"]), shown["earlier_entries"]) == (1000, 501)
    assert shown["timeline"][-1]["at"] >= shown["timeline"][0]["at"]


async def test_audit_of_a_referral_shows_its_newest_disclosures(given: Harness) -> None:
    r = await handed_in(given, "food-parcel", person={"name": "Amina"})
    body = {"referral_id": str(r.referral_id), "purpose": "escalation", "reason": "to help"}
    assert (await given.http.post("/v1/disclosures", json=body)).status_code == 200
    await given.fetch(
        "INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason) SELECT gen_random_uuid(), now(),"
        " 'person:ada', 'disclosed', $1, '{\"purpose\": \"triage\", \"fields\": []}', 'x' FROM generate_series(1, 1010)",
        r.referral_id,
    )
    shown = (await given.http.get(f"/v1/referrals/{r.referral_id}/disclosures")).json()
    assert (len(shown["items"]), shown["more"]) == (1000, 11)


async def test_referral_holds_a_hundred_needs_at_most(given: Harness) -> None:
    r = await handed_in(given, "food-parcel", person={"name": "Amina"})
    path, statuses = f"/v1/referrals/{r.referral_id}", []
    for _ in range(12):
        given.clock.advance(timedelta(minutes=1))
        needs = (await given.http.get(path)).json()["needs"]
        body = {
            "withdraw_needs": [n["need_id"] for n in needs if n["state"] == "open"],
            "add_needs": [
                "shopping", "prescription", "housing", "debt", "transport", "errand", "leafletting",
                "food-parcel", "baby-supplies", "benefits",
            ],
        }  # fmt: skip
        answer = await given.http.post(f"{path}/amendments", json=body)
        statuses.append(answer.status_code)
        assert answer.status_code in {200, 409}, answer.text
    assert statuses[-1] == 409
    assert len((await given.http.get(path)).json()["needs"]) <= 100
