"""What the role of a running service may do in PostgreSQL: the audit cannot be changed, and no other database be entered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from bdcan_chassis.migrate import migrate
from bdcan_chassis.testing.harness import run_time_dsn
from bdcan_local.processes import SERVICES, own_name

APPEND_ONLY = {
    "intake": {"disclosure", "erased_reference", "erased_reference_secret", "note", "timeline"},
    "routing": {"decision", "hub_change"},
    "volunteer-match": {
        "call_attempt", "completion", "concern", "contact_view", "decision", "task_act", "uncounted_attempt", "volunteer_check",
    },
    "foodhub": {"movement"},
    "escalation": {"call_back"},
}  # fmt: skip
"""Tables that say what happened, and who saw or did it."""

CHANGES = {
    "intake": {
        "erasure", "instruction", "known_event", "need", "referral", "referral_import", "referral_import_duplicate",
        "referral_import_error", "resident", "task_in_hand", "volunteer_enquiry",
    },
    "routing": {
        "assignment", "gazetteer_guess", "gazetteer_release", "gazetteer_share", "gazetteer_unit", "hub",
        "hub_handover", "hub_load", "hub_ward",
    },
    "volunteer-match": {"hub", "round", "task", "task_offer", "volunteer", "volunteer_person", "welfare_call"},
    "foodhub": {"lot", "parcel", "recall", "referral", "replenishment", "stock"},
    "escalation": {"escalation", "referral"},
}  # fmt: skip
"""Tables of what is so now. A new table must be named here or above."""

OF_THE_CHASSIS = {"chassis.audit", "chassis.dead_letter_audit"}
CHANGES_IN_THE_CHASSIS = {
    f"chassis.{name}"
    for name in (
        "dead_letter",
        "deadline",
        "erasure",
        "idempotency_key",
        "inbox",
        "message",
        "outbox",
        "parked_key",
        "pause",
        "trace",
    )
}

READ_ONLY = {"schema_migration", "chassis.watched_deadline", "chassis.watched_letter"}
"""What the owner alone fills, and views."""


@pytest.fixture(scope="module", params=SERVICES)
async def service(request: pytest.FixtureRequest, postgres_server: Any) -> tuple[str, str]:
    """A service's name, and the DSN of its owner on a migrated database."""
    dsn = await postgres_server.database(request.param)
    await migrate(dsn, ["bdcan_chassis", f"{own_name(request.param)}.store"])
    return request.param, dsn


