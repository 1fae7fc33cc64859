"""What people changed of the hubs, when and why. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from bdcan_chassis.table import Query, Table
from bdcan_chassis.transaction import Tx
from bdcan_routing.domain.hubs import Hub


class HubChange(Struct, frozen=True):
    """A change of a hub, and the hub as it was afterwards. `caller` is an account; `reason` is a code, where one was asked for."""

    hub_id: str
    version: int
    change: str
    caller: str
    reason: str | None
    hub: dict[str, Any]


class Changed(HubChange, frozen=True):
    """A change with its time and its place among all of them."""

    seq: int
    changed_at: datetime


HUB_CHANGE = Table("hub_change", HubChange, key=(), stamp="changed_at")

# A page of the changes of a hub, the newest first.
OF_HUB = Query(
    """
    SELECT {columns} FROM hub_change
    WHERE hub_id = :hub_id AND (:seq::bigint IS NULL OR seq < :seq) ORDER BY seq DESC LIMIT :limit
    """,
    Changed,
)


async def record(
    tx: Tx, hub: Hub, shown: dict[str, Any], change: str, caller: str, reason: str | None = None
) -> None:
    """Write down what somebody changed; `shown`: the hub as the API shows it."""
    row = HubChange(hub.hub_id, hub.version, change, caller, reason, shown)
    await HUB_CHANGE.insert(tx.connection, [row], tx.now)
