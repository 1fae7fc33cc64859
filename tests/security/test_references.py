"""A reference that may be somebody's name or number is kept as a hash alone, and its sender still finds the request by it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from bdcan_chassis.logs import configure_logging
from bdcan_chassis.migrate import migrations_in
from bdcan_chassis.testing.harness import Harness, harness
from bdcan_contracts.inbound.references import hashed
from bdcan_contracts.models import (
    InboundReferralAccepted,
    InboundReferralAmended,
    InboundReferralRefused,
    InboundReferralSubmitted,
)
from bdcan_intake.app import service
from bdcan_intake.settings import Settings
from bdcan_intake.store.referrals import REFERRAL
from bdcan_reconcile.reading import BY_REFERENCE

SOURCE = "riverside-surgery"
SOMEBODY = (
    "Rose Tremain",
    "TREMAIN, Rose",
    "Tremain",
    "rose-tremain-1",
    "tremain_rose_1951",
    "943 476 5919",
    "9434765919",
    "NHS 943-476-5919",
    "2020-17/9434765919",
    "07700 900123",
    "QQ 12 34 56 C",
    "rose.t@example.org",
    "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
)
NOBODY = ("RS-2020-00417", "2020/17", "week-12", "c1f5b1b2-6a0b-4b53-9c83-0d5d1f3f6b7a")
FORM: dict[str, Any] = {
    "channel": "gp",
    "person": {"name": "A. Slip", "phone": "07700 900555"},
    "needs": ["shopping"],
}


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings) as running:
        configure_logging("intake", "test", "DEBUG", running.service.personal_fields)
        yield running


async def kept(given: Harness) -> str:
    """All that intake's tables hold, as text."""
    tables = await given.fetch(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'chassis')"
    )
    rows = [await given.fetch(f"SELECT t::text FROM {table} AS t") for (table,) in tables]
    bodies = await given.fetch(
        "SELECT convert_from(body, 'UTF8'), convert_from(record_key, 'UTF8'), headers::text FROM chassis.outbox"
    )
    return "\n".join(str(value) for one in (*rows, bodies) for row in one for value in row)


def submitted(reference: str, **more: Any) -> InboundReferralSubmitted:
    return InboundReferralSubmitted.model_validate(
        {"source": SOURCE, "reference": reference, **FORM, "person": more or FORM["person"]}
    )


