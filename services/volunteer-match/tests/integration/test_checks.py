"""Who may do what: the check that the law requires, when it is offered, accepted, and afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from volunteer_match_story import (
    amended,
    assigned,
    check,
    claim_call,
    need,
    only_call,
    packed,
    report,
    say,
    task,
    volunteer,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    ReferralAssigned,
    TaskChanged,
    TaskFailed,
    TaskOfferWithdrawn,
    VolunteerActivated,
)
from bdcan_contracts.vocabulary import Flag, NeedCode

KINDS = ("shopping", "prescription", "errand")


async def opened(
    given: Harness, code: NeedCode = NeedCode.SHOPPING, flags: tuple[str, ...] = ()
) -> tuple[ReferralAssigned, str]:
    """The referral of an answered call, and its task."""
    event = assigned(needs=(need(code),), flags=flags)
    await given.deliver(event)
    answer = await report(given, (await only_call(given))["call_id"], outcome="answered")
    return event, answer["task_ids"][0]


async def activate(given: Harness, who: UUID, **offering: Any) -> None:
    body = {"hub_ids": ["thames"], "task_kinds": list(KINDS)} | offering
    answer = await given.http.post(f"/v1/volunteers/{who}/activation", json=body)
    assert answer.status_code == 200, answer.text


async def flagged(given: Harness, event: ReferralAssigned, *flags: str, version: int = 2) -> None:
    await given.deliver(amended(event.referral_id, event.needs, version, flags=flags))


async def withdraw_check(given: Harness, who: UUID) -> None:
    path = f"/v1/volunteers/{who}/checks/withdrawal"
    answer = await given.http.post(path, json={"reason": "check-revoked"})
    assert answer.status_code == 200, answer.text


async def change(given: Harness, who: UUID, less: dict[str, Any]) -> None:
    await (activate(given, who, **less) if less else withdraw_check(given, who))


LESS: list[tuple[dict[str, Any], str]] = [
    ({}, "check-missing"),
    ({"task_kinds": ["errand"]}, "kind-not-offered"),
    ({"hub_ids": ["heath"]}, "hub-not-helped"),
]


@pytest.mark.parametrize(("less", "reason"), LESS)
async def test_what_a_volunteer_may_no_longer_do_is_no_longer_offered(
    given: Harness, less: dict[str, Any], reason: str
) -> None:
    who = await volunteer(given, "thames", "heath", kinds=KINDS, checked=True)
    await activate(given, who)
    _, task_id = await opened(given, NeedCode.PRESCRIPTION)
    await given.run("match")
    await given.emitted()
    await change(given, who, less)
    [told] = await given.emitted(TaskOfferWithdrawn)
    assert (told.data.volunteer_id, told.data.reason) == (who, reason)
    assert await say(given, task_id, "acceptance", who) == 409
    assert await given.run("match") == 0
    [listed] = (await given.http.get("/v1/tasks?attention=true")).json()["items"]
    assert (listed["state"], listed["returned_because"]) == ("open", reason)


@pytest.mark.parametrize(("less", "reason"), LESS)
async def test_what_a_volunteer_may_no_longer_do_is_handed_back(
    given: Harness, less: dict[str, Any], reason: str
) -> None:
    who = await volunteer(given, "thames", "heath", kinds=KINDS, checked=True)
    await activate(given, who)
    _, task_id = await opened(given, NeedCode.PRESCRIPTION)
    await given.run("match")
    assert await say(given, task_id, "acceptance", who) == 200
    await given.emitted()
    await change(given, who, less)
    [told] = await given.emitted(TaskFailed)
    assert (told.data.volunteer_id, told.data.reason) == (who, reason)
    assert await say(given, task_id, "completion", who) == 409
    assert (await task(given, task_id))["returned_because"] == reason
    await activate(given, who)
    await check(given, who)
    assert await given.run("match") == 1, "whoever may do it again is asked again"


async def test_a_check_runs_out_at_its_time(given: Harness) -> None:
    ends = given.clock.now() + timedelta(hours=1)
    who = await volunteer(given, kinds=KINDS, checked=True, check_ends_at=ends)
    _, offered = await opened(given, NeedCode.PRESCRIPTION)
    await given.run("match")
    given.clock.advance(timedelta(hours=1))
    assert await say(given, offered, "acceptance", who) == 409, "before the deadline has fired, too"
    await given.emitted()
    assert await given.fire() == 1
    assert [type(e.data) for e in await given.emitted()] == [VolunteerActivated, TaskOfferWithdrawn]
    [listed] = (await given.http.get("/v1/volunteers")).json()["items"]
    assert (listed["dbs_cleared"], listed["dbs_expires_at"]) == (False, ends.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert await given.run("match") == 0


@pytest.mark.parametrize("state", ["paused", "active"])
async def test_a_check_that_runs_out_takes_accepted_tasks_back(given: Harness, state: str) -> None:
    ends = given.clock.now() + timedelta(hours=1)
    who = await volunteer(given, kinds=KINDS, checked=True, check_ends_at=ends)
    _, task_id = await opened(given, NeedCode.PRESCRIPTION)
    await given.run("match")
    assert await say(given, task_id, "acceptance", who) == 200
    if state == "paused":
        await given.http.post(f"/v1/volunteers/{who}/pause")
    given.clock.advance(timedelta(hours=1))
    assert await given.fire() == 1
    found = await task(given, task_id)
    assert (found["state"], found["returned_because"]) == ("open", "check-missing")
    [listed] = (await given.http.get("/v1/volunteers")).json()["items"]
    assert listed["state"] == state


async def test_a_renewed_check_does_not_run_out_at_the_old_time(given: Harness) -> None:
    ends = given.clock.now() + timedelta(hours=1)
    who = await volunteer(given, kinds=KINDS, checked=True, check_ends_at=ends)
    await check(given, who, valid_until=(ends + timedelta(days=1000)).isoformat())
    given.clock.advance(timedelta(hours=2))
    assert await given.fire() == 0


async def test_a_check_that_is_over_already_cannot_be_recorded(given: Harness) -> None:
    who = await volunteer(given)
    body = {
        "kind": "enhanced-dbs",
        "reference": "Ada Example",
        "issued_on": "2020-03-24",
        "seen_on": "2020-03-23",
    }
    path = f"/v1/volunteers/{who}/checks"
    answer = await given.http.post(path, json=body)
    assert [e["field"] for e in answer.json()["errors"]] == ["reference"], "a name is no reference"
    body |= {"reference": "DBS-1", "valid_until": given.clock.now().isoformat()}
    answer = await given.http.post(path, json=body)
    assert {e["field"] for e in answer.json()["errors"]} == {"valid_until", "issued_on"}
    answer = await given.http.post(path, json=body | {"seen_on": "2020-03-25", "valid_until": None})
    assert {e["field"] for e in answer.json()["errors"]} == {"seen_on"}


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_resident_who_shields_from_now_on_gets_a_checked_volunteer(
    given: Harness, accepted: bool
) -> None:
    unchecked = await volunteer(given, kinds=KINDS)
    event, task_id = await opened(given)
    await given.run("match")
    if accepted:
        assert await say(given, task_id, "acceptance", unchecked) == 200
    await given.emitted()
    await flagged(given, event, Flag.SHIELDING)
    told = await given.emitted()
    lost = TaskFailed if accepted else TaskOfferWithdrawn
    assert [type(e.data) for e in told] == [lost, TaskChanged]
    assert told[0].data.reason == "check-missing"
    assert (told[1].data.requires_dbs, told[1].data.facts) == (True, ("flags",))
    assert await say(given, task_id, "acceptance", unchecked) == 409
    assert await given.run("match") == 0
    checked = await volunteer(given, kinds=KINDS, checked=True)
    assert await given.run("match") == 1
    assert (await task(given, task_id))["volunteer_id"] == str(checked)


async def test_a_checked_volunteer_keeps_the_task_and_is_told(given: Harness) -> None:
    checked = await volunteer(given, kinds=KINDS, checked=True)
    event, task_id = await opened(given)
    await given.run("match")
    await say(given, task_id, "acceptance", checked)
    await flagged(given, event, Flag.SHIELDING)
    found = await task(given, task_id)
    assert (found["state"], found["requires_dbs"], found["warnings"]) == ("accepted", True, ["flags"])


async def test_a_resident_who_shields_no_longer_may_have_any_volunteer(given: Harness) -> None:
    await volunteer(given, kinds=KINDS)
    event, task_id = await opened(given, flags=(Flag.SHIELDING,))
    assert await given.run("match") == 0
    await flagged(given, event)
    assert (await task(given, task_id))["requires_dbs"] is False
    assert await given.run("match") == 1


async def test_a_flag_that_nobody_knows_waits_for_a_person(given: Harness) -> None:
    unchecked = await volunteer(given, kinds=KINDS)
    event, task_id = await opened(given)
    await given.run("match")
    await flagged(given, event, "dialysis")
    [listed] = (await given.http.get("/v1/tasks?attention=true")).json()["items"]
    assert (listed["undecided"], listed["requires_dbs"]) == (["dialysis"], True)
    path, body = f"/v1/tasks/{task_id}/flag-decision", {"flags": [], "reason": "The daughter says no risk."}
    await given.emitted()
    answer = await given.http.post(path, json=body)
    assert (answer.json()["undecided"], answer.json()["requires_dbs"]) == ([], False)
    assert [type(e.data) for e in await given.emitted()] == [TaskChanged]
    [kept] = await given.fetch("SELECT caller, reason, decision FROM decision")
    assert tuple(kept) == ("key:test", body["reason"], "flags dialysis mean nothing")
    assert await given.run("match") == 1
    assert (await task(given, task_id))["volunteer_id"] == str(unchecked)
    again = await given.http.post(path, json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:bdcan:problem:nothing-to-decide")
    await flagged(given, event, "dialysis", "oxygen", version=3)
    assert (await task(given, task_id))["undecided"] == ["oxygen"], "the next unknown flag waits again"


async def test_a_person_may_say_which_known_flag_it_means(given: Harness) -> None:
    await volunteer(given, kinds=KINDS)
    _, task_id = await opened(given, flags=("immunosuppressed",))
    body = {"flags": ["shielding"], "reason": "It means shielding."}
    answer = await given.http.post(f"/v1/tasks/{task_id}/flag-decision", json=body)
    assert (answer.json()["undecided"], answer.json()["requires_dbs"]) == ([], True)


async def test_a_delivery_to_a_resident_with_an_unknown_flag_waits_too(given: Harness) -> None:
    await volunteer(given, kinds=("parcel-delivery",))
    event = assigned(flags=("dialysis",))
    await given.deliver(event)
    await given.deliver(packed(event.referral_id))
    assert await given.run("match") == 0
    [listed] = (await given.http.get("/v1/tasks?attention=true")).json()["items"]
    assert listed["undecided"] == ["dialysis"]


async def test_a_hub_does_not_decide_about_another_hubs_flags(given: Harness) -> None:
    _, task_id = await opened(given, flags=("dialysis",))
    heath = given.client(["tasks:write"], ["heath"])
    body = {"flags": [], "reason": "We know them."}
    assert (await heath.post(f"/v1/tasks/{task_id}/flag-decision", json=body)).status_code == 404


async def test_a_volunteer_of_a_hub_that_does_not_exist_is_refused(given: Harness) -> None:
    await volunteer(given)
    body = {"hub_ids": ["thames", "hub-99"], "task_kinds": ["errand"]}
    answer = await given.http.post("/v1/volunteers", json=body)
    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("hub_ids.1", "unknown")]


async def test_before_routing_has_announced_hubs_a_volunteer_is_asked_to_come_again(given: Harness) -> None:
    body = {"hub_ids": ["thames"], "task_kinds": ["errand"]}
    answer = await given.http.post("/v1/volunteers", json=body)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_the_claim_of_a_call_shows_what_has_changed_since(given: Harness) -> None:
    event = assigned(needs=(need(),))
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    await claim_call(given, call_id)
    await flagged(given, event, Flag.INTERPRETER_NEEDED)
    assert (await only_call(given))["warnings"] == ["language"]
