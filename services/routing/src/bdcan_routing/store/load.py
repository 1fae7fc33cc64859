"""What each hub was given on each local day, by kind. Rows of the same day are added up as they come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from bdcan_chassis.database import Connection
from bdcan_chassis.table import Statement

# What the hubs were given on a day.
OF_DAY = Statement("SELECT hub_id, kind, given FROM hub_load WHERE on_day = :on_day")

# Add to what the hubs were given. In one order: two batches at once wait for each other, and do not deadlock.
ADD = Statement(
    """
    INSERT INTO hub_load (on_day, hub_id, kind, given)
    SELECT :on_day::date, more.hub_id, more.kind, more.given
    FROM unnest(:hub_ids::text[], :kinds::text[], :more::integer[]) AS more (hub_id, kind, given)
    ORDER BY more.hub_id, more.kind
    ON CONFLICT (on_day, hub_id, kind) DO UPDATE SET given = hub_load.given + excluded.given
    """
)

# How much of its capacity for today each hub has used, by kind.
RATIO = Statement(
    """
    SELECT hub.hub_id AS hub, most.key AS kind,
        (coalesce(hub_load.given, 0) / greatest(most.value::integer, 1)::float8) AS value
    FROM hub CROSS JOIN LATERAL jsonb_each_text(hub.capacity) AS most
    LEFT JOIN hub_load ON hub_load.hub_id = hub.hub_id AND hub_load.kind = most.key
        AND hub_load.on_day = (:now::timestamptz AT TIME ZONE 'Europe/London')::date
    """
)


async def of_day(connection: Connection, day: date) -> dict[tuple[str, str], int]:
    """By hub and kind."""
    return {(hub, kind): given for hub, kind, given in await OF_DAY.records(connection, on_day=day)}


async def add(connection: Connection, day: date, more: Mapping[tuple[str, str], int]) -> None:
    """Count what the hubs were given."""
    if more:
        await ADD.execute(
            connection,
            on_day=day,
            hub_ids=[hub for hub, _kind in more],
            kinds=[kind for _hub, kind in more],
            more=list(more.values()),
        )