@pytest.mark.parametrize("reference", SOMEBODY)
async def test_no_table_answer_or_log_holds_a_reference_that_may_be_somebody(
    given: Harness, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sender = given.client(["referrals:read", "referrals:write"], sources=["surgery"])
    answer = await sender.post(
        "/v1/referrals", json=FORM | {"reference": reference}, headers={"Idempotency-Key": reference}
    )
    assert answer.status_code == 201, answer.text
    lines = "".join(f'"{reference}",{name},shopping\n' for name in ("A. Slip", "B. Slip"))
    listed = await sender.post(
        "/v1/referral-imports?source=surgery", content=f"reference,name,needs\n{lines}"
    )
    assert (listed.json()["accepted"], listed.json()["refused"]) == (0, 2)
    await given.deliver(given.record(submitted(reference)))
    unknown = InboundReferralAmended(source="midwives", reference=reference, notes="Rings twice.")
    await given.deliver(given.record(unknown))
    said = await kept(given) + answer.text + listed.text
    said += (await sender.get("/v1/referrals")).text + (await given.http.get("/v1/referrals")).text
    said += (await sender.get(f"{listed.json()['errors_url']}")).text
    assert reference not in said
    assert reference not in capsys.readouterr().out


@pytest.mark.parametrize("reference", [*SOMEBODY, *NOBODY])
async def test_sender_finds_the_request_by_its_own_reference(given: Harness, reference: str) -> None:
    sender = given.client(["referrals:read", "referrals:write"], sources=["surgery"])
    form = FORM | {"reference": reference}
    first = (await sender.post("/v1/referrals", json=form)).json()
    again = await sender.post("/v1/referrals", json=form)
    assert (again.status_code, again.json()["referral_id"]) == (200, first["referral_id"])
    other = await sender.post("/v1/referrals", json=form | {"person": {"name": "Rose Tremain"}})
    assert (other.status_code, other.json()["type"]) == (409, "urn:bdcan:problem:reference-reused")
    shown = hashed("surgery", reference) if reference in SOMEBODY else reference
    for source in ({}, {"source": "surgery"}):
        found = await sender.get("/v1/referrals", params={"reference": reference, **source})
        assert [(r["referral_id"], r["reference"]) for r in found.json()["items"]] == [
            (first["referral_id"], shown)
        ]
    withdrawn = await sender.post(
        f"/v1/referrals/{first['referral_id']}/withdrawal", json={"reason": "made-in-error"}
    )
    assert (withdrawn.json()["state"], withdrawn.json()["reference"]) == ("closed", shown)
    followed = (await sender.post("/v1/referrals", json=form)).json()
    assert (followed["previous_referral_id"], followed["reference"]) == (first["referral_id"], shown)
    both = await sender.get("/v1/referrals", params={"reference": reference})
    assert [r["reference"] for r in both.json()["items"]] == [shown, shown]


@pytest.mark.parametrize("named", ["Rose Tremain", "surgery:Rose Tremain", hashed("surgery", "Rose Tremain")])
async def test_operator_finds_a_case_by_the_reference_of_its_sender(given: Harness, named: str) -> None:
    sender = given.client(["referrals:write"], sources=["surgery"])
    ids = [
        (await sender.post("/v1/referrals", json=FORM | {"reference": reference})).json()["referral_id"]
        for reference in ("Rose Tremain", "RS-2020-00417")
    ]
    async with given.transactions.pool.acquire() as connection:
        found = await connection.fetch(BY_REFERENCE, named)
        assert [str(row["id"]) for row in found] == ids[:1]
        clear = await connection.fetch(BY_REFERENCE, "surgery:RS-2020-00417")
        assert [str(row["id"]) for row in clear] == ids[1:]


async def test_hash_of_a_number_is_shown_to_its_sender_alone(given: Harness) -> None:
    sender = given.client(["referrals:read", "referrals:write"], sources=["surgery"])
    hidden = await sender.post("/v1/referrals", json=FORM | {"reference": "943 476 5919"})
    await sender.post("/v1/referrals", json=FORM | {"reference": "RS-2020-00417"})
    staff = given.client(["referrals:read", "hubs:all"])
    assert {r.get("reference") for r in (await staff.get("/v1/referrals")).json()["items"]} == {
        None,
        "RS-2020-00417",
    }
    one = await staff.get(f"/v1/referrals/{hidden.json()['referral_id']}")
    assert one.json()["reference"] is None


async def test_receipts_name_a_referral_alike_whoever_it_is_said_to_be_about(given: Harness) -> None:
    reference, name = "tremain-17", hashed(SOURCE, "tremain-17")
    bodies = (
        submitted(reference, name="Rose Tremain"),
        submitted(reference, name="B. Slip"),
        InboundReferralAmended(source=SOURCE, reference=reference, version=9, notes="Rings twice."),
    )
    for body in bodies:
        await given.deliver(given.record(body))
    receipts = [e.data for e in await given.emitted(InboundReferralAccepted, InboundReferralRefused)]
    assert [(r.reference, r.record.key) for r in receipts] == [(name, f"{SOURCE}:{name}")] * 3
    assert reference not in await kept(given)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Rose Tremain", hashed(SOURCE, "Rose Tremain")),
        ("9434765919", hashed(SOURCE, "9434765919")),
        (f"{SOURCE}:943 476 5919", f"{SOURCE}:{hashed(SOURCE, '943 476 5919')}"),
        (SOURCE, SOURCE),
        (f"{SOURCE}:RS-18", f"{SOURCE}:RS-18"),
    ],
)
async def test_receipt_quotes_no_key_or_id_that_is_somebody(given: Harness, said: str, key: str) -> None:
    record = given.record(submitted("RS-17"))
    heads = [(name, said.encode() if name == "ce_id" else value) for name, value in record.headers]
    heads = [(name, value) for name, value in heads if name != "ce_subject"]
    await given.deliver(replace(record, key=said.encode(), headers=heads))
    [receipt] = [e.data for e in await given.emitted(InboundReferralAccepted, InboundReferralRefused)]
    assert receipt.record.key == key
    assert receipt.record.id == (said if key == said else hashed(SOURCE, said))
    if key != said:
        assert said not in json.dumps(receipt.model_dump(mode="json"))


async def test_reference_from_before_is_hashed_and_found_again(given: Harness) -> None:
    sender = given.client(["referrals:read", "referrals:write"], sources=["surgery"])
    form = FORM | {"reference": "Rose Tremain"}
    first = (await sender.post("/v1/referrals", json=form)).json()
    [hashes] = [m.sql for m in migrations_in("bdcan_intake.store") if "/0102_" in m.name]
    for told in ("NULL", "told_reference"):
        async with given.owner.acquire() as owner:
            await owner.execute(
                f"UPDATE referral SET reference_key = NULL, reference = 'Rose Tremain', told_reference = {told}"
            )
            await owner.execute(hashes)
        assert "Rose Tremain" not in await kept(given)
        again = await sender.post("/v1/referrals", json=form)
        assert (again.status_code, again.json()["referral_id"]) == (200, first["referral_id"])


async def test_release_before_stores_no_reference_that_may_be_somebody(given: Harness) -> None:
    sender = given.client(["referrals:read", "referrals:write"], sources=["surgery"])
    first = (await sender.post("/v1/referrals", json=FORM | {"reference": "RS-1"})).json()
    async with given.owner.acquire() as owner:
        [row] = await REFERRAL.get.all(owner, keys=[first["referral_id"]])
        for told in (None, hashed("surgery", "Rose Tremain")):
            await owner.execute("TRUNCATE referral CASCADE")
            await REFERRAL.insert(
                owner, [changed(row, reference="Rose Tremain", told_reference=told)], given.clock.now()
            )
            [(kept_as,)] = await given.fetch("SELECT reference FROM referral")
            assert kept_as == hashed("surgery", "Rose Tremain")
