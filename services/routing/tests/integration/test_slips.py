"""Whatever a person decided by a slip can be undone for half an hour, and decided anew afterwards, for a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bdcan_contracts.models import (
    ReferralAssigned,
    ReferralClosed,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
)
from bdcan_contracts.vocabulary import ReferralOutcome

OUT = {"out_of_area": True, "reason": "lives-in-havering"}


async def held(routing, referral):
    given = referral(None)
    await routing.deliver(given)
    await routing.emitted()
    return given.referral_id


def ended(routing, referral_id):
    return ReferralClosed(
        referral_id=referral_id, outcome=ReferralOutcome.OUT_OF_AREA, needs=(), closed_at=routing.clock.now()
    )


async def post(routing, path, body=None, status=200):
    answer = await routing.http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("closes", [False, True])
async def test_out_of_area_by_a_slip_returns_to_triage(routing, referral, closes):
    referral_id = await held(routing, referral)
    said = await post(routing, f"/v1/triage/{referral_id}/decision", OUT)
    assert said["undo_until"]
    if closes:
        await routing.deliver(ended(routing, referral_id))
    await routing.emitted()
    back = await post(routing, f"/v1/referrals/{referral_id}/undo")
    assert (back["state"], back["triage_reason"]) == ("held", "no-postcode")
    assert [type(e.data) for e in await routing.emitted()] == [ReferralHeldForTriage]
    assert len(await routing.deadlines()) == 1
    assert [d["decision"] for d in back["decisions"]] == ["triage: out-of-area", "undo: held"]
    await post(routing, f"/v1/triage/{referral_id}/decision", {"hub_id": "hub-4", "reason": "told-us"})
    assert [type(e.data) for e in await routing.emitted()] == [ReferralAssigned]


async def test_wrong_hub_by_a_slip_returns_to_triage(routing, referral):
    referral_id = await held(routing, referral)
    await post(routing, f"/v1/triage/{referral_id}/decision", {"hub_id": "hub-4", "reason": "told-us"})
    assert (await post(routing, f"/v1/referrals/{referral_id}/undo"))["state"] == "held"
    twice = await post(routing, f"/v1/referrals/{referral_id}/undo", status=409)
    assert "Decide about it in triage" in twice["detail"]


async def test_decisions_about_a_referral_come_in_pages(routing, referral):
    referral_id = await held(routing, referral)
    where = [f"hub-{number % 9 + 1}" for number in range(103)]
    for number, hub in enumerate(where):
        path = (
            f"/v1/triage/{referral_id}/decision"
            if not number
            else f"/v1/referrals/{referral_id}/reassignment"
        )
        await post(routing, path, {"hub_id": hub, "reason": "told-us"})
    shown = (await routing.http.get(f"/v1/referrals/{referral_id}/assignment")).json()
    assert shown["earlier_decisions"]
    assert [d["decision"].split()[-1] for d in shown["decisions"]] == where[3:]
    path, found, after = f"/v1/referrals/{referral_id}/decisions?limit=40", [], ""
    while after is not None:
        page = (await routing.http.get(f"{path}{after}")).json()
        assert len(page["items"]) <= 40
        found += [d["decision"].split()[-1] for d in page["items"]]
        after = f"&after={page['next']}" if "next" in page else None
    assert found == where
    stranger = routing.client(["routing:read"], hubs=["no-such-hub"])
    assert (await stranger.get(path)).status_code == 404


@pytest.mark.parametrize("body", [{"hub_id": "hub-9", "reason": "family-nearby"}, OUT])
async def test_move_by_a_slip_returns_to_the_hub(routing, referral, body):
    given = referral()
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)
    path = f"/v1/referrals/{given.referral_id}"
    moved = await post(routing, f"{path}/reassignment", body)
    assert moved["state"] == ("out-of-area" if "out_of_area" in body else "assigned")
    assert {type(e.data) for e in await routing.emitted()} <= {ReferralReassigned, ReferralOutOfArea}
    back = await post(routing, f"{path}/undo")
    assert (back["state"], back["hub_id"]) == ("assigned", event.data.hub_id)
    [told] = await routing.emitted()
    assert (told.data.hub_id, told.data.version) == (event.data.hub_id, 3)


@pytest.mark.parametrize("closes", [False, True])
async def test_after_half_an_hour_it_is_decided_anew_with_a_reason(routing, referral, closes):
    referral_id = await held(routing, referral)
    await post(routing, f"/v1/triage/{referral_id}/decision", OUT)
    if closes:
        await routing.deliver(ended(routing, referral_id))
    routing.clock.advance(timedelta(minutes=31))
    late = await post(routing, f"/v1/referrals/{referral_id}/undo", status=409)
    assert "Reopen it with a reason" in late["detail"]
    path = f"/v1/referrals/{referral_id}/reopening"
    await post(routing, path, {}, status=422)
    back = await post(routing, path, {"reason": "wrong-resident"})
    assert (back["state"], back["triage_reason"]) == ("held", "decided-anew")
    assert (back["decisions"][-1]["reason"], len(back["candidate_hubs"])) == ("wrong-resident", 9)


async def test_what_was_withdrawn_is_not_reopened(routing, referral):
    referral_id = await held(routing, referral)
    await post(routing, f"/v1/triage/{referral_id}/decision", OUT)
    now = routing.clock.now()
    await routing.deliver(
        ReferralWithdrawn(referral_id=referral_id, reason="no-longer-needed", withdrawn_at=now)
    )
    for path, body in (("undo", None), ("reopening", {"reason": "why"})):
        said = await post(routing, f"/v1/referrals/{referral_id}/{path}", body, status=409)
        assert "new request at intake" in said["detail"]


async def test_what_a_rule_decided_since_is_not_undone(routing, referral, amendment):
    given = referral(None)
    await routing.deliver(given)
    await post(routing, f"/v1/triage/{given.referral_id}/decision", OUT)
    await routing.deliver(amendment(given, postcode="IG11 7NB"))
    said = await post(routing, f"/v1/referrals/{given.referral_id}/undo", status=409)
    assert "by reassignment" in said["detail"]


async def test_people_of_another_hub_undo_nothing(routing, referral):
    given = referral()
    await routing.deliver(given)
    await post(
        routing, f"/v1/referrals/{given.referral_id}/reassignment", {"hub_id": "hub-9", "reason": "why"}
    )
    other = routing.client(["routing:write"], hubs=["hub-1"])
    assert (await other.post(f"/v1/referrals/{given.referral_id}/undo")).status_code == 404


async def test_unknown_hub_is_answered_with_those_that_exist(routing, referral):
    referral_id = await held(routing, referral)
    body = {"hub_id": "hub-99", "reason": "why"}
    said = await post(routing, f"/v1/triage/{referral_id}/decision", body, status=422)
    assert "hub-1, hub-2" in said["errors"][0]["message"]


async def test_office_has_working_time_to_decide_and_the_night_watch_half_an_hour(routing, referral):
    routing.clock.advance(timedelta(days=4, hours=8))  # Friday 17:00
    usual = referral(None)
    await routing.deliver(usual)
    [event] = await routing.emitted()
    assert event.data.triage_due_at.isoformat() == "2020-03-30T10:00:00+00:00"
