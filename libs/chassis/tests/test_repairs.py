"""What an operator repairs: a deadline that is missing. The service then decides by the row as it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from ledger import Faults

from bdcan_chassis.cli import main
from bdcan_chassis.testing.harness import START, Harness


def set_deadline(ledger: Harness, *arguments: str) -> int:
    verb = ["deadline", "set", *arguments, "--reason", "reconcile named it", "--actor", "kim"]
    return main(lambda: ledger.service, verb)


async def test_deadline_that_is_missing_is_set_and_fires(
    ledger: Harness, shared_faults: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    subject, due_at = uuid4(), START + timedelta(hours=1)
    code = await asyncio.to_thread(set_deadline, ledger, "ring", str(subject), due_at.isoformat())
    assert (code, capsys.readouterr().out) == (0, "deadline: set\n")
    ledger.clock.advance(timedelta(hours=1))
    assert await ledger.fire() == 1
    [row] = await ledger.fetch("SELECT subject, due_at FROM rung")
    assert (row["subject"], row["due_at"]) == (subject, due_at)
    [audited] = await ledger.fetch("SELECT act, actor, subject_id, reason FROM chassis.audit")
    assert tuple(audited) == ("deadline-set", "kim", subject, "reconcile named it")


async def test_deadline_that_is_there_stays_as_it_is(
    ledger: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    subject, due_at = uuid4(), START + timedelta(hours=1)
    async with ledger.transactions.begin() as tx:
        tx.set_deadline("ring", subject, due_at)
    later = (due_at + timedelta(days=1)).isoformat()
    code = await asyncio.to_thread(set_deadline, ledger, "ring", str(subject), later)
    assert (code, capsys.readouterr().out) == (1, "deadline: there is one\n")
    [row] = await ledger.fetch("SELECT due_at FROM chassis.deadline")
    assert row["due_at"] == due_at
    assert await ledger.fetch("SELECT FROM chassis.audit") == []


async def test_deadline_of_no_handler_is_refused(ledger: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    code = await asyncio.to_thread(set_deadline, ledger, "sing", str(uuid4()), START.isoformat())
    assert code == 2
    assert "no deadline 'sing'; it has other, review, ring" in capsys.readouterr().err
