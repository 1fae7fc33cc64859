"""Who rings us back: from a number or a name to the referral, without telling who it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_disclosures import PERSON, resident

from bdcan_chassis.audit import Act
from bdcan_chassis.testing.harness import Harness
from bdcan_intake.domain.referral import Referral

SCOPE = "disclosures:welfare_call"


async def at_the_hub(given: Harness) -> Referral:
    r = await resident(given, "shopping")
    await given.deliver(s.assigned(r))
    await given.run("likeness")
    return r


async def ask(given: Harness, *, hub: str = s.HUB, **known: Any) -> Any:
    return await given.client([SCOPE], [hub]).post("/v1/ringing-back", json=known)


@pytest.mark.parametrize(
    ("known", "likeness"),
    [
        ({"phone": "+44 7700 900417"}, "household"),
        ({"phone": "07700900417", "name": "amina example"}, "person"),
        ({"name": "Example, Amina", "postcode": "rm108xx"}, "person"),
        ({"name": "A Example", "birth_date": "1948-05-17"}, "person"),
        ({"name": "Ben Example", "postcode": "RM10 8XX"}, "household"),
    ],
)
async def test_whoever_is_on_the_line_is_found_and_the_look_is_kept(
    given: Harness, known: dict[str, str], likeness: str
) -> None:
    r = await at_the_hub(given)
    answer = await ask(given, **known)
    [found] = answer.json()["items"]
    assert (found["referral_id"], found["hub_id"], found["likeness"]) == (str(r.referral_id), s.HUB, likeness)
    assert not [word for word in PERSON.values() if word in answer.text], "it names nobody"
    [look] = await given.fetch("SELECT subject_id FROM chassis.audit WHERE act = $1", Act.DISCLOSED)
    assert str(look["subject_id"]) == str(r.referral_id)


async def test_nobody_is_found_who_is_not_ours_or_is_not_helped(given: Harness) -> None:
    r = await at_the_hub(given)
    assert (await ask(given, phone="07700 900418")).json() == {"items": []}
    assert (await ask(given, name="Amina Other", postcode="RM10 8XX")).json() == {"items": []}
    assert (await ask(given, hub="another-hub", phone="07700 900417")).json() == {"items": []}
    await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"})
    assert (await ask(given, phone="07700 900417")).json() == {"items": []}
    assert await given.fetch("SELECT FROM chassis.audit WHERE act = $1", Act.DISCLOSED) == []


@pytest.mark.parametrize(
    "known", [{}, {"name": "Amina Example"}, {"phone": "ask the daughter"}, {"postcode": "RM10 8XX"}]
)
async def test_too_little_to_go_by_is_refused_with_what_to_send(
    given: Harness, known: dict[str, str]
) -> None:
    refused = await ask(given, **known)
    assert refused.status_code == 422
    assert "phone" in refused.text


async def test_only_callers_may_ask(given: Harness) -> None:
    other = given.client(["referrals:read", "disclosures:triage"], [s.HUB])
    assert (await other.post("/v1/ringing-back", json={"phone": "07700 900417"})).status_code == 403
