"""The state of everything in a few numbers."""

from __future__ import annotations

from msgspec import Struct

from bdcan_chassis.table import Query


class Counts(Struct, frozen=True):
    """Welfare calls, tasks and volunteers by state, and the tasks whose alarm is on."""

    calls: dict[str, int]
    tasks: dict[str, int]
    volunteers: dict[str, int]
    unfilled_tasks: int


# How many calls, tasks and volunteers of these hubs (NULL: of all) there are in each state.
COUNT = Query(
    """
    SELECT
        (SELECT coalesce(jsonb_object_agg(state, number), '{}') FROM (
            SELECT state, count(*) AS number FROM welfare_call
            WHERE :hubs::text[] IS NULL OR hub_id = ANY (:hubs) GROUP BY state) AS c) AS calls,
        (SELECT coalesce(jsonb_object_agg(state, number), '{}') FROM (
            SELECT state, count(*) AS number FROM task
            WHERE :hubs::text[] IS NULL OR hub_id = ANY (:hubs) GROUP BY state) AS t) AS tasks,
        (SELECT coalesce(jsonb_object_agg(state, number), '{}') FROM (
            SELECT state, count(*) AS number FROM volunteer
            WHERE :hubs::text[] IS NULL OR hub_ids && :hubs OR hub_ids = '{}' GROUP BY state) AS v) AS volunteers,
        (SELECT count(*) FROM task
            WHERE unfilled AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))) AS unfilled_tasks
    """,
    Counts,
)
