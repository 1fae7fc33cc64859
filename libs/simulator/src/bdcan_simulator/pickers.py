"""Those who work at the food sites: they book stock in, pick and pack what is reserved, and see to stopped parcels."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bdcan_simulator.client import Client
from bdcan_simulator.identity import person
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.paging import first_page, keep_at
from bdcan_simulator.pantry import delivery

PICKER = person("pickers", "stock:read stock:write parcels:read parcels:write hubs:all")


@dataclass
class Pickers:
    """The people of all food sites."""

    client: Client
    ledger: Ledger
    referrals: int
    _deliveries: Counter[str] = field(default_factory=Counter)
    _packed: set[str] = field(default_factory=set)

    async def work(self, sites: tuple[str, ...], over: asyncio.Event) -> None:
        """Take the day's first deliveries in, then pick and pack until it is over."""
        for site_id in sites:
            await self._take_delivery(site_id, parcels=self.referrals // 4 + 20)
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_at(self._round_of_picking, over))
            group.create_task(keep_at(self._round_of_restocking, over))
            group.create_task(keep_at(self._round_of_notices, over))

    async def _round_of_picking(self) -> int:
        ready = await first_page(self.client, PICKER, "foodhub", "/v1/parcels", state="reserved")
        begun = await first_page(self.client, PICKER, "foodhub", "/v1/parcels", state="picking")
        await self.client.for_each([*ready, *begun], self._pack)
        return len(ready) + len(begun)

    async def _pack(self, parcel: dict[str, Any]) -> None:
        parcel_id, since = parcel["parcel_id"], parcel["changed_at"]  # it may be packed a second time
        path = f"/v1/parcels/{parcel_id}"
        if parcel["stopped"]:
            return
        if parcel["state"] == "reserved":
            picking = await self.client.post(
                PICKER, "foodhub", f"{path}/picking", {}, key=f"{parcel_id}/picking/{since}"
            )
            if not picking.ok:
                return
        packing = await self.client.post(
            PICKER, "foodhub", f"{path}/packing", {}, key=f"{parcel_id}/packing/{since}"
        )
        if packing.ok and parcel_id not in self._packed:
            self._packed.add(parcel_id)
            self.ledger.done["parcels packed"] += 1

    async def _round_of_notices(self) -> int:
        """Pack stopped parcels anew, and pass warnings on."""
        noticed = await first_page(self.client, PICKER, "foodhub", "/v1/parcel-notices")
        await self.client.for_each(noticed, self._see_to)
        return len(noticed)

    async def _see_to(self, parcel: dict[str, Any]) -> None:
        parcel_id, since = parcel["parcel_id"], parcel["changed_at"]
        verb, body = "passed-on", {"reason": "told"}
        if parcel["stopped"]:
            verb, body = "decision", {"decision": "repack", "reason": "facts-changed"}
        path = f"/v1/parcels/{parcel_id}/{verb}"
        answer = await self.client.post(PICKER, "foodhub", path, body, key=f"{parcel_id}/{verb}/{since}")
        self.ledger.done[f"parcels {verb}"] += answer.ok

    async def _round_of_restocking(self) -> int:
        short = await first_page(self.client, PICKER, "foodhub", "/v1/parcels", state="short")
        for site_id, parcels in Counter(str(parcel["site_id"]) for parcel in short).items():
            await self._take_delivery(site_id, parcels=parcels * 2 + 10)
        return len(short)

    async def _take_delivery(self, site_id: str, *, parcels: int) -> None:
        self._deliveries[site_id] += 1
        key = f"{self.ledger.run}/delivery/{site_id}/{self._deliveries[site_id]}"
        body = {"site_id": site_id, "lines": delivery(parcels)}
        answer = await self.client.post(PICKER, "foodhub", "/v1/stock-receipts", body, key=key)
        self.ledger.done["stock deliveries" if answer.ok else "stock deliveries refused"] += 1
