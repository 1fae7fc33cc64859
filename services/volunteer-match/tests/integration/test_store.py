"""What the database promises: no lost update, an older release beside this one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from volunteer_match_story import (
    assigned,
    open_task,
    task,
    volunteer,
)

from bdcan_chassis.database import Connection
from bdcan_chassis.table import LostUpdateError
from bdcan_chassis.testing.harness import Harness
from bdcan_volunteer_match.books import Calls
from bdcan_volunteer_match.domain.call import CallState, WelfareCall, assign, withdraw
from bdcan_volunteer_match.domain.eligibility import Candidate
from bdcan_volunteer_match.store import offers


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


async def test_a_volunteer_who_leaves_during_a_pass_is_not_asked(
    given: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = await volunteer(given)
    task_id = await open_task(given)
    read_candidates = offers.CANDIDATES.all

    async def read_candidates_just_before_one_leaves(
        connection: Connection, **arguments: Any
    ) -> list[Candidate]:
        found = await read_candidates(connection, **arguments)
        assert (await given.http.post(f"/v1/volunteers/{helper}/leave")).status_code == 200
        return found

    monkeypatch.setattr(offers.CANDIDATES, "all", read_candidates_just_before_one_leaves)
    assert await given.run("match") == 0
    assert (await task(given, task_id))["state"] == "open"


async def test_a_volunteer_who_is_asked_by_hand_during_a_pass_is_not_asked_twice(
    given: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = await volunteer(given)
    by_hand, left = await open_task(given), await open_task(given)
    read_candidates = offers.CANDIDATES.all
    first = True

    async def read_candidates_just_before_one_is_asked(
        connection: Connection, **arguments: Any
    ) -> list[Candidate]:
        nonlocal first
        found = await read_candidates(connection, **arguments)
        if first:
            first = False
            body = {"volunteer_id": str(helper), "reason": "she offered to"}
            given.clock.advance(timedelta(seconds=1))
            answer = await given.http.post(f"/v1/tasks/{by_hand}/offer", json=body)
            assert answer.status_code == 200, answer.text
        return found

    monkeypatch.setattr(offers.CANDIDATES, "all", read_candidates_just_before_one_is_asked)
    assert await given.run("match") == 0
    assert (await task(given, left))["state"] == "open"
    assert await given.run("match") == 1


async def test_an_open_round_without_hub_or_time_cannot_be_written(given: Harness) -> None:
    await given.deliver(assigned())
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET due_at = NULL")
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET ended = true")
