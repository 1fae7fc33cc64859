"""Whoever has accepted a task may read what it is about while they have it, and nobody else."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_disclosures import PERSON
from test_following import handed_in

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts.vocabulary import TaskKind
from bdcan_intake.domain.referral import Referral

BAGS = "Ten bags at the counter of Heath Pharmacy, under Example. Paid for: no charge."
DOER = uuid4()


async def prescription(given: Harness, *more: str) -> Referral:
    r = await handed_in(given, "prescription", *more, person=PERSON, notes=BAGS)
    await given.deliver(s.assigned(r), s.confirmed(r))
    return r


def task(model: Any, r: Referral, volunteer_id: UUID = DOER) -> Any:
    return s.task(model, r, r.needs[0].need_id, TaskKind.PRESCRIPTION, volunteer_id=volunteer_id)


def asked(
    given: Harness, r: Referral, volunteer_id: UUID = DOER, holder: str | None = None
) -> dict[str, Any]:
    """A question by the newest client, who has a grant for the task."""
    task_id = task(m.TaskAccepted, r).task_id
    return {
        "grant": s.task_grant(given, task_id, holder or f"key:test-{len(given.clients)}"),
        "purpose": "task",
        "task_id": str(task_id),
        "volunteer_id": str(volunteer_id),
        "reason": "to fetch",
    }


async def read(given: Harness, r: Referral, volunteer_id: UUID = DOER, hub: str = s.HUB) -> Any:
    client = given.client(["disclosures:task"], hubs=[hub])
    return await client.post("/v1/disclosures", json=asked(given, r, volunteer_id))


async def test_doer_reads_what_and_where(given: Harness):
    r = await prescription(given)
    await given.deliver(task(m.TaskOpened, r), task(m.TaskAccepted, r))
    answer = await read(given, r)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["notes"], told["address"], told["kind"]) == (
        BAGS,
        PERSON["address"],
        TaskKind.PRESCRIPTION,
    )
    assert "birth_date" not in told
    assert "nhs_number" not in told
    [audit] = (await given.http.get(f"/v1/referrals/{r.referral_id}/disclosures")).json()["items"]
    assert (audit["purpose"], audit["reason"]) == ("task", "to fetch")


async def test_nobody_reads_before_somebody_has_accepted(given: Harness):
    r = await prescription(given)
    await given.deliver(task(m.TaskOpened, r))
    assert (await read(given, r)).status_code == 404
    assert not await given.fetch("SELECT 1 FROM chassis.audit")


@pytest.mark.parametrize("ends", [m.TaskFailed, m.TaskCompleted, m.TaskCancelled])
async def test_nobody_reads_after_the_task_left_their_hands(given: Harness, ends: Any):
    r = await prescription(given, "shopping")
    await given.deliver(task(m.TaskAccepted, r), task(ends, r))
    answer = await read(given, r)
    assert answer.status_code == 403
    assert "Heath" not in answer.text


async def test_next_doer_reads_and_the_last_one_does_not(given: Harness):
    r, other = await prescription(given), uuid4()
    await given.deliver(task(m.TaskAccepted, r), task(m.TaskFailed, r), task(m.TaskAccepted, r, other))
    assert (await read(given, r)).status_code == 403
    assert (await read(given, r, other)).status_code == 200


async def test_another_volunteer_or_hub_reads_nothing(given: Harness):
    r = await prescription(given)
    await given.deliver(task(m.TaskAccepted, r))
    assert (await read(given, r, uuid4())).status_code == 403
    assert (await read(given, r, hub="heath")).status_code == 404
    other = given.client(["disclosures:delivery"])
    assert (await other.post("/v1/disclosures", json=asked(given, r))).status_code == 403


async def test_a_volunteer_asks_by_their_own_account_and_for_nobody_else(given: Harness):
    r = await prescription(given)
    await given.deliver(task(m.TaskAccepted, r))
    scopes = ["disclosures:task"]
    own = given.person(scopes, volunteer_id=DOER)
    assert (await own.post("/v1/disclosures", json=asked(given, r, holder="person:ada"))).status_code == 200
    others = (
        given.person(scopes, volunteer_id=uuid4()),
        given.person([*scopes, "hubs:all"], [s.HUB], volunteer_id=uuid4()),
        given.person(scopes, name=str(DOER)),
    )
    for other in others:
        assert (
            await other.post("/v1/disclosures", json=asked(given, r, holder="person:ada"))
        ).status_code == 404


async def test_withdrawn_referral_is_read_by_nobody(given: Harness):
    r = await prescription(given, "shopping")
    await given.deliver(task(m.TaskAccepted, r))
    await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"})
    assert (await read(given, r)).status_code == 409


async def test_notes_beside_a_sensitive_need_are_withheld_from_the_doer(given: Harness):
    r = await handed_in(given, "prescription", "domestic-abuse", person=PERSON, notes="He must not know.")
    await given.deliver(s.assigned(r), s.confirmed(r), task(m.TaskAccepted, r))
    path = f"/v1/referrals/{r.referral_id}/notes"
    await given.http.post(path, json={"text": "She said more."})
    await given.http.post(path, json={"text": BAGS, "for_doer": True})
    told = (await read(given, r)).json()
    assert told["notes_withheld"] is True
    assert BAGS in told["notes"]
    assert "must not know" not in told["notes"]
    assert "She said more" not in told["notes"]


@pytest.mark.parametrize("left_out", ["task_id", "volunteer_id"])
async def test_question_about_a_task_names_the_task_and_the_doer(given: Harness, left_out: str):
    body = {"purpose": "task", "task_id": str(uuid4()), "volunteer_id": str(uuid4()), "reason": "to fetch"}
    del body[left_out]
    answer = await given.client(["disclosures:task"]).post("/v1/disclosures", json=body)
    assert answer.status_code == 422


async def test_address_opens_by_a_grant_for_this_task_alone(given: Harness):
    r, other = await prescription(given), await prescription(given)
    await given.deliver(task(m.TaskAccepted, r), task(m.TaskAccepted, other))
    client = given.client(["disclosures:task"], hubs=[s.HUB])
    right = asked(given, r)
    wrong = (
        right | {"grant": asked(given, other)["grant"]},
        right | {"grant": asked(given, r, holder="key:somebody-else")["grant"]},
        right | {"grant": "not signed"},
        right | {"grant": None},
    )
    for body in wrong:
        answer = await client.post("/v1/disclosures", json=body)
        assert answer.status_code == 403
        assert "Open the task again" in answer.json()["detail"]
    assert not await given.fetch("SELECT 1 FROM chassis.audit")
    assert (await client.post("/v1/disclosures", json=right)).status_code == 200
    given.clock.advance(timedelta(minutes=15))
    assert (await client.post("/v1/disclosures", json=right)).status_code == 403
    assert (await read(given, r)).status_code == 200


async def test_doer_reads_the_list_the_door_and_what_to_say(given: Harness):
    r = await handed_in(given, "shopping", "errand", person=PERSON)
    await given.deliver(s.assigned(r), s.confirmed(r), task(m.TaskAccepted, r))
    path, need_id = f"/v1/referrals/{r.referral_id}/instructions", str(r.needs[0].need_id)
    written = (
        {"access": "Code 1234, second floor", "say": "From the council"},
        {"need_id": need_id, "what": "Two pints of milk"},
        {"need_id": need_id, "what": "Milk, bread", "say": "Marigold"},
    )
    for body in written:
        assert (await given.http.post(path, json=body)).status_code == 204
    told = (await read(given, r)).json()
    assert (told["what"], told["access"], told["say"]) == (
        "Milk, bread",
        "Code 1234, second floor",
        "Marigold",
    )


async def test_whoever_only_rings_learns_no_address(given: Harness):
    r = await handed_in(given, "befriending-call", person=PERSON)
    await given.deliver(s.assigned(r), s.confirmed(r))
    accepted = s.task(m.TaskAccepted, r, r.needs[0].need_id, TaskKind.BEFRIENDING_CALL, volunteer_id=DOER)
    await given.deliver(accepted)
    told = (await read(given, r)).json()
    assert told["phone"] == PERSON["phone"]
    assert {"address", "postcode"}.isdisjoint(told)
    [audit] = (await given.http.get(f"/v1/referrals/{r.referral_id}/disclosures")).json()["items"]
    assert "address" not in audit["fields"]


async def test_instructions_for_nobody_are_refused_with_what_to_do(given: Harness):
    r = await prescription(given)
    path = f"/v1/referrals/{r.referral_id}/instructions"
    assert (await given.http.post(path, json={})).status_code == 422
    assert (await given.http.post(path, json={"say": "x" * 501})).status_code == 422
    unknown = await given.http.post(path, json={"need_id": str(uuid4()), "what": "milk"})
    assert (unknown.status_code, "no open need" in unknown.json()["detail"]) == (409, True)
    stranger = given.client(["referrals:amend"], hubs=["heath"])
    assert (await stranger.post(path, json={"what": "milk"})).status_code == 404
    await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"})
    late = await given.http.post(path, json={"what": "milk"})
    assert (late.status_code, "new request" in late.json()["detail"]) == (409, True)
    assert not await given.fetch("SELECT 1 FROM instruction")
