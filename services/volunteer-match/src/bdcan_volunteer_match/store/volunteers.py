"""Volunteers. Their names and telephone numbers are in a table of their own, and are deleted when they leave."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_volunteer_match.domain.volunteer import Volunteer
from bdcan_volunteer_match.domain.weights import MOST_AT_ONCE

VOLUNTEER = Table("volunteer", Volunteer, key="volunteer_id")


class Person(Struct, frozen=True):
    """Personal data of a volunteer."""

    name: str | None
    phone: str | None
    phone_e164: str | None
    """The number that `phone` names, as it is dialled."""
    postcode: str | None


class Evidence(Struct, frozen=True):
    """What somebody saw of a volunteer's check, for a hub; or why it does not count any more (`kind` is `withdrawn`)."""

    volunteer_id: UUID
    hub_id: str
    kind: str
    caller: str
    reference: str | None = None
    issued_on: date | None = None
    seen_on: date | None = None
    valid_until: datetime | None = None
    reason: str | None = None


class Recorded(Evidence, frozen=True):
    """Evidence, and when it was recorded."""

    recorded_at: datetime = datetime.max.replace(tzinfo=UTC)


EVIDENCE = Table("volunteer_check", Evidence, key=(), stamp="recorded_at")

# What was recorded of a volunteer's check at these hubs (NULL: at all), the newest last.
CHECKS_OF = Query(
    """
    SELECT {columns} FROM volunteer_check
    WHERE volunteer_id = :volunteer_id AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
    ORDER BY recorded_at, hub_id
    """,
    Recorded,
)

# Those of some volunteers who are active, locked in the order of their ids: nobody else can change them now.
LOCK_ACTIVE = VOLUNTEER.query(
    """
    SELECT {columns} FROM volunteer WHERE volunteer_id = ANY (:volunteer_ids) AND state = 'active'
    ORDER BY volunteer_id FOR NO KEY UPDATE
    """
)

# Volunteers who enquired before some time and were never welcomed, locked in the order of their ids.
LOCK_STALE = VOLUNTEER.query(
    """
    SELECT {columns} FROM volunteer WHERE state = 'enquired' AND changed_at < :before
    ORDER BY volunteer_id LIMIT :limit FOR NO KEY UPDATE
    """
)

# A page of the volunteers in this state (NULL: in any) who help one of these hubs (NULL: any), or none yet.
FIND = VOLUNTEER.query(
    """
    SELECT {columns} FROM volunteer
    WHERE (:state::text IS NULL OR state = :state)
        AND (:hubs::text[] IS NULL OR hub_ids && :hubs OR (hub_ids = '{}' AND :hubs <> '{}'))
        AND (:volunteer_id::uuid IS NULL OR volunteer_id > :volunteer_id)
    ORDER BY volunteer_id LIMIT :limit
    """
)

# Who a volunteer is.
PERSON = Query("SELECT {columns} FROM volunteer_person WHERE volunteer_id = :volunteer_id", Person)

# Write who a volunteer is. What is NULL stays as it was; an empty postcode takes it back.
SAVE_PERSON = Statement(
    """
    INSERT INTO volunteer_person AS known (volunteer_id, name, phone, phone_e164, postcode)
    VALUES (:volunteer_id, :name, :phone, :phone_e164, nullif(:postcode::text, ''))
    ON CONFLICT (volunteer_id) DO UPDATE SET
        name = coalesce(excluded.name, known.name), phone = coalesce(excluded.phone, known.phone),
        phone_e164 = CASE WHEN excluded.phone IS NULL THEN known.phone_e164 ELSE excluded.phone_e164 END,
        postcode = CASE WHEN :postcode IS NULL THEN known.postcode ELSE excluded.postcode END
    """
)

# How many volunteers there are, by state.
COUNT_BY_STATE = Statement("SELECT state, count(*) AS value FROM volunteer GROUP BY state")

# By when each enquiry must be answered that is not answered yet. No hub owns it. One row more: so that none is 0.
PROMISED = Statement(
    """
    SELECT NULL::text AS hub, welcome_by AS due_at FROM volunteer WHERE state = 'enquired'
    UNION ALL SELECT NULL, NULL
    """
)

_PARTS = """
    SELECT v.volunteer_id, v.on_duty, p ->> 'hub_id' AS hub, k.kind,
        (p ->> 'checked')::boolean AND coalesce((p ->> 'check_ends_at')::timestamptz > :now, true) AS dbs
    FROM volunteer AS v
    CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN v.parts <> '[]' THEN v.parts ELSE (
        SELECT coalesce(jsonb_agg(jsonb_build_object('hub_id', h.hub, 'task_kinds', v.task_kinds,
            'checked', v.dbs_cleared, 'check_ends_at', v.dbs_expires_at)), '[]')
        FROM unnest(v.hub_ids) AS h (hub)
    ) END) AS p
    CROSS JOIN LATERAL jsonb_array_elements_text(p -> 'task_kinds') AS k (kind)
    WHERE v.state = 'active'
"""

# How many active volunteers each hub has for each kind of task. One who helps two hubs counts at both.
COUNT_ACTIVE = Statement(
    f"""
    SELECT hub, kind, count(*) FILTER (WHERE dbs IS NOT NULL) AS value FROM ({_PARTS}) AS part GROUP BY hub, kind
    """  # noqa: S608 # all of it is ours
)

# How many more tasks they could take, by hub, kind, and whether a check of theirs is in force there.
COUNT_PLACES = Statement(
    f"""
    SELECT hub, kind, (CASE WHEN dbs THEN 'yes' ELSE 'no' END) AS dbs,
        sum(CASE WHEN on_duty THEN greatest(0, {MOST_AT_ONCE} - coalesce(held.tasks, 0)) ELSE 0 END) AS value
    FROM ({_PARTS}) AS part
    LEFT JOIN (
        SELECT volunteer_id, count(*) AS tasks FROM task WHERE state IN ('offered', 'accepted') GROUP BY volunteer_id
    ) AS held ON held.volunteer_id = part.volunteer_id
    GROUP BY 1, 2, 3
    """  # noqa: S608 # all of it is ours
)
