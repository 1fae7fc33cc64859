"""How many of everything, by state."""

from __future__ import annotations

from typing import NamedTuple

from bdcan_chassis.database import Connection


class Counts(NamedTuple):
    """Welfare calls, tasks and volunteers by state, and the tasks whose alarm is on."""

    calls: dict[str, int]
    tasks: dict[str, int]
    volunteers: dict[str, int]
    unfilled_tasks: int


async def count(connection: Connection) -> Counts:
    """Count all, as one statement sees it."""
    found: dict[str, dict[str, int]] = {"call": {}, "task": {}, "volunteer": {}, "alarm": {}}
    for row in await connection.fetch(_COUNT):
        found[row["thing"]][row["state"]] = row["number"]
    return Counts(found["call"], found["task"], found["volunteer"], found["alarm"].get("unfilled", 0))


_COUNT = """
SELECT 'call' AS thing, state, count(*) AS number FROM welfare_call GROUP BY state
UNION ALL SELECT 'task', state, count(*) FROM task GROUP BY state
UNION ALL SELECT 'volunteer', state, count(*) FROM volunteer GROUP BY state
UNION ALL SELECT 'alarm', 'unfilled', count(*) FROM task WHERE unfilled
"""
