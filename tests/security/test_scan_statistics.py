"""No column that is about people is in the planner's statistics: they would keep what an erasure has emptied."""

from __future__ import annotations

from bdcan_chassis.columns import CHASSIS_COLUMNS
from bdcan_chassis.testing.harness import Harness
from bdcan_local.privacy_page import columns_of


async def test_no_column_about_people_is_sampled(given: Harness, service_name: str) -> None:
    personal = {
        f"{one.table}.{column}"
        for one in (*CHASSIS_COLUMNS, *columns_of(service_name))
        for column in one.person.split()
    }
    left_out = await given.fetch(
        "SELECT attrelid::regclass || '.' || attname AS name FROM pg_attribute WHERE attstattarget = 0"
    )
    assert personal - {row["name"] for row in left_out} == set()
