"""Those who work at the food sites: they book deliveries of stock in, and pick and pack what is reserved."""

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

    async def work(self, sites: tuple[str, ...], over: asyncio.Event) -> None:
        """Take the day's first deliveries in, then pick and pack until it is over."""
        for site_id in sites:
            await self._take_delivery(site_id, parcels=self.referrals // 4 + 20)
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_at(self._round_of_picking, over))
            group.create_task(keep_at(self._round_of_restocking, over))

    async def _round_of_picking(self) -> int:
        ready = await first_page(self.client, PICKER, "foodhub", "/v1/parcels", state="reserved")
        begun = await first_page(self.client, PICKER, "foodhub", "/v1/parcels", state="picking")
        await self.client.for_each([*ready, *begun], self._pack)
        return len(ready) + len(begun)

    async def _pack(self, parcel: dict[str, Any]) -> None:
        parcel_id = parcel["parcel_id"]
        path = f"/v1/parcels/{parcel_id}"
        if parcel["state"] == "reserved":
            picking = await self.client.post(
                PICKER, "foodhub", f"{path}/picking", {}, key=f"{parcel_id}/picking"
            )
            if not picking.ok:
                return
        packing = await self.client.post(PICKER, "foodhub", f"{path}/packing", {}, key=f"{parcel_id}/packing")
        self.ledger.done["parcels packed"] += packing.ok

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
