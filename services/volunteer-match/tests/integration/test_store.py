"""What the database promises: no lost update, an older release beside this one, gauges that can be read."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from volunteer_match_story import (
    amended,
    assigned,
    declined,
    enquiry,
    need,
    only_call,
    open_task,
    report,
    say,
    task,
    volunteer,
)

from bdcan_chassis.database import Connection
from bdcan_chassis.housekeeping import sample
from bdcan_chassis.table import LostUpdateError
from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import Diet, Flag, NeedCode
from bdcan_volunteer_match.books import Calls, Tasks
from bdcan_volunteer_match.domain.call import CallNeed, CallState, WelfareCall, assign, withdraw
from bdcan_volunteer_match.domain.matching import Candidate
from bdcan_volunteer_match.store import volunteers


async def the_call(given: Harness, referral_id: UUID) -> WelfareCall:
    async with given.transactions.begin() as tx:
        [call] = await Calls(tx).lock_keys([referral_id])
        return call


@pytest.mark.parametrize("others", [0, 32])
async def test_two_first_events_of_a_referral_do_not_overwrite_each_other(
    given: Harness, others: int
) -> None:
    event, beside = assigned(), [assigned() for _ in range(others)]
    async with given.transactions.begin() as slow:
        late = Calls(slow)
        assert await late.lock_keys([event.referral_id]) == []
        async with given.transactions.begin() as quick:
            early = Calls(quick)
            early.put(withdraw(None, event.referral_id))
            await early.save()
        for one in (event, *beside):
            late.put(assign(None, one))
        with pytest.raises(LostUpdateError):
            await late.save()
    rows = await given.fetch("SELECT state FROM welfare_call WHERE referral_id = $1", event.referral_id)
    assert [r["state"] for r in rows] == [CallState.CANCELLED]


@pytest.mark.parametrize("known", [False, True])
async def test_the_first_call_is_later_than_a_refusal_before_it(given: Harness, known: bool) -> None:
    right, event = given.clock.instant, assigned()
    if known:  # but no hub yet
        await given.deliver(amended(event.referral_id, event.needs, 1))
    given.clock.instant = refused_at = right + timedelta(minutes=10)
    await given.deliver(declined(event.referral_id, event.needs[0].need_id))
    given.clock.instant = right  # the next process's clock is behind
    await given.deliver(event)
    async with given.transactions.begin() as tx:
        [call] = await Calls(tx).lock_keys([event.referral_id])
        assert call.state is CallState.DUE
        assert tx.now >= refused_at


async def test_previous_release_reads_what_this_one_knows_of_a_referral(given: Harness) -> None:
    errand, debt = need(), need(NeedCode.DEBT)
    event = assigned(needs=(errand,), flags=(Flag.SHIELDING,))
    await given.deliver(event)
    assert await as_the_previous_release_reads(given) == {
        "needs": [[str(errand.need_id), "errand", True]],
        "said": {},
        "household": [2, 0, 0],
        "diets": [],
        "flags": ["shielding"],
    }
    await report(given, (await only_call(given))["call_id"], outcome="answered", diets=["halal"])
    await given.deliver(amended(event.referral_id, (errand, debt)))
    assert await as_the_previous_release_reads(given) == {
        "needs": [[str(errand.need_id), "errand", False], [str(debt.need_id), "debt", True]],
        "said": {str(errand.need_id): "2020-03-23T09:00:00Z"},
        "household": [2, 0, 0],
        "diets": [],
        "flags": [],
    }


async def as_the_previous_release_reads(given: Harness) -> Any:
    [row] = await given.fetch("SELECT circumstances FROM welfare_call")
    return json.loads(row["circumstances"])


async def test_this_release_reads_what_the_previous_one_knows_of_a_referral(given: Harness) -> None:
    referral_id, first, second = uuid4(), uuid4(), uuid4()
    circumstances = {
        "needs": [[str(first), "errand", True]],
        "said": {},
        "household": None,
        "diets": [],
        "flags": ["shielding"],
    }
    await given.fetch(_PREVIOUS_RELEASE, referral_id, 1, json.dumps(circumstances))
    call = await the_call(given, referral_id)
    assert (call.needs, call.household) == ((CallNeed(first, NeedCode.ERRAND),), None)
    assert (call.diets, call.flags) == ((), (Flag.SHIELDING,))
    circumstances["needs"] += [[str(second), "debt", False]]
    circumstances["said"] = {str(second): START.isoformat()}
    circumstances |= {"household": [1, 2, 0], "diets": ["halal"], "flags": []}
    await given.fetch(_PREVIOUS_RELEASE, referral_id, 2, json.dumps(circumstances))
    call = await the_call(given, referral_id)
    assert call.needs[1] == CallNeed(second, NeedCode.DEBT, open=False, said_at=START)
    assert call.household is not None
    assert call.household.model_dump() == {"adults": 1, "children": 2, "infants": 0}
    assert (call.diets, call.flags) == ((Diet.HALAL,), ())


async def test_both_releases_know_who_was_asked_for_a_task(given: Harness) -> None:
    helper, other = await volunteer(given), uuid4()
    task_id = await open_task(given)
    await given.run("match")
    await say(given, task_id, "refusal", helper)
    [row] = await given.fetch("SELECT asked, revision FROM task")
    assert tuple(row) == (str(helper), 1)
    await given.fetch("UPDATE task SET asked = $1, revision = revision + 1", f"{helper},{other}")
    async with given.transactions.begin() as tx:
        [known] = await Tasks(tx).lock_keys([UUID(task_id)])
        assert known.asked == (helper, other)


async def test_previous_release_does_not_overwrite_a_row_of_this_one(
    given: Harness,
) -> None:
    event = assigned()
    await given.deliver(event)
    await given.fetch(_PREVIOUS_RELEASE, event.referral_id, 1, "{}")
    assert (await the_call(given, event.referral_id)).assignment_version == 1


_PREVIOUS_RELEASE = """
INSERT INTO welfare_call (referral_id, call_id, state, revision, hub_id, assignment_version, amendment_version, priority,
    outreach, confirm_at_call, circumstances, attempts, misses, closed_needs, withdrawn, ended)
