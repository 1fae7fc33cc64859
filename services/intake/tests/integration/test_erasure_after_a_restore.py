"""A database that was restored from before an erasure hears of it again by the answers of the others, and erases again."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts.vocabulary import NeedCode


async def known(given: Harness, reference: str) -> UUID:
    sender = given.client(["referrals:read", "referrals:write"])
    body = {
        "channel": "phone",
        "reference": reference,
        "person": {"name": "Amina Example", "phone": "07700 900417"},
        "needs": [NeedCode.SHOPPING],
    }
    answer = await sender.post("/v1/referrals", json=body)
    assert answer.status_code == 201, answer.text
    await given.emitted()
    return UUID(answer.json()["referral_id"])


def answered(
    given: Harness, referral_id: UUID, erasure_id: UUID, service: str, *, erased: bool = True
) -> Any:
    return given.record(
        m.ErasureAnswered(
            referral_id=referral_id,
            erasure_id=erasure_id,
            service=service,
            erased=erased,
            answered_at=given.clock.now(),
        )
    )


async def own_answers(given: Harness) -> list[m.ErasureAnswered]:
    return [e.data for e in await given.emitted() if isinstance(e.data, m.ErasureAnswered)]


async def names(given: Harness) -> int:
    [(count,)] = await given.fetch("SELECT count(*) FROM resident WHERE name IS NOT NULL")
    return count


async def test_answer_about_an_unknown_erasure_erases_again(given: Harness) -> None:
    first, second, erasure_id = await known(given, "R-1"), await known(given, "R-2"), uuid4()
    record = answered(given, first, erasure_id, "routing")
    await given.deliver(record)
    await given.deliver(record)
    assert await names(given) == 1
    [own] = await own_answers(given)
    assert (own.referral_id, own.erasure_id, own.erased) == (first, erasure_id, True)
    # a request may cover several referrals: a service that still waits tells of it, too
    await given.deliver(answered(given, second, erasure_id, "foodhub", erased=False))
    assert await names(given) == 0
    rows = await given.fetch("SELECT id, referral_ids, state FROM erasure")
    assert [(r["id"], sorted(r["referral_ids"]), r["state"]) for r in rows] == [
        (erasure_id, sorted([first, second]), "waiting")
    ]


async def test_request_that_came_back_is_done_when_all_have_answered(given: Harness) -> None:
    referral_id, erasure_id = await known(given, "R-1"), uuid4()
    for service in ("routing", "volunteer-match", "foodhub", "escalation"):
        await given.deliver(answered(given, referral_id, erasure_id, service))
    [own] = await own_answers(given)
    await given.deliver(given.record(own))
    assert await own_answers(given) == []
    assert await given.fetch("SELECT state FROM erasure") == [("done",)]


async def test_answer_about_a_referral_that_nobody_knows_leaves_a_tombstone(given: Harness) -> None:
    referral_id = uuid4()
    await given.deliver(answered(given, referral_id, uuid4(), "routing"))
    found = await given.fetch("SELECT subject_id FROM chassis.erasure WHERE erased_at IS NOT NULL")
    assert found == [(referral_id,)]
