"""An upstream system hears of its own referrals until they end: on its own topic, in the transaction of the change."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above
from msgspec import structs

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import Harness, harness
from bdcan_contracts import models as m
from bdcan_contracts import upstreams as u
from bdcan_contracts import vocabulary
from bdcan_contracts.catalogue import INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.vocabulary import NeedCode
from bdcan_intake import store
from bdcan_intake.app import service
from bdcan_intake.books import Referrals
from bdcan_intake.domain.referral import Referral
from bdcan_intake.metrics import LATER_RECEIPTS
from bdcan_intake.settings import Settings

NORTH = u.Upstream(
    "north-surgery",
    inbound_topic=f"{INBOUND_REFERRALS.name}.north-surgery",
    receipts_topic=f"{INBOUND_RECEIPTS.name}.north-surgery",
)
SOUTH = u.Upstream("south-charity", ("south-charity", "south-food"))
"""It has no Kafka."""
GONE = u.Upstream(
    "gone-surgery",
    inbound_topic=f"{INBOUND_REFERRALS.name}.gone-surgery",
    receipts_topic=f"{INBOUND_RECEIPTS.name}.gone-surgery",
    revoked_at=s.T0,
)


@pytest.fixture
async def given(postgres_server: Any, tmp_path: Path) -> AsyncIterator[Harness]:
    registry = tmp_path / "upstreams.json"
    registry.write_bytes(u.dump([NORTH, SOUTH, GONE]))
    async with harness(postgres_server, service, Settings, upstreams_file=registry) as running:
        yield running


async def sent(given: Harness, *needs: str, source: str = "north-surgery", **more: Any) -> Referral:
    """A referral that an upstream system has sent by HTTP."""
    sender = given.client(["referrals:read", "referrals:write"], sources=[source])
    body = {
        "channel": "gp",
        "reference": "NS-1",
        "person": {"name": "Amina Example", "phone": "07700 900417"},
        "needs": list(needs),
    }
    answer = await sender.post("/v1/referrals", json=body | more)
    assert answer.status_code == 201, answer.text
    await given.emitted()
    return await stored(given, UUID(answer.json()["referral_id"]))


async def stored(given: Harness, referral_id: UUID) -> Referral:
    async with given.transactions.begin() as tx:
        [referral] = await Referrals(tx).lock_keys([referral_id])
        return referral


async def receipts(given: Harness) -> list[tuple[str, Any]]:
    """The receipts that wait for the relay: their topic and body. Empties the outbox."""
    rows = await given.fetch("SELECT topic FROM chassis.outbox ORDER BY seq")
    events = await given.emitted()
    kinds = (m.InboundReferralProgressed, m.InboundReferralClosed)
    return [
        (row["topic"], event.data)
        for row, event in zip(rows, events, strict=True)
        if isinstance(event.data, kinds)
    ]


def shopping(r: Referral, model: Any, **more: Any) -> Any:
    return s.task(model, r, r.needs[0].need_id, vocabulary.TaskKind.SHOPPING, **more)


async def test_sender_hears_of_each_step_on_its_own_topic(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    for event in (
        s.assigned(r),
        s.unanswered(r),
        s.confirmed(r),
        shopping(r, m.TaskOpened),
        shopping(r, m.TaskAccepted),
        shopping(r, m.TaskCompleted),
    ):
        record = given.record(event)
        await given.deliver(record)
        await given.deliver(record)
    told = await receipts(given)
    assert {topic for topic, _ in told} == {NORTH.receipts_topic}
    assert [getattr(body, "state", "closed") for _, body in told] == [
        "assigned",
        "in-contact",
        "being-helped",
        "closed",
    ]
    assert {(body.source, body.reference, body.referral_id) for _, body in told} == {
        ("north-surgery", "NS-1", r.referral_id)
    }


async def test_later_receipts_are_counted_by_sender(given: Harness):
    def counted(kind: str) -> float:
        return LATER_RECEIPTS.labels("north-surgery", kind)._value.get()

    r = await sent(given, NeedCode.SHOPPING)
    before = counted("progressed"), counted("closed")
    await given.deliver(s.assigned(r))
    assert (counted("progressed"), counted("closed")) == (before[0] + 1, before[1])
    answer = await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "moved-away"})
    assert answer.status_code == 200, answer.text
    assert (counted("progressed"), counted("closed")) == (before[0] + 1, before[1] + 1)


BACKFILL = (Path(store.__file__).parent / "migrations" / "0100_names_of_earlier_referrals.sql").read_text(
    "utf-8"
)


async def forgotten(given: Harness, referral_id: UUID) -> None:
    """The referral as it was before receipts had names."""
    await given.owner.execute("UPDATE referral SET told_reference = NULL WHERE id = $1", referral_id)


async def test_sender_of_a_referral_from_before_hears_how_it_goes_on(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    unnamed = await sent(given, NeedCode.SHOPPING, reference=None)
    for one in (r, unnamed):
        await forgotten(given, one.referral_id)
    await given.owner.execute(BACKFILL)
    await given.deliver(s.assigned(r), s.assigned(unnamed))
    told = {body.referral_id: body.reference for _, body in await receipts(given)}
    digest = hashlib.sha256(b"north-surgery:NS-1").hexdigest()[:32]
    assert told == {r.referral_id: f"sha256:{digest}", unnamed.referral_id: str(unnamed.referral_id)}


async def test_names_are_given_to_no_referral_that_has_ended_or_hides_something(given: Harness):
    concern = await sent(given, NeedCode.SHOPPING, NeedCode.DOMESTIC_ABUSE, reference="NS-2")
    ended = await sent(given, NeedCode.SHOPPING, reference="NS-3")
    await given.http.post(f"/v1/referrals/{ended.referral_id}/withdrawal", json={"reason": "moved-away"})
    named = await sent(given, NeedCode.SHOPPING)
    for one in (concern, ended):
        await forgotten(given, one.referral_id)
    await given.owner.execute(BACKFILL)
    names = [(await stored(given, one.referral_id)).told_reference for one in (concern, ended, named)]
    assert names == [None, None, "NS-1"]


@pytest.mark.parametrize("source", ["south-charity", "south-food", "phone-desk"])
async def test_source_without_kafka_is_sent_nothing(given: Harness, source: str):
    r = await sent(given, NeedCode.SHOPPING, source=source)
    await given.deliver(s.assigned(r))
    assert await receipts(given) == []


async def test_revoked_sender_is_sent_nothing(given: Harness):
    r = structs.replace(s.referral(NeedCode.SHOPPING), source="gone-surgery", told_reference="GS-1")
    async with given.transactions.begin() as tx:
        referrals = Referrals(tx)
        referrals.put(Step(r))
        await referrals.save()
    await given.deliver(s.assigned(r))
    assert await receipts(given) == []


async def test_reference_that_names_somebody_is_told_as_its_hash(given: Harness):
    r = await sent(given, NeedCode.SHOPPING, reference="Amina Example 1")
    await given.deliver(s.assigned(r))
    [(_, told)] = await receipts(given)
    assert told.reference.startswith("sha256:")


async def test_referral_without_a_reference_is_told_by_its_id(given: Harness):
    r = await sent(given, NeedCode.SHOPPING, reference=None)
    await given.deliver(s.assigned(r))
    [(_, told)] = await receipts(given)
    assert told.reference == str(r.referral_id)


async def test_two_references_of_one_person_are_told_apart(given: Harness):
    first = await sent(given, NeedCode.SHOPPING, reference="NS-1")
    second = await sent(given, NeedCode.SHOPPING, reference="NS-2")
    await given.deliver(s.assigned(first), s.assigned(second))
    told = await receipts(given)
    assert {body.reference: body.referral_id for _, body in told} == {
        "NS-1": first.referral_id,
        "NS-2": second.referral_id,
    }


async def test_after_an_erasure_nothing_is_sent(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    for event in (s.assigned(r), s.confirmed(r), shopping(r, m.TaskOpened), shopping(r, m.TaskCompleted)):
        await given.deliver(event)
    erasure = {"referral_ids": [str(r.referral_id)], "enquiry_ids": [], "reason": "asked-by-telephone"}
    answer = await given.http.post("/v1/rights/erasures", json=erasure)
    assert answer.status_code in {200, 201, 202}, answer.text
    await given.emitted()
    again = shopping(r, m.TaskReopened, reason="slip", reopened_at=s.T0 + timedelta(days=1))
    await given.deliver(again)
    assert (await stored(given, r.referral_id)).told_reference is None
    assert await receipts(given) == []


async def test_change_that_fails_tells_nothing(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    sender = given.client(["referrals:write"], sources=["north-surgery"])
    refused = await sender.post(f"/v1/referrals/{r.referral_id}/amendments", json={"version": 99})
    assert refused.status_code == 409
    assert await receipts(given) == []


async def test_withdrawal_by_the_hub_is_told(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    answer = await given.http.post(
        f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"}
    )
    assert answer.status_code == 200, answer.text
    [(_, told)] = await receipts(given)
    assert (told.outcome, told.words) == ("withdrawn", "The referral was withdrawn. The referral is closed.")


async def test_sender_reads_the_same_words_by_http(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    await given.deliver(s.assigned(r), s.confirmed(r))
    [*_, (_, told)] = await receipts(given)
    sender = given.client(["referrals:read"], sources=["north-surgery"])
    [listed] = (
        await sender.get("/v1/referrals", params={"source": "north-surgery", "reference": "NS-1"})
    ).json()["items"]
    shown = (await sender.get(f"/v1/referrals/{r.referral_id}")).json()
    assert listed["news"] == shown["news"]
    assert shown["news"]["words"] == told.words
    assert [n["words"] for n in shown["news"]["needs"]] == [n.words for n in told.needs]


async def test_another_sender_reads_no_word(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    other = given.client(["referrals:read"], sources=["south-charity"])
    assert (await other.get(f"/v1/referrals/{r.referral_id}")).status_code == 404
    found = await other.get("/v1/referrals", params={"source": "north-surgery", "reference": "NS-1"})
    assert found.json()["items"] == []


async def test_safeguarding_referral_shows_its_sender_no_step(given: Harness):
    r = await sent(given, NeedCode.FOOD_PARCEL, NeedCode.DOMESTIC_ABUSE)
    await given.deliver(s.assigned(r))
    await given.deliver(s.confirmed(r))
    told = [body for _, body in await receipts(given)]
    assert [(body.state, body.needs) for body in told] == [("passed-on", ())]
    sender = given.client(["referrals:read"], sources=["north-surgery"])
    shown = (await sender.get(f"/v1/referrals/{r.referral_id}")).json()
    assert shown["news"]["state"] == "passed-on"
    assert shown["news"]["needs"] == []


async def test_erased_referral_that_is_open_takes_no_amendment(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    erasure = {"referral_ids": [str(r.referral_id)], "enquiry_ids": [], "reason": "asked-by-telephone"}
    assert (await given.http.post("/v1/rights/erasures", json=erasure)).status_code == 201
    given.clock.advance(timedelta(days=22))
    await given.fire()
    assert (await stored(given, r.referral_id)).erased_at
    back = await given.http.post(
        f"/v1/referrals/{r.referral_id}/amendments", json={"person": {"name": "Amina Example"}}
    )
    assert back.status_code == 409
    assert await given.fetch("SELECT name FROM resident WHERE name IS NOT NULL") == []


async def test_safeguarding_need_that_the_sender_adds_ends_the_steps(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    await given.deliver(s.assigned(r))
    await given.emitted()
    sender = given.client(["referrals:write"], sources=["north-surgery"])
    url = f"/v1/referrals/{r.referral_id}/amendments"
    assert (await sender.post(url, json={"add_needs": ["domestic-abuse"]})).status_code == 200
    [(_, told)] = await receipts(given)
    assert (told.state, told.needs) == ("passed-on", ())


async def test_safeguarding_need_that_the_hub_adds_is_not_told(given: Harness):
    r = await sent(given, NeedCode.SHOPPING)
    await given.deliver(s.assigned(r))
    await given.emitted()
    url = f"/v1/referrals/{r.referral_id}/amendments"
    assert (await given.http.post(url, json={"add_needs": ["domestic-abuse"]})).status_code == 200
    assert await receipts(given) == []
