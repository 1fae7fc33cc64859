"""Who plays sandbox referrals touches no others, and ends each of its own, also one that does not end by a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from aiohttp import web

from bdcan_chassis.clock import SystemClock
from bdcan_contracts import upstreams
from bdcan_contracts.upstreams import Upstream
from bdcan_simulator import sandbox
from bdcan_simulator.practice import Practice
from bdcan_simulator.sandbox import Sandbox, sandbox_sources

CALLED, HELD, SHARED, QUIET, REAL, HELPER = (
    str(uuid5(UUID(int=0), name)) for name in ("called", "held", "shared", "quiet", "real", "helper")
)
LINE = {"item_id": "pasta", "quantity": 500, "unit": "g"}


class Borough:
    """Five referrals: four of a sandbox system, and a real one that shares a call with one of them.

    Whoever volunteers is offered what there is to do, whosever it is. One resident asks for a parcel, too.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {REAL: {"state": "open"}}
        self.parcels: dict[str, str] = {REAL: "reserved"}
        self.stock: Counter[str] = Counter()
        self.open = {CALLED: "try-out", HELD: "try-out", SHARED: "try-out", QUIET: "try-out", REAL: "surgery"}
        self.held = [HELD, REAL]
        self.due = [CALLED, SHARED, REAL]
        self.did: Counter[tuple[str, str]] = Counter()

    async def handler(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, request.query
        if request.method == "POST":
            _, _, thing, *rest = path.split("/")
            body = await request.json()
            if not rest:
                self.made(thing, body)
            else:
                [one, verb] = rest
                self.did[verb, one] += 1
                self.change(verb, one, body)
            need = {"need_id": HELPER, "code": "shopping", "lane": "community"}
            return web.json_response({"needs": [need], "volunteer_id": HELPER})
        if path.startswith("/v1/parcels/"):
            return web.json_response({"state": self.parcels[path.split("/")[3]]})
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
        elif path == "/v1/tasks":
            found = [
                {"task_id": one, "referral_id": one, "hub_id": "thames-ward", "offers_made": 1, **task}
                for one, task in self.tasks.items()
                if task["state"] == query["state"]
            ]
        elif path == "/v1/parcels":
            about = {"site_id": "barking", "changed_at": "now", "missing": [], "lines": [LINE]}
            found = [
                {"parcel_id": one, "referral_id": one, "state": state, **about}
                for one, state in self.parcels.items()
                if state == query["state"]
            ]
        return web.json_response({"items": found, "next": None})

    def made(self, thing: str, body: dict[str, Any]) -> None:
        if thing == "stock-receipts":
            [line] = body["lines"]
            self.stock[line["item_id"]] += line["quantity"]
        else:
            assert (thing, body["hub_ids"]) == ("volunteers", ["thames-ward"])

    def offer(self) -> None:
        for task in self.tasks.values():
            if task["state"] == "open":
                task |= {"state": "offered", "volunteer_id": HELPER}

    def change(self, verb: str, referral_id: str, body: dict[str, Any]) -> None:
        match verb:
            case "activation":
                self.offer()
            case "acceptance":
                self.tasks[referral_id]["state"] = "accepted"
                self.parcels[referral_id] = "dispatched"
            case "refusal":
                self.tasks[referral_id]["state"] = "with somebody else"
            case "completion":
                assert self.parcels[referral_id] == "dispatched"
                del self.tasks[referral_id], self.open[referral_id]
            case "picking":
                self.parcels[referral_id] = "picking"
            case "packing":
                self.parcels[referral_id] = "packed"
                self.stock["pasta"] -= 500
                self.tasks[referral_id] = {"state": "open", "parcel_id": referral_id}
            case "decision":
                self.held.remove(referral_id)
                self.due.append(referral_id)
            case "outcome":
                assert [need["result"] for need in body["needs"]] == ["confirmed"]
                self.due.remove(referral_id)
                if referral_id == CALLED:
                    self.parcels[referral_id] = "reserved"
                else:
                    del self.open[referral_id]
            case "withdrawal":
                del self.open[referral_id]
            case _:
                pass


async def test_sandbox_referrals_end_and_no_other_is_touched(
    serving, client_of, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LONGEST_SECONDS", 3)
    borough, over = Borough(), asyncio.Event()
    async with serving(borough.handler) as url, client_of(url) as client:
        practice = Practice(client, SystemClock())
        playing = asyncio.create_task(Sandbox(client, lambda: ("try-out",), practice).work(over))
        await eventually(lambda: set(borough.open) == {REAL} and borough.did["pause", HELPER])
        over.set()
        await playing
    assert borough.did == {
        ("claim", CALLED): 1,
        ("outcome", CALLED): 1,
        ("picking", CALLED): 1,
        ("packing", CALLED): 1,
        ("activation", HELPER): 1,
        ("checks", HELPER): 1,
        ("acceptance", CALLED): 1,
        ("completion", CALLED): 1,
        ("refusal", REAL): 1,
        ("pause", HELPER): 1,
        ("decision", HELD): 1,
        ("claim", HELD): 1,
        ("outcome", HELD): 1,
        ("withdrawal", SHARED): 1,
        ("withdrawal", QUIET): 1,
    }
    assert borough.parcels[REAL] == "reserved"
    assert borough.stock["pasta"] == 0, "what the parcel took was booked in for it"


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
