"""An upstream system amends and withdraws by Kafka as it can by HTTP: the same rules, and a receipt for each record."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above
from msgspec import structs

from bdcan_chassis.testing.harness import FakeRecord, Harness, harness
from bdcan_contracts import models as m
from bdcan_contracts import upstreams as u
from bdcan_contracts.catalogue import INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.vocabulary import Channel, NeedCode
from bdcan_intake.app import service
from bdcan_intake.settings import Settings


def upstream(name: str) -> u.Upstream:
    return u.Upstream(
        name,
        inbound_topic=f"{INBOUND_REFERRALS.name}.{name}",
        receipts_topic=f"{INBOUND_RECEIPTS.name}.{name}",
    )


NORTH, SOUTH = upstream("north-surgery"), upstream("south-surgery")


@pytest.fixture
async def given(postgres_server: Any, tmp_path: Path) -> AsyncIterator[Harness]:
    registry = tmp_path / "upstreams.json"
    registry.write_bytes(u.dump([NORTH, SOUTH]))
    async with harness(postgres_server, service, Settings, upstreams_file=registry) as running:
        yield running


def submitted(**more: Any) -> m.InboundReferralSubmitted:
    fields: dict[str, Any] = {
        "source": "north-surgery",
        "reference": "NS-1",
        "channel": Channel.GP,
        "person": m.Person(name="Amina Example", phone="07700 900417", postcode="RM10 8XX"),
        "needs": (NeedCode.SHOPPING,),
    }
    return m.InboundReferralSubmitted.model_validate(fields | more)


def amended(**more: Any) -> m.InboundReferralAmended:
    return m.InboundReferralAmended.model_validate({"source": "north-surgery", "reference": "NS-1"} | more)


def withdrawn(**more: Any) -> m.InboundReferralWithdrawn:
    fields = {"source": "north-surgery", "reference": "NS-1", "reason": "no-longer-needed"}
    return m.InboundReferralWithdrawn.model_validate(fields | more)


def record(given: Harness, body: Any, sender: u.Upstream = NORTH, **headers: str) -> FakeRecord:
    made = given.record(body, source=sender.name)
    more = [(name, value.encode()) for name, value in headers.items()]
    return replace(made, topic=sender.inbound_topic or "", headers=[*made.headers, *more])


async def receipts(given: Harness, *records: FakeRecord) -> list[Any]:
    """Deliver records; returns the receipt of each."""
    await given.deliver(*records)
    return [e.data for e in await given.emitted(m.InboundReferralAccepted, m.InboundReferralRefused)]


async def sent(given: Harness, **more: Any) -> UUID:
    [receipt] = await receipts(given, record(given, submitted(**more)))
    return receipt.referral_id


def problems(receipt: Any) -> list[tuple[str, str]]:
    return [(p.field, p.code) for p in receipt.problems]


async def shown(given: Harness, referral_id: UUID) -> dict[str, Any]:
    return (await given.http.get(f"/v1/referrals/{referral_id}")).json()


async def test_amendment_changes_the_referral_and_gets_a_receipt(given: Harness):
    referral_id = await sent(given)
    body = amended(
        person=m.Person(phone="07700 900999"),
        household=m.Household(adults=2),
        add_needs=("food-parcel",),
        withdraw_needs=("shopping",),
        diets=("halal",),
        flags=("lives-alone",),
        priority=m.Priority.URGENT,
        notes="Ring after ten.",
        consent=True,
        remove=("postcode",),
    )
    await given.deliver(record(given, body))
    events = await given.emitted()
    [told] = [e.data for e in events if isinstance(e.data, m.ReferralAmended)]
    [receipt] = [e.data for e in events if isinstance(e.data, m.InboundReferralAccepted)]
    assert (receipt.request, receipt.referral_id, receipt.reference) == ("amended", referral_id, "NS-1")
    assert ([n.code for n in told.needs], told.diets, told.postcode) == (["food-parcel"], ("halal",), None)
    [resident] = await given.fetch("SELECT name, phone, postcode, consent FROM resident")
    assert tuple(resident) == ("Amina Example", "07700 900999", None, True)
    [note] = await given.fetch("SELECT text, author FROM note")
    assert tuple(note) == ("Ring after ten.", "upstream:north-surgery")
    assert (await shown(given, referral_id))["version"] == 2


async def test_what_an_amendment_does_not_speak_of_stays_and_an_empty_list_clears(given: Harness):
    await given.deliver(record(given, submitted(diets=("halal",), flags=("shielding",))))
    for change, diets, flags in (
        ({"person": {"phone": "07700 900418"}}, ["halal"], ["shielding"]),
        ({"diets": None, "flags": None, "notes": "rings twice"}, ["halal"], ["shielding"]),
        ({"diets": []}, [], ["shielding"]),
        ({"flags": []}, [], []),
    ):
        *_, receipt = await receipts(given, record(given, amended(**change)))
        assert isinstance(receipt, m.InboundReferralAccepted), receipt
        [row] = await given.fetch("SELECT diets, flags FROM referral")
        assert (list(row["diets"]), list(row["flags"])) == (diets, flags), change


async def test_withdrawal_ends_the_referral_and_its_sender_hears_of_the_end(given: Harness):
    referral_id = await sent(given)
    await given.deliver(record(given, withdrawn()))
    events = await given.emitted(m.InboundReferralAccepted, m.InboundReferralClosed)
    kinds = {type(e.data).__name__: e.data for e in events}
    assert kinds["InboundReferralAccepted"].request == "withdrawn"
    assert kinds["InboundReferralAccepted"].state == "closed"
    assert not kinds["InboundReferralAccepted"].open
    assert kinds["InboundReferralClosed"].outcome == "withdrawn"
    assert (await shown(given, referral_id))["outcome"] == "withdrawn"


async def told_in_order(given: Harness) -> list[tuple[str, str]]:
    """What the sender reads: the request or the state that each receipt is about, with the record's key."""
    kinds = (m.InboundReferralAccepted, m.InboundReferralRefused)
    later = (m.InboundReferralProgressed, m.InboundReferralClosed)
    said: list[tuple[str, str]] = []
    for event in await given.emitted(*kinds, *later):
        body: Any = event.data
        kind = body.request if isinstance(event.data, kinds) else getattr(body, "state", "closed")
        said.append((kind, body.reference))
    return said


