"""The inbound topic: each submission gets its receipt, also the one that nobody can read."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary


def submitted(**more: object) -> m.InboundReferralSubmitted:
    fields = {
        "source": "riverside-surgery",
        "reference": "RS-1",
        "channel": vocabulary.Channel.GP,
        "person": m.Person(name="Amina Example", phone="07700 900417", postcode="rm108xx"),
        "needs": (vocabulary.NeedCode.FOOD_PARCEL,),
    }
    return m.InboundReferralSubmitted.model_validate(fields | more)


async def test_submission_becomes_a_referral_and_gets_a_receipt(given: Harness):
    await given.deliver(submitted())
    received, receipt = await given.emitted()
    assert received.data.postcode == "RM10 8XX"
    assert (receipt.subject, receipt.data.referral_id, receipt.data.duplicate) == (
        "riverside-surgery:RS-1",
        received.data.referral_id,
        False,
    )


async def test_record_delivered_twice_has_one_effect(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    assert (await given.deliver(record))["handled"] == 1
    assert (await given.deliver(record))["duplicate"] == 1
    assert len(await given.emitted(m.ReferralReceived)) == 1


async def test_body_behind_a_byte_order_mark_is_read(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    await given.deliver(replace(record, value=b"\xef\xbb\xbf" + (record.value or b"")))
    assert len(await given.emitted(m.ReferralReceived)) == 1


async def test_body_with_a_key_twice_is_refused_and_the_key_named(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    twice = (record.value or b"").replace(b'"name":', b'"name":"Somebody Else","name":', 1)
    await given.deliver(replace(record, value=twice))
    [refused] = await given.emitted()
    assert [(p.field, p.code) for p in refused.data.problems] == [("body", "repeated-key")]


async def test_second_receipt_names_the_first_referral(given: Harness):
    await given.deliver(submitted(), submitted())
    first, second = await given.emitted(m.InboundReferralAccepted)
    assert first.data.referral_id == second.data.referral_id
    assert (first.data.duplicate, second.data.duplicate) == (False, True)
    await given.deliver(submitted())
    [third] = await given.emitted()
    assert third.data.duplicate


async def test_same_reference_with_other_content_gets_a_refusal(
    given: Harness,
):
    await given.deliver(submitted(), submitted(notes="She has moved."))
    [refused] = await given.emitted(m.InboundReferralRefused)
    assert [p.code for p in refused.data.problems] == ["reference-reused"]


async def test_the_same_text_is_the_same_request_through_every_door(given: Harness):
    name, notes = "Zoë Exämple", "Rings twice.\nHas a dog."
    composed = {"name": name, "phone": "07700 900417", "postcode": "rm8 1ab"}
    api = {"channel": "gp", "reference": "RS-1", "person": composed, "notes": notes}
    handed_in = await given.http.post("/v1/referrals?source=midwives", json=api)
    typed = unicodedata.normalize("NFD", name)
    file = (
        "reference,channel,name,phone,postcode,notes\r\n"
        f'RS-1\u200b,gp,\ufeff{typed},07700\u00a0900417,ＲＭ８ １ＡＢ,"{notes}"\r\n'.replace("\n", "\r\n")
    )
    imported = await given.http.post("/v1/referral-imports?source=midwives", content=file.encode())
    person = m.Person(name=f" {typed}", phone="07700\t900417", postcode="RM8 lAB")
    await given.deliver(
        submitted(
            source="midwives", reference="RS-1 ", person=person, needs=(), notes="Rings twice.\rHas a dog.\r"
        )
    )

    assert (handed_in.status_code, imported.json()["duplicates"]) == (201, 1)
    [receipt] = await given.emitted(m.InboundReferralAccepted)
    assert (receipt.data.duplicate, receipt.data.reference) == (True, "RS-1 ")
    assert str(receipt.data.referral_id) == handed_in.json()["referral_id"]
    [row] = await given.fetch("SELECT name, phone, phone_e164, postcode, notes FROM resident")
    assert tuple(row) == (name, "07700 900417", "+447700900417", "RM8 1AB", notes)


async def test_date_that_cannot_be_true_costs_nobody_their_place(given: Harness):
    await given.deliver(submitted(person=m.Person(birth_date=date(2999, 1, 1))))
    received, _ = await given.emitted()
    assert "details-unclear" in received.data.flags
    assert await given.fetch("SELECT FROM resident WHERE unclear->>'birth_date' = '2999-01-01'")


async def test_receipt_says_that_neither_person_nor_need_is_named(given: Harness):
    await given.deliver(submitted(person=None, needs=()))
    [refused] = await given.emitted()
    assert [p.code for p in refused.data.problems] == ["nobody-named", "nothing-needed"]
    assert not await given.fetch("SELECT id FROM referral")


async def test_referrals_of_a_list_go_by_the_bulk_lane(given: Harness):
    await given.deliver(submitted(channel=vocabulary.Channel.NHS_LIST))
    assert (await given.emitted(m.ReferralReceived))[0].data.outreach


async def test_unknown_codes_are_refused_and_the_sender_hears_of_each(given: Harness):
    await given.deliver(submitted(channel="pigeon", needs=("food-parcel", "easter-eggs"), diets=("air",)))
    [refused] = await given.emitted()
    told = {p.field: (p.code, p.message) for p in refused.data.problems}
    assert set(told) == {"channel", "needs.1", "diets.0"}
    assert told["channel"][0] == "unknown-code"
    assert "choose 'phone'" in told["channel"][1]
    assert not await given.fetch("SELECT id FROM referral")


async def test_sender_hears_of_every_field_that_breaks_the_schema(
    given: Harness,
):
    record = given.record(submitted(), source="riverside-surgery")
    broken = replace(
        record,
        value=b'{"source":"riverside-surgery","reference":"RS-1","channel":"A pigeon","needs":["Foood!"]}',
    )
    assert (await given.deliver(broken))["handled"] == 1
    [refused] = await given.emitted()
    assert refused.subject == "riverside-surgery:RS-1"
    assert [p.field for p in refused.data.problems] == ["channel", "needs.0"]
    assert not await given.fetch("SELECT FROM chassis.dead_letter")


async def test_record_without_json_gets_a_receipt(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    await given.deliver(replace(record, value=b"\xff{"))
    [refused] = await given.emitted()
    assert [p.code for p in refused.data.problems] == ["bad-body"]


async def test_record_behind_a_refused_one_of_its_key_is_taken_on(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    outcome = await given.deliver(
        replace(record, value=b"{}"), given.record(submitted(), source="riverside-surgery")
    )
    assert outcome["handled"] == 2
    receipts = await given.emitted(m.InboundReferralRefused, m.InboundReferralAccepted)
    assert {type(e.data) for e in receipts} == {m.InboundReferralAccepted, m.InboundReferralRefused}


async def sent(given: Harness, **more: Any) -> Any:
    """Deliver a submission as an upstream system writes it, whether or not it fits the schema; returns its receipt."""
    body = {
        "source": "riverside-surgery",
        "reference": "RS-1",
        "channel": "gp",
        "person": {"name": "Amina Example", "phone": "07700 900417"},
        "needs": ["domestic-abuse"],
    }
    record = given.record(submitted(), source="riverside-surgery")
    await given.deliver(replace(record, value=json.dumps(body | more).encode()))
    [receipt] = await given.emitted(m.InboundReferralAccepted, m.InboundReferralRefused)
    return receipt.data


PERSON = {"name": "Amina Example", "phone": "07700 900417"}


@pytest.mark.parametrize(
    ("more", "unclear"),
    [
        ({"person": PERSON | {"birth_date": "about 1950"}}, {"birth_date": "about 1950"}),
        ({"person": PERSON | {"birth_date": 1950}}, {"birth_date": "1950"}),
        ({"person": PERSON | {"birth_date": {"year": 1950}}}, {"birth_date": '{"year": 1950}'}),
        ({"person": PERSON | {"email": ["a@example.org"]}}, {"email": '["a@example.org"]'}),
        ({"person": PERSON | {"postcode": "x" * 70}}, {"postcode": "x" * 70}),
        ({"priority": "as soon as possible"}, {"priority": "as soon as possible"}),
        ({"household": "mother and two sons"}, {"household": "mother and two sons"}),
        ({"household": {"adults": 99}}, {"household": '{"adults": 99}'}),
        ({"consent": "her son says so"}, {"consent": "her son says so"}),
    ],
)
async def test_optional_detail_that_nobody_can_read_costs_no_place(
    given: Harness, more: dict[str, Any], unclear: dict[str, str]
):
    receipt = await sent(given, **more)
    assert isinstance(receipt, m.InboundReferralAccepted)
    assert receipt.unclear == tuple(unclear)
    [row] = await given.fetch("SELECT unclear::text, flags FROM resident JOIN referral ON id = referral_id")
    assert json.loads(row["unclear"]) == unclear
    assert "details-unclear" in row["flags"]
    assert not await given.fetch("SELECT FROM chassis.dead_letter")


@pytest.mark.parametrize(
    ("more", "column", "kept"),
    [
        ({"person": PERSON | {"birth_date": "1 March 1950"}}, "birth_date::text", "1950-03-01"),
        ({"person": PERSON | {"birth_date": "01.03.1950"}}, "birth_date::text", "1950-03-01"),
        ({"person": {"phone": 447700900417}}, "phone_e164", "+447700900417"),
        ({"person": {"name": "Amina\0 Example"}}, "name", "Amina Example"),
        ({"person": PERSON | {"email": None}, "needs": None, "diets": None}, "name", "Amina Example"),
        ({"consent": "No"}, "consent", False),
        ({"consent": "yes"}, "consent", True),
        ({"priority": "Urgent "}, "priority", "urgent"),
        ({"household": {"adults": "2", "children": "1"}}, "adults", 2),
        ({"household": {"children": 2}}, "adults", 1),
        ({"reference": "RS-1", "channel": "GP"}, "channel", "gp"),
        ({"channel": "nhs list"}, "channel", "nhs-list"),
        ({"flags": ["Lives alone", "lives-alone"]}, "flags[1]", "lives-alone"),
    ],
)
async def test_what_can_be_read_is_read_whatever_its_form(
    given: Harness, more: dict[str, Any], column: str, kept: Any
):
    receipt = await sent(given, **more)
    assert isinstance(receipt, m.InboundReferralAccepted), receipt
    assert not receipt.unclear
    [row] = await given.fetch(f"SELECT {column} AS kept FROM resident JOIN referral ON id = referral_id")
    assert row["kept"] == kept


async def test_long_notes_are_kept_whole(given: Harness):
    notes = "Rings twice. " * 200
    await sent(given, notes=notes)
    [row] = await given.fetch("SELECT notes, unclear->>'notes' AS whole FROM resident")
    assert (row["notes"], row["whole"]) == (notes[:2000].strip(), notes.strip())


async def test_mark_of_the_byte_order_in_front_of_a_record_does_not_matter(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    await given.deliver(replace(record, value=b"\xef\xbb\xbf" + (record.value or b"")))
    assert await given.emitted(m.InboundReferralAccepted)


async def test_needs_in_everyday_words_are_read_at_the_topic(given: Harness):
    receipt = await sent(given, needs=["Food parcel", "tablets", "Nowhere to sleep"])
    assert isinstance(receipt, m.InboundReferralAccepted)
    rows = await given.fetch("SELECT code FROM need")
    assert {row["code"] for row in rows} == {"food-parcel", "prescription", "homelessness"}


async def test_unclear_details_reach_whoever_places_rings_or_takes_on(given: Harness):
    receipt = await sent(given, person=PERSON | {"birth_date": "about 1950"})
    await given.deliver(
        m.ReferralHeldForTriage(
            referral_id=receipt.referral_id,
            version=1,
            reason="no-postcode",
            needs=(),
            priority=m.Priority.STANDARD,
            triage_due_at=given.clock.now(),
            held_at=given.clock.now(),
        )
    )
    asked = {"referral_id": str(receipt.referral_id), "reason": "placing it"}
    told = await given.http.post("/v1/disclosures", json=asked | {"purpose": "triage"})
    assert told.json()["unclear"] == {"birth_date": "about 1950"}


async def test_flags_that_intake_finds_by_itself_take_no_place(given: Harness):
    flags = [str(flag) for flag in vocabulary.Flag]
    receipt = await sent(given, flags=[*flags, "Lives alone"])
    assert isinstance(receipt, m.InboundReferralAccepted)
    [row] = await given.fetch("SELECT flags FROM referral")
    assert {"no-consent", "deceased", "shielding", "lives-alone", "interpreter-needed"} <= set(row["flags"])
