"""Plays the referrals of sandbox systems to their end, so that whoever builds an upstream system sees every receipt.

It touches referrals of these systems alone: a person decides their hub, somebody rings, and the resident confirms what
volunteers and the food hub can do, and nothing else. `practice.py` does the tasks and packs the parcels. What has not ended so
after `LONGEST_SECONDS` (a concern that went to Community Solutions, a call that is shared with somebody real) is withdrawn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdcan_contracts import upstreams
from bdcan_contracts.models import Lane
from bdcan_simulator.client import Client, open_client
from bdcan_simulator.coordinators import COORDINATOR, hub_ids
from bdcan_simulator.endpoints import EndpointsError, read_endpoints
from bdcan_simulator.identity import Identities, person
from bdcan_simulator.paging import every, keep_at
from bdcan_simulator.practice import Practice

LONGEST_SECONDS = 90.0
_HELPED = frozenset({Lane.FOOD, Lane.COMMUNITY})
_OPEN_STATES = ("received", "assigned", "in-contact", "being-helped")
_CALLER = person("sandbox-caller", "calls:read calls:write referrals:read hubs:all")


def sandbox_sources(path: Path) -> tuple[str, ...]:
    """The sources of sandbox systems that may submit; none while the file cannot be read."""
    try:
        found = upstreams.parse(path.read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(s for one in found if one.sandbox and one.revoked_at is None for s in one.sources)


@dataclass
class Sandbox:
    """Everybody who deals with sandbox referrals. `sources` says whose referrals they are, each time it is asked."""

    client: Client
    sources: Callable[[], tuple[str, ...]]
    practice: Practice
    _since: dict[str, float] = field(default_factory=dict)

    async def work(self, over: asyncio.Event) -> None:
        """Play until it is over."""
        await keep_at(self._round, over)

    async def _round(self) -> int:
        found = {item["referral_id"]: source async for source, item in self._open()}
        now = time.monotonic()
        self._since = {referral_id: self._since.get(referral_id, now) for referral_id in found}
        if not found:
            await self.practice.rest()
            return 0
        await self._place(found.keys())
        await self._ring(found.keys())
        await self.practice.help(found.keys())
        late = [one for one, since in self._since.items() if now - since > LONGEST_SECONDS]
        await self.client.for_each(late, lambda referral_id: self._withdraw(referral_id, found[referral_id]))
        return len(found)

    async def _open(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        for source in self.sources():
            reader = person("sandbox-desk", "referrals:read", source=source)
            for state in _OPEN_STATES:
                async for item in every(
                    self.client, reader, "intake", "/v1/referrals", source=source, state=state
                ):
                    yield source, item

    async def _place(self, ours: Collection[str]) -> None:
        """Decide the hub where routing could not."""
        held = [
            item
            async for item in every(self.client, COORDINATOR, "routing", "/v1/triage")
            if item["referral_id"] in ours
        ]
        for item in held:
            hub = (item["candidate_hubs"] or await hub_ids(self.client))[0]
            path = f"/v1/triage/{item['referral_id']}/decision"
            body = {"hub_id": hub, "reason": "resident-named-the-street"}
            await self.client.post(
                COORDINATOR, "routing", path, body, key=f"sandbox/{item['referral_id']}/triage"
            )

    async def _ring(self, ours: Collection[str]) -> None:
        """Ring where no call is shared with anybody else."""
        due = [
            call
            async for call in every(self.client, _CALLER, "volunteer-match", "/v1/welfare-calls", state="due")
            if call["referral_id"] in ours and _is_shared_among(call, ours)
        ]
        await self.client.for_each(due, self._call, at_once=2)

    async def _call(self, call: dict[str, Any]) -> None:
        call_id = call["call_id"]
        path, key = f"/v1/welfare-calls/{call_id}", f"sandbox/{call_id}/{call['attempts']}/{time.monotonic()}"
        claim = await self.client.post(_CALLER, "volunteer-match", f"{path}/claim", {}, key=f"{key}/claim")
        if not claim.ok:
            return
        needs = [
            {
                "need_id": need["need_id"],
                "code": need["code"],
                "result": "confirmed" if need["lane"] in _HELPED else "declined",
            }
            for need in claim.json()["needs"]
        ]
        report = {"outcome": "answered", "needs": needs}
        await self.client.post(_CALLER, "volunteer-match", f"{path}/outcome", report, key=f"{key}/outcome")

    async def _withdraw(self, referral_id: str, source: str) -> None:
        desk = person("sandbox-desk", "referrals:read referrals:write", source=source)
        path, body = f"/v1/referrals/{referral_id}/withdrawal", {"reason": "no-longer-needed"}
        await self.client.post(desk, "intake", path, body, key=f"sandbox/{referral_id}/withdrawal")


def _is_shared_among(call: dict[str, Any], ours: Collection[str]) -> bool:
    return all(other["referral_id"] in ours for other in call["linked"] if other["shares_call"])


async def play(against: Path) -> int:
    """Play until the process is told to end."""
    endpoints = read_endpoints(against)
    file = endpoints.upstreams_file
    if file is None:
        raise EndpointsError(f"{against} does not say where the upstream systems are")
    async with open_client(endpoints.apis, Identities.of(endpoints)) as client:
        practice = Practice(client, endpoints.clock)
        await Sandbox(client, lambda: sandbox_sources(file), practice).work(asyncio.Event())
    return 0