async def test_receipt_of_a_change_comes_before_what_follows_from_it(given: Harness):
    await sent(given)
    await given.deliver(record(given, amended(add_needs=("domestic-abuse",))))
    assert [kind for kind, _ in await told_in_order(given)] == ["amended", "received"]
    await sent(given, reference="NS-2")
    await given.deliver(record(given, withdrawn(reference="NS-2")))
    assert [kind for kind, _ in await told_in_order(given)] == ["withdrawn", "closed"]


async def test_batch_tells_of_an_end_between_the_receipts_around_it(given: Harness):
    await given.deliver(
        record(given, submitted()),
        record(given, submitted(reference="NS-2")),
        record(given, withdrawn()),
        record(given, withdrawn(reference="NS-2")),
        record(given, withdrawn()),
        record(given, submitted(notes="She needs help again.")),
    )
    said = await told_in_order(given)
    assert [kind for kind, name in said if name == "NS-1"] == [
        "submitted",
        "withdrawn",
        "closed",
        "withdrawn",
        "submitted",
    ]
    assert [kind for kind, name in said if name == "NS-2"] == ["submitted", "withdrawn", "closed"]


async def test_end_follows_the_last_of_several_changes(given: Harness):
    await given.deliver(record(given, submitted(needs=("shopping", "errand"))))
    await told_in_order(given)
    await given.deliver(
        record(given, amended(withdraw_needs=("errand",))),
        record(given, amended(withdraw_needs=("shopping",), add_needs=("food-parcel",))),
        record(given, withdrawn()),
        record(given, amended(notes="Too late.")),
    )
    said = [kind for kind, _ in await told_in_order(given) if kind in {"amended", "withdrawn", "closed"}]
    assert said == ["amended", "amended", "withdrawn", "closed", "amended"]


