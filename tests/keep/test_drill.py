"""The restore drill: a system that is played on loses its databases, is brought back, and nobody falls through a gap."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import asyncpg
import pytest

from bdcan_local.backup import of_system
from bdcan_local.backup_log import behind
from bdcan_local.backup_manifest import backups
from bdcan_local.cli import main
from bdcan_local.places import of_system as places_of
from bdcan_local.processes import backup_unit
from bdcan_local.reconciling import once
from bdcan_local.rights import erase, post
from bdcan_local.root import Root
from bdcan_local.runner import Running
from bdcan_local.tokens import make_token
from tests import demo

_SECONDS = 300.0
_REFERRALS = 200
_COUNTED = {"intake": "referral", "volunteer-match": "task", "foodhub": "parcel", "escalation": "escalation"}
ERASED = "SELECT erased_at IS NOT NULL FROM chassis.erasure WHERE subject_id = $1"


@pytest.mark.timeout(1200)
async def test_system_that_lost_its_databases_is_brought_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, kept = Root(tmp_path / "root"), tmp_path / "backups"
    took: dict[str, float] = {}
    async with _started(root, fresh=True) as running:
        async with demo.people(root, _REFERRALS, spread_seconds=20) as play:
            await _until(running, "intake", "SELECT count(*) > 50 FROM referral")
            await running.supervisor.start(backup_unit(running.system, root.directory, kept))
            backup = await _first_backup(kept)
            said = backup.manifest
            took["backup"] = (said.ended_at - said.started_at).total_seconds()
            size = sum(size for _, size in backup.manifest.files.values())
            await play.wait()
        erased = await _hand_in(running, "erased")
        await _until(running, "intake", "SELECT state = 'assigned' FROM referral WHERE id = $1", erased)
        person = {"referral_ids": [str(erased)]}
        await asyncio.to_thread(erase, *_intake(running, "officer"), person, "resident-asked")
        for service in ("intake", "routing"):
            await _until(running, service, ERASED, erased)
        await _settled(running)
        page = await asyncio.to_thread(_page, running.system.url("backup"))
        [at] = [
            line.split()[1]
            for line in page.splitlines()
            if line.startswith("bdcan_backup_timestamp_seconds ")
        ]
        assert float(at) == pytest.approx(said.ended_at.timestamp())
        words = ["upgrade", "--check", "--root", str(root.directory), "--backups", str(kept)]
        assert await asyncio.to_thread(main, words) == 0
        before = await _counts(running)
        [postgres] = [s for s in running.supervisor.statuses.values() if s.unit.name == "postgres"]
        while await behind(of_system(running.system)):  # noqa: ASYNC110 # the server has no event for it
            await asyncio.sleep(0.05)
        began = time.monotonic()
        # moved away first: the supervisor must find nothing to start again
        lost_data = running.system.postgres.data.rename(tmp_path / "lost")
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
    shutil.rmtree(lost_data)

    assert await asyncio.to_thread(main, ["restore", str(kept), "--root", str(root.directory)]) == 0
    took["restore"] = time.monotonic() - began
    async with _started(root) as running:
        took["until all is ready"] = time.monotonic() - began
        await _settled(running)
        took["until all has been read"] = time.monotonic() - began
        after = await _counts(running)
        assert after["intake"] == before["intake"]
        assert all(after[service] >= before[service] for service in before)
        verdict = await once(places_of(running.system), 20.0)
        assert not verdict.culprits, (
            "nobody is lost, and nothing is in two hands, served twice or with the council twice"
        )
        took["until reconciled"] = time.monotonic() - began

    # once more, to the moment of the backup: what came later is lost, and each whom that concerns is named
    words = ["restore", str(backup.path), "--root", str(root.directory), "--without-log"]
    assert await asyncio.to_thread(main, words) == 0
    async with _started(root) as running:
        for service in ("intake", "routing"):
            await _until(running, service, ERASED, erased)
        await _read(running)
        verdict = await once(places_of(running.system), 20.0)
        lost = before["intake"] - (await _counts(running))["intake"]
        named = {culprit.referral_id for culprit in verdict.culprits}
        assert lost > 0
        assert len(named) >= 1
        assert all(culprit.repair for culprit in verdict.culprits)
    with capsys.disabled():
        figures = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        sys.stdout.write(
            f"\nrestore drill: {before['intake']} referrals, backup {size / 2**20:.0f} MB; {figures}\n"
            f"without the log {lost} referrals are lost, and reconcile names {len(named)}: {dict(verdict.by_kind)}\n"
        )


@asynccontextmanager
async def _started(root: Root, *, fresh: bool = False) -> AsyncIterator[Running]:
    async with demo.system(root, _clock(root, fresh=fresh), fresh=fresh) as running:
        yield running


def _clock(root: Root, *, fresh: bool) -> str:
    """The clock that began with the system, also after a restore."""
    file = root.directory.parent / "clock"
    if fresh:
        file.write_text(demo.clock(60))
    return file.read_text()


async def _first_backup(kept: Path) -> Any:
    end = time.monotonic() + _SECONDS
    while not (found := backups(kept)):
        assert time.monotonic() < end, "no backup was made"
        await asyncio.sleep(0.1)
    return found[0]


def _intake(running: Running, role: str) -> tuple[str, dict[str, str]]:
    token = make_token(running.system.secrets, role).text
    return running.system.url("intake-api"), {"Authorization": f"Bearer {token}"}


def _page(url: str) -> str:
    with urlopen(f"{url}/metrics", timeout=10) as answer:  # our own process
        return answer.read().decode()


async def _hand_in(running: Running, reference: str) -> UUID:
    asked = {
        "channel": "phone",
        "reference": reference,
        "person": {"name": "Amina Example", "phone": "07700 900123", "postcode": "RM10 8XX"},
        "needs": ["prescription"],
    }
    url, headers = _intake(running, "desk")
    return UUID((await asyncio.to_thread(post, f"{url}/v1/referrals", headers, asked))["referral_id"])


async def _until(running: Running, service: str, sql: str, *values: object) -> None:
    connection = await asyncpg.connect(places_of(running.system).databases[service])
    try:
        end = time.monotonic() + _SECONDS
        while not await connection.fetchval(sql, *values):
            assert time.monotonic() < end, (service, sql)
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def _read(running: Running) -> None:
    """Wait until each service has read all that was written."""
    from bdcan_reconcile.positions import Positions

    end = time.monotonic() + _SECONDS
    async with Positions(places_of(running.system).kafka) as positions:
        while left := await positions.behind(await positions.ends()):
            assert time.monotonic() < end, left
            await asyncio.sleep(0.2)


async def _settled(running: Running) -> None:
    """Wait until all has been read, and reconcile has nothing to say."""
    end = time.monotonic() + _SECONDS
    await _read(running)
    while (verdict := await once(places_of(running.system), 20.0)).culprits or verdict.open_doubts:
        assert time.monotonic() < end, verdict.culprits


async def _counts(running: Running) -> dict[str, int]:
    found: dict[str, int] = {}
    for service, table in _COUNTED.items():
        connection = await asyncpg.connect(places_of(running.system).databases[service])
        found[service] = await connection.fetchval(f"SELECT count(*) FROM {table}")  # our own names
        await connection.close()
    return found