@pytest.fixture
async def role(service: tuple[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the role that runs."""
    connection = await asyncpg.connect(run_time_dsn(service[1]))
    yield connection
    await connection.close()


async def test_role_may_do_with_each_table_what_it_needs_and_no_more(
    service: tuple[str, str], role: asyncpg.Connection
) -> None:
    append_only = APPEND_ONLY[service[0]] | OF_THE_CHASSIS
    rows = await role.fetch(PRIVILEGES)
    known = append_only | CHANGES[service[0]] | CHANGES_IN_THE_CHASSIS | READ_ONLY
    assert {row["name"] for row in rows} == known
    for row in rows:
        if row["name"] in append_only:
            expected = ["INSERT", "SELECT"]
        elif row["name"] in READ_ONLY:
            expected = ["SELECT"]
        else:
            expected = ["DELETE", "INSERT", "SELECT", "UPDATE"]
        assert row["privileges"] == expected, row["name"]


async def test_histories_refuse_change(service: tuple[str, str], role: asyncpg.Connection) -> None:
    for table in APPEND_ONLY[service[0]] | OF_THE_CHASSIS:
        column = await role.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
            " AND attidentity = '' LIMIT 1",
            table,
        )
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"DROP TABLE {table}",
            f"SELECT 1 FROM {table} FOR UPDATE",
            f"COMMENT ON TABLE {table} IS ''",
            f"CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION chassis.chain_audit()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(statement)


@pytest.mark.parametrize("service", ["routing"], indirect=True)
async def test_row_of_a_history_goes_when_it_is_old_or_its_person_is_erased_and_the_audit_says_so(
    role: asyncpg.Connection,
) -> None:
    fresh, old, erased = uuid4(), uuid4(), uuid4()
    for subject, days in ((fresh, 29), (old, 31), (erased, 0)):
        await role.execute(
            "INSERT INTO decision (referral_id, decision, caller, reason, decided_at)"
            " VALUES ($1, 'moved', 'person:ada', 'moved', now() - $2 * interval '1 day')",
            subject,
            days,
        )
    await role.execute(
        "INSERT INTO chassis.erasure (subject_id, erasure_id, requested_at, erase_by) VALUES ($1, $1, now(), now())",
        erased,
    )
    assert await role.fetchval(f"SELECT {END_ALL}") == 2
    assert [row["referral_id"] for row in await role.fetch("SELECT referral_id FROM decision")] == [fresh]
    told = await role.fetch("SELECT act, detail FROM chassis.audit")
    assert [(row["act"], orjson.loads(row["detail"])) for row in told] == [
        ("history-ended", {"table": "decision", "rows": 2})
    ]
    assert await role.fetchval(f"SELECT {END_ALL}") == 0
    assert len(await role.fetch("SELECT 1 FROM chassis.audit")) == 1


@pytest.mark.parametrize("service", ["routing", "volunteer-match"], indirect=True)
@pytest.mark.parametrize(
    ("table", "forgets"),
    [
        ("chassis.audit", ""),
        ("chassis.deadline", ""),
        ("schema_migration", ""),
        ("decision", "caller"),
        ("pg_class", ""),
    ],
)
async def test_role_ends_no_rows_of_another_table_and_forgets_no_other_column(
    role: asyncpg.Connection, table: str, forgets: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await role.execute(
            "SELECT chassis.end_history($1::text::regclass, ARRAY['(0,1)'::tid], $2)", table, forgets
        )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE TABLE chassis.mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE OR REPLACE FUNCTION chassis.chain_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER FUNCTION chassis.expire_audit OWNER TO current_user",
        "UPDATE schema_migration SET sha256 = ''",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "SET session_replication_role = replica",
    ],
)
async def test_role_makes_nothing_and_leaves_the_rules_alone(
    role: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await role.execute(statement)


async def test_role_has_no_powers_and_is_a_member_of_nothing(role: asyncpg.Connection) -> None:
    row = await role.fetchrow(
        """
        SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
            EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS is_member,
            EXISTS (SELECT FROM pg_shdepend AS d WHERE d.refobjid = pg_roles.oid AND d.deptype = 'o') AS owns
        FROM pg_roles WHERE rolname = current_user
        """
    )
    assert row is not None
    assert not any(row.values()), dict(row)


async def test_role_enters_its_own_database_alone(service: tuple[str, str], postgres_server: Any) -> None:
    dsn = run_time_dsn(service[1])
    other = (await postgres_server.database()).rpartition("/")[2]
    for name in ("postgres", "template1", other):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(f"{dsn.rpartition('/')[0]}/{name}")


async def test_second_migration_takes_away_what_was_given_by_hand(
    service: tuple[str, str], role: asyncpg.Connection
) -> None:
    name, dsn = service
    user = await role.fetchval("SELECT current_user")
    owner = await asyncpg.connect(dsn)
    await owner.execute(
        f'GRANT UPDATE, TRUNCATE ON chassis.audit TO "{user}"; GRANT DELETE ON chassis.audit TO PUBLIC'
    )
    await owner.close()
    await role.execute("UPDATE chassis.audit SET actor = actor")
    await migrate(dsn, ["bdcan_chassis", f"{own_name(name)}.store"])
    for statement in ("UPDATE chassis.audit SET actor = actor", "DELETE FROM chassis.audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(statement)


END_ALL = "chassis.end_history('decision', ARRAY(SELECT ctid FROM decision), '')"

PRIVILEGES = """
SELECT c.oid::regclass::text AS name, ARRAY(
    SELECT p FROM unnest(ARRAY['DELETE', 'INSERT', 'MAINTAIN', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p
    WHERE has_table_privilege(c.oid, p)
        OR (p IN ('INSERT', 'REFERENCES', 'SELECT', 'UPDATE') AND has_any_column_privilege(c.oid, p))
) AS privileges
FROM pg_class AS c
WHERE c.relnamespace IN ('public'::regnamespace, 'chassis'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
"""