async def test_receipts_name_a_referral_alike_whatever_is_amended(given: Harness):
    await sent(given, person=m.Person(phone="07700 900417"), reference="Example-1")
    await given.deliver(
        record(given, amended(reference="Example-1", person=m.Person(name="Amina Example"))),
        record(given, amended(reference="Example-1", version=7)),
        record(given, withdrawn(reference="Example-1")),
    )
    assert {name for _, name in await told_in_order(given)} == {"Example-1"}


async def test_key_that_names_somebody_is_quoted_by_its_hash_when_the_event_comes_again(given: Harness):
    first = record(given, submitted(reference="Example 7"))
    assert first.key == b"north-surgery:Example 7"
    told = await receipts(given, first, replace(first, offset=first.offset + 100))
    assert [one.record.key.partition(":")[2][:7] for one in told] == ["sha256:", "sha256:"]
    assert told[0].reference == told[1].reference == told[1].record.key.partition(":")[2]


async def test_dry_run_tells_nothing_that_would_follow(given: Harness):
    await sent(given)
    await given.deliver(record(given, withdrawn(), ce_dryrun="true"))
    assert [kind for kind, _ in await told_in_order(given)] == ["withdrawn"]


async def test_changes_in_one_batch_keep_their_order(given: Harness):
    accepted = await receipts(
        given,
        record(given, submitted()),
        record(given, amended(add_needs=("errand",))),
        record(given, amended(version=2, notes="Second.")),
        record(given, withdrawn()),
        record(given, submitted(notes="She needs help again.")),
    )
    assert [r.request for r in accepted] == ["submitted", "amended", "amended", "withdrawn", "submitted"]
    assert accepted[4].previous_referral_id == accepted[0].referral_id


async def test_record_that_is_read_twice_changes_once(given: Harness):
    referral_id = await sent(given)
    change = record(given, amended(add_needs=("errand",)))
    await given.deliver(change)
    await given.deliver(change)
    assert (await shown(given, referral_id))["version"] == 2
    assert len(await given.emitted(m.InboundReferralAccepted)) == 1


@pytest.mark.parametrize("body", [amended(reference="NS-9"), withdrawn(reference="NS-9")])
async def test_unknown_reference_is_refused(given: Harness, body: Any):
    await sent(given)
    [refused] = await receipts(given, record(given, body))
    assert problems(refused) == [("reference", "unknown-reference")]


@pytest.mark.parametrize("make", [amended, withdrawn])
async def test_referral_of_another_sender_is_as_unknown_as_none(given: Harness, make: Any):
    referral_id = await sent(given)
    other = make(source="south-surgery", referral_id=referral_id)
    [refused] = await receipts(given, record(given, other, SOUTH))
    assert problems(refused) == [("reference", "unknown-reference")]
    [forged] = await receipts(given, record(given, make(referral_id=referral_id), SOUTH))
    assert problems(forged) == [("source", "not-yours")]
    assert (await shown(given, referral_id))["version"] == 1
    assert (await shown(given, referral_id))["open"]


async def test_referral_id_names_an_earlier_referral_of_the_reference(given: Harness):
    first = await sent(given)
    await receipts(given, record(given, withdrawn()))
    second = await sent(given, notes="Again.")
    assert second != first
    [refused, accepted] = await receipts(
        given,
        record(given, amended(referral_id=first, notes="x")),
        record(given, amended(referral_id=second, notes="x")),
    )
    assert problems(refused) == [("", "not-allowed")]
    assert accepted.referral_id == second
    [wrong] = await receipts(given, record(given, amended(referral_id=uuid4())))
    assert problems(wrong) == [("reference", "unknown-reference")]


