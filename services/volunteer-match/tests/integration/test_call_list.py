"""The list from which a hub makes its calls: whom to ring first, who rings whom, and the alarm when nobody does."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from volunteer_match_story import assigned, claim_call, linked, only_call, report, withdrawn

from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import Priority, ReferralAssigned, WelfareCallOverdue
from bdcan_volunteer_match.domain.call import CALL

SCOPES = ["calls:read", "calls:write"]


def due(hours: float, **more: Any) -> ReferralAssigned:
    """A referral whose call is due so many hours from now."""
    return assigned(**more).model_copy(update={"contact_due_at": START + timedelta(hours=hours)})


async def listed(given: Harness, **asked: Any) -> list[dict[str, Any]]:
    """The whole list, page by page."""
    items, cursor = [], None
    while True:
        page = (
            await given.http.get("/v1/call-list", params=asked | ({"after": cursor} if cursor else {}))
        ).json()
        items += page["items"]
        cursor = page.get("next")
        if cursor is None:
            return items


async def take_next(client: httpx.AsyncClient, **asked: Any) -> httpx.Response:
    return await client.post("/v1/call-list/next", params=asked)


async def test_most_pressing_group_comes_first_and_in_it_the_priority(given: Harness) -> None:
    events = [
        due(100, priority=Priority.URGENT),  # not due
        due(3),  # due soon
        due(-1),  # overdue
        due(-0.5, priority=Priority.URGENT),  # overdue, and before the standard one that is later
        due(-30),  # critically overdue
        due(-5, priority=Priority.URGENT),  # critically overdue: its promise was four hours
        due(-40, priority=Priority.ROUTINE),  # critically overdue
    ]
    await given.deliver(*events)
    found = await listed(given, limit=2)
    assert [(item["urgency"], UUID(item["referral_id"])) for item in found] == [
        ("critically-overdue", events[5].referral_id),
        ("critically-overdue", events[4].referral_id),
        ("critically-overdue", events[6].referral_id),
        ("overdue", events[3].referral_id),
        ("overdue", events[2].referral_id),
        ("due-soon", events[1].referral_id),
        ("not-due", events[0].referral_id),
    ]
    assert [item["urgency"] for item in await listed(given, urgency=["overdue", "not-due"], limit=1)] == [
        "overdue",
        "overdue",
        "not-due",
    ]


async def test_pages_show_the_groups_of_the_first_page(given: Harness) -> None:
    await given.deliver(due(-1), due(0.5), due(0.6))
    first = (await given.http.get("/v1/call-list?limit=1")).json()
    given.clock.advance(timedelta(hours=1))  # what was due soon is overdue now
    rest = (await given.http.get("/v1/call-list", params={"after": first["next"]})).json()["items"]
    assert len({item["referral_id"] for item in (*first["items"], *rest)}) == 3


async def test_hub_with_the_most_pressing_calls_is_counted_first(given: Harness) -> None:
    await given.deliver(*[due(3, hub_id="abbey") for _ in range(4)], due(-30, hub_id="heath"), due(-1))
    found = (await given.http.get("/v1/call-list/counts")).json()["hubs"]
    assert [hub["hub_id"] for hub in found] == ["heath", "thames", "abbey"]
    assert found[2]["counts"] == {"critically-overdue": 0, "overdue": 0, "due-soon": 4, "not-due": 0}
    heath = given.client(SCOPES, ["heath"])
    assert [hub["hub_id"] for hub in (await heath.get("/v1/call-list/counts")).json()["hubs"]] == ["heath"]
    assert (await heath.get("/v1/call-list?hub=thames")).status_code in {404, 422}


async def test_next_call_is_the_first_of_the_list_and_comes_with_its_grant(given: Harness) -> None:
    first, second = due(-1), due(3)
    await given.deliver(second, first)
    ada, ben = (given.client(SCOPES, ["thames"]) for _ in range(2))
    taken = (await take_next(ada)).json()
    assert (UUID(taken["referral_id"]), taken["state"], bool(taken["grant"])) == (
        first.referral_id,
        "claimed",
        True,
    )
    assert UUID((await take_next(ben)).json()["referral_id"]) == second.referral_id
    again = (await take_next(ada)).json()
    assert again["call_id"] == taken["call_id"], "whoever asks twice holds one call, not two"


async def test_nobody_is_given_a_call_that_must_not_be_made(given: Harness) -> None:
    await given.deliver(due(3, hub_id="heath"), due(3, flags=("deceased",)))
    missed = due(3)
    await given.deliver(missed)
    [call] = [i for i in await listed(given) if UUID(i["referral_id"]) == missed.referral_id]
    await report(given, call["call_id"], outcome="no-answer")  # its next slot has not begun
    refused = await take_next(given.client(SCOPES, ["thames"]))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:nobody-to-call")
    assert (await take_next(given.client(SCOPES, ["thames", "heath"]), hub="heath")).status_code == 200
    assert (await take_next(given.client(["calls:read"], ["thames"]))).status_code == 403


async def test_call_that_a_person_must_look_at_first_does_not_hold_up_the_list(given: Harness) -> None:
    """Another referral of the same person says that they have died: nobody rings, and the next one of the list is rung."""
    first, other, behind = due(-1), due(2, flags=("deceased",)), due(3)
    await given.deliver(first, other, behind, *linked(first.referral_id, other.referral_id))
    taken = await take_next(given.client(SCOPES, ["thames"]))
    assert taken.status_code == 200, taken.text
    assert UUID(taken.json()["referral_id"]) == behind.referral_id


async def test_linked_referrals_are_one_call_of_the_list(given: Harness) -> None:
    one, other = due(2), due(3)
    await given.deliver(one, other, *linked(one.referral_id, other.referral_id))
    assert [UUID(item["referral_id"]) for item in await listed(given)] == [one.referral_id]
    ada = given.client(SCOPES, ["thames"])
    taken = (await take_next(ada)).json()
    assert (await take_next(given.client(SCOPES, ["thames"]))).status_code == 409
    freed = await ada.post(f"/v1/welfare-calls/{taken['call_id']}/release", json={})
    assert freed.status_code == 200
    assert {row["state"] for row in await given.fetch("SELECT state FROM welfare_call")} == {"due"}


async def test_call_of_somebody_who_rings_us_back_is_found_by_its_referral(given: Harness) -> None:
    event = due(3)
    await given.deliver(event, due(2))
    asked = {"referral": str(event.referral_id)}
    [call] = (await given.http.get("/v1/welfare-calls", params=asked)).json()["items"]
    assert UUID(call["referral_id"]) == event.referral_id
    heath = given.client(SCOPES, ["heath"])
    assert (await heath.get("/v1/welfare-calls", params=asked)).json()["items"] == []


async def test_claim_ends_by_hand_and_somebody_else_s_for_a_reason(given: Harness) -> None:
    await given.deliver(assigned())
    call_id = (await only_call(given))["call_id"]
    path = f"/v1/welfare-calls/{call_id}/release"
    assert (await given.http.post(path, json={})).json()["type"] == "urn:bdcan:problem:not-claimed"
    await claim_call(given, call_id)
    ada = given.client(SCOPES, ["thames"])
    assert (await ada.post(path, json={})).json()["type"] == "urn:bdcan:problem:claimed-by-other"
    freed = await ada.post(path, json={"reason": "gone-home"})
    assert (freed.status_code, freed.json()["state"], freed.json()["urgency"]) == (200, "due", "not-due")
    assert [tuple(r) for r in await given.fetch("SELECT decision, reason FROM decision")] == [
        ("release", "gone-home")
    ]
    assert {kind for kind, _ in await given.deadlines()} == {CALL}
    await claim_call(given, call_id)
    assert (await given.http.post(path, json={})).status_code == 200


async def test_alarm_comes_when_nobody_has_called_and_again_until_somebody_does(given: Harness) -> None:
    event = due(2, priority=Priority.URGENT, needs=())
    await given.deliver(event)
    given.clock.advance(timedelta(hours=2))
    assert await given.fire() == 1
    given.clock.advance(timedelta(hours=4))
    assert await given.fire() == 1
    given.clock.advance(timedelta(hours=4))
    assert await given.fire() == 1
    told = [e.data for e in await given.emitted(WelfareCallOverdue)]
    assert [(one.critical, one.hub_id, one.attempts) for one in told] == [
        (False, "thames", 0),
        (True, "thames", 0),
        (True, "thames", 0),
    ]
    assert [one.due_at for one in told] == [event.contact_due_at] * 3
    assert told[0].next_alarm_at == event.contact_due_at + timedelta(hours=4)
    await report(given, (await only_call(given))["call_id"], outcome="answered")
    assert await given.deadlines() == {}


@pytest.mark.parametrize("end", ["withdrawn", "missed"])
async def test_alarm_follows_the_call(given: Harness, end: str) -> None:
    event = due(2)
    await given.deliver(event)
    assert await given.deadlines() == {(CALL, event.referral_id): event.contact_due_at}
    if end == "withdrawn":
        await given.deliver(withdrawn(event.referral_id))
        assert await given.deadlines() == {}
    else:
        missed = await report(given, (await only_call(given))["call_id"], outcome="no-answer")
        [call] = await given.fetch("SELECT due_at FROM welfare_call")
        assert await given.deadlines() == {(CALL, event.referral_id): call["due_at"]}
        assert missed["next_attempt_at"]


async def test_migration_gives_calls_of_the_release_before_their_alarm(given: Harness) -> None:
    event = due(2)
    await given.deliver(event)
    await given.fetch("UPDATE welfare_call SET alarm_at = NULL")
    await given.deliver(due(3, referral_id=event.referral_id, version=2))
    [call] = await given.fetch("SELECT alarm_at, due_at FROM welfare_call")
    assert call["alarm_at"] == call["due_at"], "a row that an older worker wrote gets it with its next change"


async def test_callers_who_crash_leave_nobody_out_and_ring_nobody_twice(given: Harness) -> None:
    """Twelve callers, of whom one in five crashes in the middle of a call. CONTACTS=20000 for the size of the borough."""
    contacts = int(os.environ.get("CONTACTS", "240"))
    chance = random.Random(20200323)  # a test that can be run again
    events = [
        due(chance.uniform(-30, 60), priority=chance.choice([*Priority]), needs=()) for _ in range(contacts)
    ]
    for start in range(0, contacts, 500):
        await given.deliver(*events[start : start + 500])
    reached: Counter[str] = Counter()
    left: Counter[str] = Counter()

    async def ring_until_nobody_is_left() -> None:
        client = given.client(SCOPES, ["thames"])
        while True:
            answer = await take_next(client)
            if answer.status_code == 409:
                return
            call = answer.json()
            if chance.random() < 0.2:  # the caller's computer is switched off, and somebody else sits down
                left[call["call_id"]] += 1
                client = given.client(SCOPES, ["thames"])
                continue
            path = f"/v1/welfare-calls/{call['call_id']}/outcome"
            said = await client.post(path, json={"outcome": "answered"})
            assert said.status_code == 200, said.text
            reached[call["call_id"]] += 1

    while len(reached) < contacts:
        await asyncio.gather(*(ring_until_nobody_is_left() for _ in range(12)))
        given.clock.advance(timedelta(minutes=31))
        while await given.fire():
            pass
    assert sum(left.values()) > contacts / 10
    assert set(reached.values()) == {1}, "nobody is rung twice"
    states = await given.fetch("SELECT state, count(*) AS n FROM welfare_call GROUP BY state")
    assert [tuple(row) for row in states] == [("answered", contacts)], "nobody is orphaned"
    assert await given.deadlines() == {}
