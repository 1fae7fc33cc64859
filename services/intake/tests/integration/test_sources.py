"""A source's references are its own, at every door: nobody else submits as it, sees what it sent, or learns that it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bdcan_chassis.http import credentials
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import InboundReferralRefused, InboundReferralSubmitted
from bdcan_contracts.upstreams import Upstream, dump

DOORS = ("/v1/referrals", "/v1/referral-imports")
SCOPES = ["referrals:read", "referrals:write"]
LIST = "reference,name,needs\nR-1,Amina Example,shopping\n"
BODY = {"channel": "gp", "reference": "R-1", "person": {"name": "Amina Example"}, "needs": ["shopping"]}


async def send(client: httpx.AsyncClient, door: str, source: str | None) -> httpx.Response:
    query = f"?source={source}" if source else ""
    if door == "/v1/referrals":
        return await client.post(door + query, json=BODY)
    return await client.post(door + query, content=LIST)


def callers(given: Harness) -> dict[str, httpx.AsyncClient]:
    return {
        "another sender": given.client(SCOPES, sources=["pharmacy"]),
        "a hub's person": given.person([*SCOPES, "referrals:amend"], ["thames-ward"], name="hub-3"),
        "staff of the council": given.person([*SCOPES, "hubs:all"], name="manager"),
        "a person who is called like the sender": given.person(SCOPES, name="surgery"),
        "a key that is called like the sender": given.client(SCOPES, sources=[]),
    }


@pytest.mark.parametrize("door", DOORS)
async def test_nobody_submits_as_another_source_or_learns_whether_it_sent_the_same(
    given: Harness, door: str
) -> None:
    surgery = given.client(SCOPES, sources=["surgery"])
    assert (await send(surgery, "/v1/referrals", None)).status_code == 201
    before = await given.fetch("SELECT * FROM referral")
    for who, client in callers(given).items():
        answers = [await send(client, door, source) for source in ("surgery", "never-heard-of")]
        assert [answer.status_code for answer in answers] == [403, 403], who
        assert without_ids(answers[0]) == without_ids(answers[1]), who
    assert await given.fetch("SELECT * FROM referral") == before
    assert await given.fetch("SELECT * FROM referral_import") == []
    again = await send(surgery, "/v1/referrals", "surgery")
    assert (again.status_code, again.json()["duplicate"]) == (200, True), "the reference was not blocked"


def without_ids(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}}


@pytest.mark.parametrize("door", DOORS)
async def test_an_account_without_a_source_submits_nothing(given: Harness, door: str) -> None:
    client = given.person([*SCOPES, "hubs:all"], name="manager")
    assert (await send(client, door, None)).status_code == 403


async def test_a_hubs_person_imports_for_a_source_that_their_token_names(given: Harness) -> None:
    client = given.person(SCOPES, ["thames-ward"], name="hub-3", sources=["hub-3-list", "faith-forum"])
    for source, expected in ((None, "hub-3-list"), ("faith-forum", "faith-forum")):
        answer = await send(client, "/v1/referral-imports", source)
        assert (answer.status_code, answer.json()["source"], answer.json()["accepted"]) == (201, expected, 1)


async def test_only_the_source_sees_its_referrals_and_imports(given: Harness) -> None:
    surgery = given.client(SCOPES, sources=["surgery"])
    sent = (await send(surgery, "/v1/referral-imports", None)).json()
    [mine] = (await surgery.get("/v1/referrals")).json()["items"]
    outsiders = {who: c for who, c in callers(given).items() if who != "staff of the council"}
    for who, client in outsiders.items():
        for query in ("", "?source=surgery", "?source=surgery&reference=R-1", "?hub=thames-ward"):
            assert (await client.get(f"/v1/referrals{query}")).json()["items"] == [], who
        for query in ("", "?source=surgery", "?state=done"):
            assert (await client.get(f"/v1/referral-imports{query}")).json()["items"] == [], who
        for path in (
            f"/v1/referrals/{mine['referral_id']}",
            f"/v1/referral-imports/{sent['import_id']}",
            f"/v1/referral-imports/{sent['import_id']}/errors.csv",
            f"/v1/referral-imports/{sent['import_id']}/duplicates.csv",
        ):
            assert (await client.get(path)).status_code == 404, who
        assert (await client.get("/v1/summary")).json()["by_source"] == {}, who
    assert (await surgery.get("/v1/summary")).json()["by_source"] == {"surgery": 1}
    colleague = given.person(SCOPES, name="practice-manager", sources=["surgery"])
    assert len((await colleague.get("/v1/referral-imports")).json()["items"]) == 1


@pytest.mark.parametrize("door", DOORS)
async def test_source_of_a_revoked_system_submits_by_no_door(
    given: Harness, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LOOK_SECONDS", 0.0)
    surgery = given.person(SCOPES, name="practice-manager", sources=["surgery", "surgery-east"])
    revoked = Upstream("surgery", ("surgery", "surgery-east"), revoked_at=datetime.now(UTC))
    path = given.service.settings.upstreams_file  # type: ignore[attr-defined] # intake's settings have it
    for registry, status in (((), 201), ((revoked,), 403)):
        path.with_name("new").write_bytes(dump(registry))
        path.with_name("new").replace(path)
        for source in (None, "surgery-east"):
            answer = await send(surgery, door, source)
            assert answer.status_code in {status, 200 if status == 201 else status}
    assert answer.json()["detail"].startswith("The system that submits for this source was revoked.")


@pytest.mark.parametrize("first", DOORS)
@pytest.mark.parametrize("second", DOORS)
async def test_clerks_of_one_desk_are_one_source(given: Harness, first: str, second: str) -> None:
    ada, bob = (given.person([*SCOPES, "hubs:all"], name=name, sources=["desk"]) for name in ("ada", "bob"))
    body = {
        "channel": "phone",
        "reference": "R-1",
        "person": {"name": "Amina Example"},
        "needs": ["shopping"],
    }
    rows = "reference,name,needs,channel\nR-1,Amina Example,shopping,phone\n"

    async def type_in(clerk: httpx.AsyncClient, door: str, needs: str = "shopping") -> httpx.Response:
        if door == "/v1/referrals":
            return await clerk.post(door, json=body | {"needs": [needs]})
        return await clerk.post(door, content=rows.replace("shopping", needs))

    assert (await type_in(ada, first)).status_code == 201
    again = (await type_in(bob, second)).json()
    assert again["duplicate" if second == "/v1/referrals" else "duplicates"] == 1
    other = await type_in(bob, second, "prescription")
    assert other.status_code == 409 if second == "/v1/referrals" else other.json()["accepted"] == 0
    assert len(await given.fetch("SELECT 1 FROM referral")) == 1


async def test_who_names_a_foreign_source_is_told_their_own(given: Harness) -> None:
    client = given.client(SCOPES, sources=["surgery", "surgery-east"])
    for door in DOORS:
        told = (await send(client, door, "pharmacy")).json()["detail"]
        assert (
            told
            == "This account does not submit for that source. Name one of its own, or none: surgery, surgery-east."
        )
    told = (await send(given.person(SCOPES, name="ada"), "/v1/referrals", None)).json()["detail"]
    assert told == "This account submits for no source. Whoever gave it out must name its source."


async def test_a_source_in_the_body_is_refused_in_words(given: Harness) -> None:
    client = given.client(SCOPES, sources=["surgery"])
    for source in ("surgery", "pharmacy"):
        answer = await client.post("/v1/referrals", json=BODY | {"source": source})
        assert answer.status_code == 422
        [problem] = answer.json()["errors"]
        assert problem["field"] == "source"
    assert await given.fetch("SELECT 1 FROM referral") == []


async def test_a_stored_reply_of_a_key_is_not_replayed_to_a_person_of_its_name(given: Harness) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await given.http.post("/v1/referrals", json=BODY, headers=headers)
    assert first.status_code == 201
    again = await given.http.post("/v1/referrals", json=BODY, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    for name in ("test", "key:test"):
        person = given.person(SCOPES, name=name, sources=["another-source"])
        other = await person.post("/v1/referrals", json=BODY, headers=headers)
        assert "Idempotent-Replayed" not in other.headers
        assert other.json()["referral_id"] != first.json()["referral_id"]


async def test_the_topic_takes_only_the_sources_of_its_users(given: Harness) -> None:
    desk = given.client(SCOPES, sources=["phone-desk"])
    assert (await send(desk, "/v1/referrals", None)).status_code == 201
    await given.emitted()
    for source in ("phone-desk", "never-heard-of"):
        for body in (BODY, BODY | {"notes": "Something else."}, BODY | {"needs": ["pony"]}):
            await given.deliver(InboundReferralSubmitted.model_validate(body | {"source": source}))
    receipts = [event.data for event in await given.emitted()]
    assert {type(receipt) for receipt in receipts} == {InboundReferralRefused}
    assert {tuple(p.code for p in receipt.problems) for receipt in receipts} == {("not-yours",)}
    assert len(await given.fetch("SELECT 1 FROM referral")) == 1
    mine = await given.deliver(
        InboundReferralSubmitted.model_validate(BODY | {"source": "riverside-surgery"})
    )
    assert mine["handled"] == 1
    assert len(await given.fetch("SELECT 1 FROM referral")) == 2
