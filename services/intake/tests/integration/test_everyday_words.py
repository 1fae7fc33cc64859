"""Codes and the words that people use for them are read at the form and in a list."""

from __future__ import annotations

from typing import Any

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.typed.codes import nearest_codes, read_code
from bdcan_contracts.vocabulary import NEEDS, Channel, Diet, Flag, NeedCode

URL = "/v1/referral-imports?source=shielding-list"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("food-parcel", "food-parcel"),
        ("Food parcel", "food-parcel"),
        (" GROCERIES ", "food-parcel"),
        ("nothing to eat", "food-parcel"),
        ("Baby\u00a0milk", "baby-supplies"),
        ("sick_pay", "benefits"),
        ("someone to talk to", "befriending-call"),
        ("ﬂat", None),
        ("milk", None),
        ("Medicines", "prescription"),
        ("food parcels", "food-parcel"),
    ],
)
def test_need_is_read_by_its_code_its_title_or_an_everyday_word(typed: str, code: str | None):
    assert read_code(NeedCode, typed) == code


def test_every_word_of_the_vocabulary_means_one_need():
    words = [word for help_ in NEEDS.values() for word in help_.words]
    for code, help_ in NEEDS.items():
        for word in help_.words:
            if words.count(word) == 1:
                assert read_code(NeedCode, word.upper()) == code


@pytest.mark.parametrize(
    ("kind", "typed", "near"),
    [
        (NeedCode, "foood", ["food-parcel"]),
        (NeedCode, "perscription", ["prescription"]),
        (NeedCode, "bayliffs", ["debt"]),
        (Diet, "halaal", ["halal"]),
        (Flag, "shelding", ["shielding"]),
        (Channel, "fone", ["phone"]),
        (NeedCode, "qqqq", []),
    ],
)
def test_nearest_codes_are_found(kind: Any, typed: str, near: list[str]):
    assert nearest_codes(kind, typed)[: len(near)] == near
    assert bool(nearest_codes(kind, typed)) == bool(near)


async def test_form_reads_everyday_words(given: Harness):
    body = {
        "channel": "Telephone",
        "person": {"name": "Amina Example"},
        "needs": ["Groceries", "walk the dog"],
        "diets": ["Gluten free"],
        "flags": ["Lives alone"],
    }
    made = (await given.http.post("/v1/referrals", json=body)).json()
    assert {need["code"] for need in made["needs"]} == {"food-parcel", "errand"}
    assert (made["channel"], made["flags"][0]) == ("phone", "lives-alone")
    path = f"/v1/referrals/{made['referral_id']}/amendments"
    amended = await given.http.post(path, json={"add_needs": ["lonely"]})
    assert "befriending-call" in {need["code"] for need in amended.json()["needs"]}


async def test_form_suggests_the_nearest_codes(given: Harness):
    body = {"channel": "phone", "person": {"name": "Amina Example"}, "needs": ["foood"]}
    [problem] = (await given.http.post("/v1/referrals", json=body)).json()["errors"]
    assert (problem["field"], problem["code"]) == ("needs.0", "unknown-code")
    assert "do you mean food-parcel?" in problem["message"]
    assert "foood" not in problem["message"]


@pytest.mark.parametrize(
    ("cell", "codes"),
    [
        ("Groceries; walk the dog", {"food-parcel", "errand"}),
        ("food parcel prescription", {"food-parcel", "prescription"}),
        ("milk and bread, tablets", {"shopping", "prescription"}),
        ("nothing to eat", {"food-parcel"}),
        ("FOOD PARCEL & Befriending call", {"food-parcel", "befriending-call"}),
        ("lonely food debt", {"befriending-call", "food-parcel", "debt"}),
    ],
)
async def test_list_reads_everyday_words(given: Harness, cell: str, codes: set[str]):
    content = f'name,needs\nAmina Example,"{cell}"\n'
    done = (await given.http.post(URL, content=content.encode())).json()
    assert done["accepted"] == 1, (await given.http.get(done["errors_url"])).text
    assert {row["code"] for row in await given.fetch("SELECT code FROM need")} == codes


async def test_list_suggests_the_nearest_codes(given: Harness):
    done = (await given.http.post(URL, content="name,needs\nAmina Example,perscription\n")).json()
    assert "do you mean prescription?" in (await given.http.get(done["errors_url"])).text
