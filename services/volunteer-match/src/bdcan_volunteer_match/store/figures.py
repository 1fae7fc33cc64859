"""How fairly and how well tasks found volunteers in the last seven days, by hub."""

from __future__ import annotations

from msgspec import Struct

from bdcan_chassis.table import Query, Statement


class Figures(Struct, frozen=True):
    """A hub's last seven days. A share or mean is None where there is nothing to count.

    `volunteers`: active ones. `asked_share`: of them, who got an offer. `offers_each`: offers for each of them. `gini`: of the tasks that
    they accepted; 0 is even. `tasks`: those that were offered, or that are open and were never offered. `matched_share`: of
    these, those that somebody accepted. `done_share`: of the offered ones that are due, those that are done. `metres`: the
    median way of an offer.
    """

    hub: str
    volunteers: int
    asked_share: float | None
    offers_each: float | None
    gini: float | None
    tasks: int
    matched_share: float | None
    done_share: float | None
    metres: float | None


_OF_HUBS = """
    WITH week AS (
        SELECT o.task_id, o.volunteer_id, o.state, o.metres, t.hub_id, t.state AS became, t.due_at
        FROM task_offer AS o JOIN task AS t USING (task_id) WHERE o.offered_at > :now::timestamptz - interval '7 days'
    ), person AS (
        SELECT h.hub, v.volunteer_id, count(week.task_id) AS offers,
            count(DISTINCT week.task_id) FILTER (WHERE week.state = 'accepted') AS tasks
        FROM volunteer AS v CROSS JOIN LATERAL unnest(v.hub_ids) AS h (hub)
        LEFT JOIN week ON week.volunteer_id = v.volunteer_id
        WHERE v.state = 'active' GROUP BY h.hub, v.volunteer_id
    ), ranked AS (
        SELECT hub, offers, tasks, row_number() OVER (PARTITION BY hub ORDER BY tasks) AS place,
            count(*) OVER (PARTITION BY hub) AS people
        FROM person
    ), people AS (
        SELECT hub, count(*) AS volunteers, avg((offers > 0)::int)::float8 AS asked_share, avg(offers)::float8 AS offers_each,
            (sum((2 * place - people - 1) * tasks) / nullif(max(people) * sum(tasks), 0))::float8 AS gini
        FROM ranked GROUP BY hub
    ), wanted AS (
        SELECT task_id, hub_id, bool_or(state = 'accepted') AS matched FROM week GROUP BY task_id, hub_id
        UNION ALL SELECT task_id, hub_id, false FROM task WHERE state = 'open' AND offers_made = 0
    ), tasks AS (
        SELECT hub_id AS hub, count(*) AS tasks, avg(matched::int)::float8 AS matched_share FROM wanted GROUP BY hub_id
    ), offers AS (
        SELECT hub_id AS hub, percentile_cont(0.5) WITHIN GROUP (ORDER BY metres) AS metres,
            (count(DISTINCT task_id) FILTER (WHERE became = 'done'))::float8
                / nullif(count(DISTINCT task_id) FILTER (WHERE became = 'done' OR (became <> 'cancelled' AND due_at < :now)), 0)
                AS done_share
        FROM week GROUP BY hub_id
    )
    SELECT hub.hub_id AS hub, coalesce(people.volunteers, 0) AS volunteers, people.asked_share, people.offers_each, people.gini,
        coalesce(tasks.tasks, 0) AS tasks, tasks.matched_share, offers.done_share, offers.metres
    FROM hub LEFT JOIN people ON people.hub = hub.hub_id LEFT JOIN tasks ON tasks.hub = hub.hub_id
    LEFT JOIN offers ON offers.hub = hub.hub_id
"""

# The figures of these hubs (NULL: of all).
FIND = Query(
    f"{_OF_HUBS} WHERE :hubs::text[] IS NULL OR hub.hub_id = ANY (:hubs) ORDER BY hub.hub_id", Figures
)

# The figures of all hubs, for gauges.
OF_ALL = Statement(_OF_HUBS)
