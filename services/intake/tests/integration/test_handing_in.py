"""POST /v1/referrals and what can be seen afterwards."""

from __future__ import annotations

import json

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.catalogue import OUTREACH_REFERRALS, REFERRALS, SAFEGUARDING

AMINA = {
    "channel": "phone",
    "person": {
        "name": "Amina Example",
        "phone": "07700 900417",
        "postcode": "rm108xx",
        "address": "12 Example Close",
    },
    "household": {"adults": 2, "children": 1},
    "needs": ["food-parcel", "prescription"],
    "diets": ["halal"],
    "notes": "Daughter usually shops for her.",
}


async def test_new_request_has_an_owner_and_a_time(given: Harness):
    answer = await given.http.post("/v1/referrals", json=AMINA)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown["state"] == "received"
    assert shown["contact_due_at"] == "2020-03-25T09:00:00Z"
    assert [(n["code"], n["state"], n["owner"], n["due_at"]) for n in shown["needs"]] == [
        ("food-parcel", "open", "routing", "2020-03-23T10:00:00Z"),
        ("prescription", "open", "routing", "2020-03-23T10:00:00Z"),
    ]
    [event] = await given.emitted()
    assert event.data.postcode == "RM10 8XX"
    assert event.data.household == m.Household(adults=2, children=1)
    assert [str(n.need_id) for n in event.data.needs] == [n["need_id"] for n in shown["needs"]]
    assert set(await given.deadlines()) == {("assignment-due", event.data.referral_id)}


async def test_views_lists_and_events_hold_nothing_personal(given: Harness):
    shown = (await given.http.post("/v1/referrals", json=AMINA)).text
    shown += (await given.http.get("/v1/referrals")).text + (await given.http.get("/v1/summary")).text
    [row] = await given.fetch("SELECT convert_from(body, 'utf-8') AS body FROM chassis.outbox")
    for secret in ("Amina", "900417", "Example Close", "Daughter"):
        assert secret not in shown
        assert secret not in row["body"]
    assert "8XX" not in shown


async def test_request_without_phone_and_postcode_is_taken_on(given: Harness):
    answer = await given.http.post("/v1/referrals", json={"channel": "web", "person": {"name": "A"}})
    assert answer.status_code == 201
    assert answer.json()["flags"] == ["no-phone", "no-postcode"]
    [event] = await given.emitted()
    assert event.data.needs == ()
    assert event.data.postcode is None


async def test_unusable_phone_and_postcode_are_stored_as_typed(given: Harness):
    body = {"channel": "web", "person": {"phone": "ask at number 12", "postcode": "by the park gate"}}
    assert (await given.http.post("/v1/referrals", json=body)).status_code == 201
    [row] = await given.fetch("SELECT phone, postcode FROM resident")
    assert tuple(row) == ("ask at number 12", "by the park gate")


async def test_all_faults_are_named_at_once_and_none_is_quoted(given: Harness):
    answer = await given.http.post(
        "/v1/referrals",
        json={
            "channel": "pigeon",
            "person": {"birth_date": 19500301, "surname": "Secret"},
            "household": {"adults": 99},
            "needs": ["foood"],
            "reference": "",
        },
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in answer.json()["errors"]] == [
        "channel",
        "needs.0",
        "reference",
        "person.birth_date",
        "person",
        "household.adults",
    ]
    assert "Secret" not in answer.text
    assert not await given.fetch("SELECT id FROM referral")


@pytest.mark.parametrize("said", [{}, {"person": {}}, {"person": {"name": " "}, "needs": []}])
async def test_request_that_names_neither_person_nor_need_is_refused(given: Harness, said: dict[str, object]):
    answer = await given.http.post("/v1/referrals", json={"channel": "web", **said})
    assert answer.status_code == 422
    assert [e["code"] for e in answer.json()["errors"]] == ["nobody-named", "nothing-needed"]


