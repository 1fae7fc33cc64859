"""What the role of a running service may do in PostgreSQL: the audit cannot be changed, and no other database be entered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from bdcan_chassis.migrate import migrate
from bdcan_chassis.testing.harness import run_time_dsn
from bdcan_local.processes import SERVICES, own_name

APPEND_ONLY = {
    "intake": {"chassis.audit", "chassis.dead_letter_audit", "disclosure"},
    "volunteer-match": {"chassis.audit", "chassis.dead_letter_audit", "contact_view"},
}
"""Tables that say who saw or did what. A service that is not named here has those of the chassis alone."""

OF_THE_CHASSIS = {"chassis.audit", "chassis.dead_letter_audit"}


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
    append_only = APPEND_ONLY.get(service[0], OF_THE_CHASSIS)
    rows = await role.fetch(PRIVILEGES)
    assert {row["name"] for row in rows} >= append_only | {"chassis.inbox", "schema_migration"}
    for row in rows:
        if row["name"] in append_only:
            expected = ["INSERT", "SELECT"]
        elif row["name"] == "schema_migration":
            expected = ["SELECT"]
        else:
            expected = ["DELETE", "INSERT", "SELECT", "UPDATE"]
        assert row["privileges"] == expected, row["name"]


async def test_audit_tables_refuse_change(service: tuple[str, str], role: asyncpg.Connection) -> None:
    for table in APPEND_ONLY.get(service[0], OF_THE_CHASSIS):
        for statement in (
            f"UPDATE {table} SET reason = reason",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"DROP TABLE {table}",
            f"SELECT 1 FROM {table} FOR UPDATE",
            f"CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION chassis.chain_audit()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(statement)


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


PRIVILEGES = """
SELECT c.oid::regclass::text AS name, ARRAY(
    SELECT p FROM unnest(ARRAY['DELETE', 'INSERT', 'MAINTAIN', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p
    WHERE has_table_privilege(c.oid, p)
        OR (p IN ('INSERT', 'REFERENCES', 'SELECT', 'UPDATE') AND has_any_column_privilege(c.oid, p))
) AS privileges
FROM pg_class AS c
WHERE c.relnamespace IN ('public'::regnamespace, 'chassis'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
"""