VALUES ($1, gen_random_uuid(), 'awaiting', $2, NULL, 0, 0, 'standard', false, false, $3::text::jsonb, 0, 0, '{}', false, false)
ON CONFLICT (referral_id) DO UPDATE SET revision = excluded.revision, circumstances = excluded.circumstances,
    assignment_version = excluded.assignment_version
WHERE welfare_call.revision = excluded.revision - 1
"""


async def test_a_volunteer_who_leaves_during_a_pass_is_not_asked(
    given: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = await volunteer(given)
    task_id = await open_task(given)
    read_candidates = volunteers.CANDIDATES.all

    async def read_candidates_just_before_one_leaves(
        connection: Connection, **arguments: Any
    ) -> list[Candidate]:
        found = await read_candidates(connection, **arguments)
        assert (await given.http.post(f"/v1/volunteers/{helper}/leave")).status_code == 200
        return found

    monkeypatch.setattr(volunteers.CANDIDATES, "all", read_candidates_just_before_one_leaves)
    assert await given.run("match") == 0
    assert (await task(given, task_id))["state"] == "open"


async def test_every_gauge_can_be_read(given: Harness) -> None:
    await given.deliver(assigned(), enquiry())
    await open_task(given)
    await sample(given.transactions, given.service.samples)
    read = REGISTRY.get_sample_value
    assert read("bdcan_welfare_calls", {"state": "due"}) == 1
    assert (
        read("bdcan_welfare_call_due_timestamp_seconds", {"hub": "thames"}) == START.timestamp() + 48 * 3600
    )
    assert read("bdcan_tasks", {"kind": "errand", "state": "open"}) == 1
    assert read("bdcan_volunteers", {"state": "enquired"}) == 1
    assert read("bdcan_volunteer_welcome_due_timestamp_seconds") == START.timestamp() + 48 * 3600


async def test_an_open_round_without_hub_or_time_cannot_be_written(given: Harness) -> None:
    await given.deliver(assigned())
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET due_at = NULL")
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET ended = true")
