"""Who plays sandbox referrals touches no others, and ends each of its own, also one that does not end by a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from aiohttp import web

from bdcan_contracts import upstreams
from bdcan_contracts.upstreams import Upstream
from bdcan_simulator import sandbox
from bdcan_simulator.sandbox import Sandbox, sandbox_sources

CALLED, HELD, SHARED, QUIET, REAL = (
    str(uuid5(UUID(int=0), name)) for name in ("called", "held", "shared", "quiet", "real")
)


class Borough:
    """Five referrals: four of a sandbox system, and a real one that shares a call with one of them."""

    def __init__(self) -> None:
        self.open = {CALLED: "try-out", HELD: "try-out", SHARED: "try-out", QUIET: "try-out", REAL: "surgery"}
        self.held = [HELD, REAL]
        self.due = [CALLED, SHARED, REAL]
        self.did: Counter[tuple[str, str]] = Counter()

    async def handler(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, request.query
        if request.method == "POST":
            [_, _, _, referral_id, verb] = path.split("/")
            self.did[verb, referral_id] += 1
            await self.change(verb, referral_id, await request.json())
            return web.json_response({"needs": [{"need_id": referral_id, "code": "shopping"}]})
        found: list[dict[str, Any]] = []
        if path == "/v1/referrals":
            found = [
                {"referral_id": one}
                for one, source in self.open.items()
                if source == query["source"] and query["state"] == "received"
            ]
        elif path == "/v1/triage":
            found = [{"referral_id": one, "candidate_hubs": ["thames-ward"]} for one in self.held]
        elif path == "/v1/welfare-calls":
            shares = {SHARED: REAL, REAL: SHARED}
            found = [
                {
                    "call_id": one,
                    "referral_id": one,
                    "attempts": 0,
                    "linked": [{"referral_id": shares[one], "shares_call": True}] if one in shares else [],
                }
                for one in self.due
            ]
        return web.json_response({"items": found, "next": None})

    async def change(self, verb: str, referral_id: str, body: dict[str, Any]) -> None:
        match verb:
            case "decision":
                self.held.remove(referral_id)
                self.due.append(referral_id)
            case "outcome":
                assert [need["result"] for need in body["needs"]] == ["declined"]
                self.due.remove(referral_id)
                del self.open[referral_id]
            case "withdrawal":
                del self.open[referral_id]
            case _:
                pass


async def test_sandbox_referrals_end_and_no_other_is_touched(
    serving, client_of, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LONGEST_SECONDS", 0.5)
    borough, over = Borough(), asyncio.Event()
    async with serving(borough.handler) as url, client_of(url) as client:
        playing = asyncio.create_task(Sandbox(client, lambda: ("try-out",)).work(over))
        await eventually(lambda: set(borough.open) == {REAL})
        over.set()
        await playing
    assert borough.did == {
        ("claim", CALLED): 1,
        ("outcome", CALLED): 1,
        ("decision", HELD): 1,
        ("claim", HELD): 1,
        ("outcome", HELD): 1,
        ("withdrawal", SHARED): 1,
        ("withdrawal", QUIET): 1,
    }


def test_only_sandbox_systems_that_may_submit_are_played(tmp_path: Path) -> None:
    file = tmp_path / "upstreams.json"
    assert sandbox_sources(file) == ()
    content = upstreams.dump(
        [Upstream("river-surgery"), Upstream("try-out", ("try-a", "try-b"), sandbox=True)]
    )
    file.write_bytes(content)
    assert sandbox_sources(file) == ("try-a", "try-b")
    at = b'"sandbox": true, "revoked_at": "2026-11-27T10:00:00Z"'
    file.write_bytes(content.replace(b'"sandbox": true', at))
    assert sandbox_sources(file) == ()
    file.write_bytes(b"[{")
    assert sandbox_sources(file) == ()
