"""Only the hub's and the council's people see a sensitive need. All others see that something is in hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.words import Audience

SENSITIVE = [code for code, known in vocabulary.NEEDS.items() if known.audience is not Audience.EVERYONE]

NEUTRAL = {
    "need_id": None,
    "code": None,
    "lane": None,
    "state": "something-is-in-hand",
    "reason": None,
    "owner": None,
    "due_at": None,
}


class Pharmacy:
    """A sender that sees what it sent, and no hub."""

    def __init__(self, given: Harness) -> None:
        self.given = given
        self.http = given.client(["referrals:read", "referrals:write"])

    async def hand_in(self, *needs: str) -> dict[str, Any]:
        body = {
            "channel": "pharmacy",
            "reference": str(uuid4()),
            "person": {"name": "Amina Example", "phone": "07700 900417"},
            "needs": list(needs),
        }
        answer = await self.http.post("/v1/referrals", json=body, headers={"Idempotency-Key": str(uuid4())})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def read(self, referral_id: str) -> dict[str, Any]:
        return (await self.http.get(f"/v1/referrals/{referral_id}")).json()


def gives_away(shown: Any) -> list[str]:
    """Words in an answer that only a sensitive need explains."""
    text = json.dumps(shown)
    words = [
        "safeguarding",
        "complex",
        "community-solutions",
        "escalation",
        "referred-on",
        "urgent",
        *SENSITIVE,
    ]
    return [word for word in words if word in text]


def referral_of(shown: dict[str, Any]) -> Any:
    return replace(s.referral(), referral_id=UUID(shown["referral_id"]), needs=())


@pytest.mark.parametrize("code", SENSITIVE)
async def test_sender_does_not_see_what_a_call_found(given: Harness, code: str):
    pharmacy = Pharmacy(given)
    shown = await pharmacy.hand_in("prescription")
    r = referral_of(shown)
    need, found = UUID(shown["needs"][0]["need_id"]), uuid4()
    call = s.called(
        r,
        (need, vocabulary.NeedCode.PRESCRIPTION, m.CallNeedResult.CONFIRMED),
        (found, code, m.CallNeedResult.FOUND),
    )
    await given.deliver(s.assigned(r))
    await given.deliver(call)
    await given.deliver(
        s.escalation(m.EscalationOpened, r, found, code=code),
        s.escalation(m.EscalationOverdue, r, found, code=code),
    )
    seen = await pharmacy.read(shown["referral_id"])
    assert not gives_away(seen)
    assert NEUTRAL in seen["needs"]
    assert [n["code"] for n in seen["needs"]] == ["prescription", None]
    assert str(found) not in json.dumps(seen)
    listed = (await pharmacy.http.get("/v1/referrals")).json()["items"]
    assert not gives_away(listed)
    assert (listed[0]["owner"], listed[0]["priority"]) == ("volunteers", None)


async def test_hub_and_council_see_the_need_and_its_whole_timeline(given: Harness):
    shown = await Pharmacy(given).hand_in("prescription", "domestic-abuse")
    r = referral_of(shown)
    await given.deliver(s.assigned(r))
    for caller in (given.http, given.client(["referrals:read"], hubs=[s.HUB])):
        seen = (await caller.get(f"/v1/referrals/{shown['referral_id']}")).json()
        assert [n["code"] for n in seen["needs"]] == ["prescription", "domestic-abuse"]
        assert "safeguarding-concern.raised" in [e["kind"] for e in seen["timeline"]]
    stranger = given.client(["referrals:read"], hubs=["heath"])
    assert (await stranger.get(f"/v1/referrals/{shown['referral_id']}")).status_code == 404


async def test_sender_does_not_see_again_what_it_sent_itself(given: Harness):
    pharmacy = Pharmacy(given)
    shown = await pharmacy.hand_in("prescription", "domestic-abuse", "debt")
    assert not gives_away({**shown, "reference": None})
    assert shown["needs"][1:] == [{k: v for k, v in NEUTRAL.items() if v}]


async def test_need_that_a_call_changed_is_not_told_by_its_old_id(given: Harness):
    pharmacy = Pharmacy(given)
    shown = await pharmacy.hand_in("prescription", "shopping")
    r, need_id = referral_of(shown), shown["needs"][0]["need_id"]
    changed = (UUID(need_id), vocabulary.NeedCode.DOMESTIC_ABUSE, m.CallNeedResult.CHANGED)
    await given.deliver(s.assigned(r))
    await given.deliver(s.called(r, changed))
    seen = await pharmacy.read(shown["referral_id"])
    assert not gives_away(seen)
    assert need_id not in json.dumps(seen)
    path = f"/v1/referrals/{shown['referral_id']}/amendments"
    refused = await pharmacy.http.post(path, json={"withdraw_needs": [need_id]})
    unknown = await pharmacy.http.post(path, json={"withdraw_needs": [str(uuid4())]})
    assert (refused.status_code, refused.json()["detail"]) == (unknown.status_code, unknown.json()["detail"])


async def test_outcome_tells_the_sender_only_of_needs_that_it_sees(given: Harness):
    pharmacy = Pharmacy(given)
    shown = await pharmacy.hand_in("prescription", "housing")
    r, council = referral_of(shown), given.http
    needs = (await council.get(f"/v1/referrals/{shown['referral_id']}")).json()["needs"]
    prescription, housing = (UUID(n["need_id"]) for n in needs)
    confirmed = [
        (prescription, vocabulary.NeedCode.PRESCRIPTION, m.CallNeedResult.DECLINED),
        (housing, vocabulary.NeedCode.HOUSING, m.CallNeedResult.CONFIRMED),
    ]
    await given.deliver(s.assigned(r))
    await given.deliver(s.called(r, *confirmed))
    await given.deliver(s.escalation(m.EscalationClosed, r, housing))
    seen = await pharmacy.read(shown["referral_id"])
    assert (seen["state"], seen["outcome"]) == ("closed", "declined")
    assert not gives_away(seen)


async def test_sender_does_not_see_who_was_told_why(given: Harness):
    pharmacy = Pharmacy(given)
    shown = await pharmacy.hand_in("prescription", "domestic-abuse")
    asked = {"referral_id": shown["referral_id"], "purpose": "escalation", "reason": "she is at risk"}
    assert (await given.http.post("/v1/disclosures", json=asked)).status_code == 200
    path = f"/v1/referrals/{shown['referral_id']}/disclosures"
    assert (await pharmacy.http.get(path)).status_code == 404
    assert len((await given.http.get(path)).json()["items"]) == 1


async def test_summary_tells_outsiders_no_small_or_sensitive_figures(given: Harness):
    pharmacy = Pharmacy(given)
    for _ in range(5):
        await pharmacy.hand_in("shopping")
    await pharmacy.hand_in("domestic-abuse", "housing", "food-parcel")
    seen = (await pharmacy.http.get("/v1/summary")).json()
    assert seen["needs_by_lane_and_state"] == {"community": {"open": 5}}
    assert seen["needs_by_state"] == {"open": 6}
    assert list(seen["by_source"]) == ["test-1"]
    whole = (await given.http.get("/v1/summary")).json()
    assert whole["needs_by_lane_and_state"]["safeguarding"] == {"open": 1}


async def test_gauge_leaves_out_small_counts_of_sensitive_lanes(given: Harness):
    from bdcan_intake.store.summary import GAUGE_NEEDS

    pharmacy = Pharmacy(given)
    for _ in range(5):
        await pharmacy.hand_in("housing")
    await pharmacy.hand_in("domestic-abuse", "food-parcel")
    found = {(row["lane"], row["state"]): row["value"] for row in await given.fetch(GAUGE_NEEDS.sql)}
    assert {place: value for place, value in found.items() if value} == {
        ("complex", "open"): 5,
        ("food", "open"): 1,
    }
    assert not {place for place in found if place[0] in {"safeguarding", "complex"}} - {("complex", "open")}