async def test_closed_referral_and_another_version_are_refused_as_by_http(given: Harness):
    await sent(given)
    [stale] = await receipts(given, record(given, amended(version=7, notes="Lost.")))
    assert problems(stale) == [("", "stale-version")]
    assert await given.fetch("SELECT FROM note") == []
    [_, late, again] = await receipts(
        given, record(given, withdrawn()), record(given, amended()), record(given, withdrawn())
    )
    assert problems(late) == problems(again) == [("", "not-allowed")]


async def test_everything_that_is_wrong_is_told_at_once(given: Harness):
    await sent(given)
    body = amended(
        add_needs=("easter-eggs",),
        diets=("air",),
        person=m.Person(phone="07700 900999"),
        remove=("phone", "shoe_size"),
    )
    [refused] = await receipts(given, record(given, body))
    assert problems(refused) == [
        ("remove.0", "contradiction"),
        ("remove.1", "unknown-detail"),
        ("add_needs.0", "unknown-code"),
        ("diets.0", "unknown-code"),
    ]


async def test_need_that_the_sender_may_not_know_of_cannot_be_found_out(given: Harness):
    await sent(given, needs=("shopping", "debt"))
    for code in ("debt", "housing", "errand"):
        [refused] = await receipts(given, record(given, amended(withdraw_needs=(code,))))
        assert problems(refused) == [("", "not-allowed")]


async def test_erased_person_is_not_written_down_again(given: Harness):
    referral_id = await sent(given)
    erasure = {"referral_ids": [str(referral_id)], "enquiry_ids": [], "reason": "asked-by-telephone"}
    assert (await given.http.post("/v1/rights/erasures", json=erasure)).status_code == 201
    await given.emitted()
    for body in (amended(notes="x"), amended(referral_id=referral_id), withdrawn()):
        [refused] = await receipts(given, record(given, body))
        assert problems(refused) == [("reference", "reference-erased")]
    assert await given.fetch("SELECT FROM note") == []


async def test_everyday_words_and_other_forms_are_read(given: Harness):
    referral_id = await sent(given)
    made = record(given, amended())
    body = (
        b'{"source":"north-surgery","reference":"NS-1","add_needs":"Errand, food parcel","consent":"yes",'
        b'"household":{"adults":2.0},"remove":null,"person":{"birth_date":"about 1950"}}'
    )
    [accepted] = await receipts(given, replace(made, value=body))
    assert accepted.request == "amended"
    codes = {need["code"] for need in (await shown(given, referral_id))["needs"]}
    assert codes == {"shopping", "errand", "food-parcel"}
    [row] = await given.fetch("SELECT unclear FROM resident")
    assert "about 1950" in str(row["unclear"])


async def test_dry_run_changes_nothing(given: Harness):
    referral_id = await sent(given)
    before = await given.fetch("SELECT t::text FROM referral AS t")
    dry = [
        record(given, amended(add_needs=("errand",), notes="x"), ce_dryrun="true"),
        record(given, withdrawn(), ce_dryrun="true"),
    ]
    await given.deliver(*dry)
    events = await given.emitted()
    assert [(type(e.data).__name__, e.data.dry_run) for e in events] == [
        ("InboundReferralAccepted", True)
    ] * 2
    assert [e.data.state for e in events] == ["received", "closed"]
    assert await given.fetch("SELECT t::text FROM referral AS t") == before
    assert await given.fetch("SELECT FROM note") == []
    assert (await shown(given, referral_id))["version"] == 1


async def test_safeguarding_need_that_is_added_ends_the_steps(given: Harness):
    referral_id = await sent(given)
    await given.deliver(s.assigned(structs.replace(s.referral(NeedCode.SHOPPING), referral_id=referral_id)))
    await given.emitted()
    await given.deliver(record(given, amended(add_needs=("domestic-abuse",))))
    [told] = await given.emitted(m.InboundReferralProgressed)
    assert told.data.state == "passed-on"
