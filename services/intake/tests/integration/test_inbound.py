"""The inbound topic: each submission gets its receipt, also the one that nobody can read."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import date

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
    handed_in = await given.http.post("/v1/referrals", json=api)
    typed = unicodedata.normalize("NFD", name)
    file = (
        "reference,channel,name,phone,postcode,notes\r\n"
        f'RS-1\u200b,gp,\ufeff{typed},07700\u00a0900417,ＲＭ８ １ＡＢ,"{notes}"\r\n'.replace("\n", "\r\n")
    )
    imported = await given.http.post("/v1/referral-imports?source=test", content=file.encode())
    person = m.Person(name=f" {typed}", phone="07700\t900417", postcode="RM8 lAB")
    await given.deliver(
        submitted(
            source="test", reference="RS-1 ", person=person, needs=(), notes="Rings twice.\rHas a dog.\r"
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
    assert (await given.deliver(broken))["parked"] == 1
    [refused] = await given.emitted()
    assert refused.subject == "riverside-surgery:RS-1"
    assert [p.field for p in refused.data.problems] == ["channel", "needs.0"]
    [letter] = await given.fetch("SELECT reason, state FROM chassis.dead_letter")
    assert tuple(letter) == ("bad-body", "parked")


async def test_record_without_json_is_parked_and_gets_a_receipt(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    await given.deliver(replace(record, value=b"\xff{"))
    [refused] = await given.emitted()
    assert [p.code for p in refused.data.problems] == ["bad-body"]


async def test_record_whose_key_names_no_sender_gets_no_receipt(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    for place, key in enumerate((None, b"", b"nothing", b"Not A Slug:1", b"\xff:1"), start=1):
        await given.deliver(replace(record, key=key, value=b"{}", offset=record.offset + place))
    assert not await given.emitted()
    assert len(await given.fetch("SELECT 1 FROM chassis.dead_letter")) == 5


async def test_record_behind_a_bad_one_of_its_key_is_taken_on(given: Harness):
    record = given.record(submitted(), source="riverside-surgery")
    outcome = await given.deliver(
        replace(record, value=b"{}"), given.record(submitted(), source="riverside-surgery")
    )
    assert (outcome["parked"], outcome["handled"]) == (1, 1)
    receipts = await given.emitted(m.InboundReferralRefused, m.InboundReferralAccepted)
    assert {type(e.data) for e in receipts} == {m.InboundReferralAccepted, m.InboundReferralRefused}