async def test_wrong_channel_and_missing_person_are_named_at_once(given: Harness):
    answer = await given.http.post("/v1/referrals", json={"channel": "pigeon"})
    assert [e["code"] for e in answer.json()["errors"]] == ["unknown-code", "nobody-named", "nothing-needed"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"", 422), (b"\xff\xfe", 400), (b"[]", 422), (b"null", 422)]
)
async def test_body_that_is_no_form_is_a_4xx(given: Harness, body: bytes, status: int):
    json = {"content-type": "application/json"}
    answer = await given.http.post("/v1/referrals", content=body, headers=json)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_body_of_another_media_type_is_415(given: Harness):
    answer = await given.http.post("/v1/referrals", data=AMINA)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:bdcan:problem:not-json")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"outreach": 1}, "outreach"),
        ({"consent": "yes"}, "consent"),
        ({"household": {"adults": "2"}}, "household.adults"),
        ({"person": {"birth_date": 0}}, "person.birth_date"),
    ],
)
async def test_value_of_another_kind_is_refused(given: Harness, said: dict[str, object], field: str):
    answer = await given.http.post("/v1/referrals", json=AMINA | said)
    assert [e["field"] for e in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("typed", ["31/02/1950", "2999-01-01", "about 1940", "1950", "0001-01-01"])
async def test_date_that_nobody_can_read_costs_nobody_their_place(given: Harness, typed: str):
    form = {"channel": "phone", "person": {"birth_date": f" {typed}\u200b"}, "needs": ["domestic-abuse"]}
    answer = await given.http.post("/v1/referrals", json=form)
    assert answer.status_code == 201, answer.text
    assert "details-unclear" in answer.json()["flags"]
    [row] = await given.fetch("SELECT birth_date, unclear FROM resident")
    assert (row["birth_date"], json.loads(row["unclear"])) == (None, {"birth_date": typed})


async def test_person_who_rings_sees_what_could_not_be_read_until_it_is_amended(given: Harness):
    form = {"channel": "phone", "person": {"birth_date": "31/02/1950"}, "needs": ["shopping"]}
    referral_id = (await given.http.post("/v1/referrals", json=form)).json()["referral_id"]
    await given.transactions.pool.execute("UPDATE referral SET hub_id = 'thames-ward'")
    asked = {"referral_id": referral_id, "purpose": "escalation", "reason": "to help her"}
    told = (await given.http.post("/v1/disclosures", json=asked)).json()
    assert (told["unclear"], told["flags"][-1]) == ({"birth_date": "31/02/1950"}, "details-unclear")
    url = f"/v1/referrals/{referral_id}/amendments"
    assert (
        "details-unclear" in (await given.http.post(url, json={"person": {"name": "Amina"}})).json()["flags"]
    )
    again = (await given.http.post(url, json={"person": {"birth_date": "?"}})).json()
    assert "details-unclear" in again["flags"]
    assert (await given.http.post("/v1/disclosures", json=asked)).json()["unclear"] == {"birth_date": "?"}
    amended = (await given.http.post(url, json={"person": {"birth_date": "28 Feb 1950"}})).json()
    assert "details-unclear" not in amended["flags"]
    assert (await given.http.post("/v1/disclosures", json=asked)).json()["unclear"] == {}
    [row] = await given.fetch("SELECT birth_date::text FROM resident")
    assert row[0] == "1950-02-28"


async def test_form_is_documented(given: Harness):
    document = (await given.http.get("/openapi.json")).json()
    body = document["paths"]["/v1/referrals"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    form = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert {"channel", "person", "needs", "notes"} <= set(form["properties"])
    assert form["properties"]["person"]["$ref"].rpartition("/")[2] in document["components"]["schemas"]


async def test_caller_without_key_or_scope_is_turned_away(given: Harness):
    nobody = given.client(["referrals:read"])
    assert (await nobody.post("/v1/referrals", json=AMINA)).status_code == 403
    answer = await given.http.post("/v1/referrals", json=AMINA, headers={"X-API-Key": "wrong"})
    assert answer.status_code == 401


async def test_same_reference_and_content_is_the_same_referral(given: Harness):
    first = await given.http.post("/v1/referrals", json=AMINA | {"reference": "D-1"})
    second = await given.http.post("/v1/referrals", json=AMINA | {"reference": "D-1"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["referral_id"] == second.json()["referral_id"]
    assert len(await given.emitted()) == 1


async def test_same_reference_with_other_content_is_a_conflict(given: Harness):
    await given.http.post("/v1/referrals", json=AMINA | {"reference": "D-1"})
    answer = await given.http.post("/v1/referrals", json=AMINA | {"reference": "D-1", "needs": ["debt"]})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:bdcan:problem:reference-reused"
    assert len(await given.fetch("SELECT id FROM referral")) == 1


async def test_idempotency_key_sent_twice_makes_one_referral(given: Harness):
    answers = [
        await given.http.post("/v1/referrals", json=AMINA, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(await given.emitted()) == 1


async def test_concern_goes_out_at_once_in_the_urgent_class(given: Harness):
    await given.http.post(
        "/v1/referrals", json=AMINA | {"needs": ["shopping", "domestic-abuse"], "outreach": True}
    )
    rows = await given.fetch("SELECT topic, traffic_class FROM chassis.outbox ORDER BY seq")
    assert [tuple(r) for r in rows] == [(REFERRALS.name, "normal"), (SAFEGUARDING.name, "urgent")]


async def test_all_events_of_an_outreach_referral_keep_to_the_bulk_class(given: Harness):
    shown = (await given.http.post("/v1/referrals", json=AMINA | {"outreach": True})).json()
    await given.http.post(f"/v1/referrals/{shown['referral_id']}/withdrawal", json={"reason": "moved-away"})
    rows = await given.fetch("SELECT DISTINCT topic FROM chassis.outbox")
    assert [r["topic"] for r in rows] == [OUTREACH_REFERRALS.name]


async def test_withdrawal_closes_the_referral_and_a_second_is_a_conflict(given: Harness):
    shown = (await given.http.post("/v1/referrals", json=AMINA)).json()
    await given.emitted()
    url = f"/v1/referrals/{shown['referral_id']}/withdrawal"
    answer = await given.http.post(url, json={"reason": "no-longer-needed"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["outcome"]) == ("closed", "withdrawn")
    assert [type(e.data) for e in await given.emitted()] == [m.ReferralWithdrawn, m.ReferralClosed]
    assert [e["kind"] for e in answer.json()["timeline"]] == [
        "referral.received",
        "referral.withdrawn",
        "referral.closed",
    ]
    assert not await given.deadlines()
    assert (await given.http.post(url, json={"reason": "no-longer-needed"})).status_code == 409
    assert (await given.http.post(url, json={"reason": "She moved in with me"})).status_code == 422


async def test_withdrawal_leaves_a_concern_open(given: Harness):
    shown = (
        await given.http.post("/v1/referrals", json=AMINA | {"needs": ["debt", "safeguarding-adult"]})
    ).json()
    answer = await given.http.post(
        f"/v1/referrals/{shown['referral_id']}/withdrawal", json={"reason": "moved-away"}
    )
    assert answer.json()["state"] == "received"
    assert [(n["state"], n.get("owner")) for n in answer.json()["needs"]] == [
        ("withdrawn", None),
        ("open", "community-solutions"),
    ]


async def test_amendment_event_carries_everything_as_it_is_now(given: Harness):
    shown = (await given.http.post("/v1/referrals", json=AMINA)).json()
    await given.emitted()
    url = f"/v1/referrals/{shown['referral_id']}/amendments"
    prescription = shown["needs"][1]["need_id"]
    answer = await given.http.post(
        url,
        json={
            "version": 1,
            "person": {"postcode": "RM9 5AA", "phone": None},
            "add_needs": ["shopping", "safeguarding-child"],
            "withdraw_needs": [prescription],
        },
    )
    assert answer.status_code == 200, answer.text
    amended, concern = await given.emitted()
    assert (amended.data.version, amended.data.postcode) == (2, "RM9 5AA")
    assert amended.data.priority is m.Priority.URGENT
    assert [n.code for n in amended.data.needs] == ["food-parcel", "shopping", "safeguarding-child"]
    assert [str(n) for n in amended.data.withdrawn_need_ids] == [prescription]
    assert amended.data.household == m.Household(adults=2, children=1)
    assert amended.data.diets == (vocabulary.Diet.HALAL,)
    assert amended.data.flags == (vocabulary.Flag.NO_PHONE,)
    assert concern.data.code == vocabulary.NeedCode.SAFEGUARDING_CHILD
    [row] = await given.fetch("SELECT name, phone, notes FROM resident")
    assert tuple(row) == ("Amina Example", None, "Daughter usually shops for her.")
    assert (await given.http.post(url, json={"version": 1, "notes": "x"})).status_code == 409
    answer = await given.http.post(url, json={"person": {"birth_date": 0}, "add_needs": ["foood"]})
    assert [e["field"] for e in answer.json()["errors"]] == ["person.birth_date", "add_needs.0"]


async def test_hub_sees_its_residents_and_a_sender_its_referrals(given: Harness):
    shown = (await given.http.post("/v1/referrals", json=AMINA)).json()
    url = f"/v1/referrals/{shown['referral_id']}"
    await given.transactions.pool.execute("UPDATE referral SET hub_id = 'thames-ward'")
    own = given.client(["referrals:read"], hubs=["thames-ward"])
    other = given.client(["referrals:read", "referrals:write"], hubs=["heath"])
    assert (await own.get(url)).status_code == 200
    assert len((await own.get("/v1/referrals")).json()["items"]) == 1
    assert (await other.get(url)).status_code == 404
    assert (await other.get(url + "/disclosures")).status_code == 404
    assert (await other.post(url + "/withdrawal", json={"reason": "moved-away"})).status_code == 404
    assert (await other.get("/v1/referrals")).json()["items"] == []
    theirs = (await other.post("/v1/referrals", json=AMINA)).json()
    assert (await other.get(f"/v1/referrals/{theirs['referral_id']}")).status_code == 200


async def test_referrals_come_in_pages_and_can_be_filtered(given: Harness):
    for i in range(5):
        await given.http.post("/v1/referrals", json=AMINA | {"reference": f"D-{i}"})
    seen: list[str] = []
    after = ""
    while True:
        page = (await given.http.get(f"/v1/referrals?limit=2{after}")).json()
        seen += [r["reference"] for r in page["items"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert seen == [f"D-{i}" for i in range(5)]
    found = (await given.http.get("/v1/referrals?reference=D-3&state=received&source=test")).json()["items"]
    assert [r["reference"] for r in found] == ["D-3"]
    assert (await given.http.get("/v1/referrals?state=closed")).json()["items"] == []
    assert (await given.http.get("/v1/referrals?limit=0")).status_code == 422


async def test_unknown_referral_is_a_404(given: Harness):
    url = "/v1/referrals/018e0000-0000-7000-8000-000000000000"
    assert (await given.http.get(url)).status_code == 404
    assert (await given.http.post(url + "/withdrawal", json={"reason": "moved-away"})).status_code == 404
    assert (await given.http.post(url + "/amendments", json={})).status_code == 404


async def test_only_a_disclosure_says_who_wants_to_volunteer(given: Harness):
    body = {
        "name": "Vic Example",
        "phone": "07700 900555",
        "postcode": "rm10 8xx",
        "task_kinds": ["shopping", "shopping"],
        "has_car": True,
    }
    answer = await given.http.post("/v1/volunteer-enquiries", json=body)
    assert answer.status_code == 201
    [event] = await given.emitted()
    assert event.data.postcode_sector == "RM10 8"
    assert event.data.task_kinds == (vocabulary.TaskKind.SHOPPING,)
    asked = {
        "enquiry_id": answer.json()["enquiry_id"],
        "purpose": "volunteer_induction",
        "reason": "induction",
    }
    matcher = given.client(["disclosures:volunteer_induction"])
    disclosed = await matcher.post("/v1/disclosures", json=asked)
    assert disclosed.status_code == 200
    assert (disclosed.json()["phone"], disclosed.json()["phone_e164"]) == ("07700 900555", "+447700900555")


async def test_enquiry_without_phone_and_email_is_refused(given: Harness):
    answer = await given.http.post("/v1/volunteer-enquiries", json={"name": "Vic Example"})
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["phone", "email"]
