"""What a service's run-time role may do in its database: the least that it needs, derived by one rule.

The owner, `<role>_owner`, makes the tables; only `migrate` logs in as it. The role that runs may read and write rows, and
nothing else. Of a table whose comment begins with `append-only` it may read rows and add them: nobody who has its password can
change or delete what the audit or a history says. `migrate` calls `grant` as its last step, so that a new table is covered.
"""

from __future__ import annotations

from bdcan_chassis.database import Connection
from bdcan_chassis.errors import ConfigurationError

OWNER_SUFFIX = "_owner"


def run_time_role(owner: str) -> str:
    """The role that runs what this role owns. Raises ConfigurationError for a role that is no owner."""
    role = owner.removesuffix(OWNER_SUFFIX)
    if role == owner:
        raise ConfigurationError(
            f"migrate must log in as the owner of the database, whose name ends in {OWNER_SUFFIX}, not as {owner}"
        )
    return role


async def role_of(connection: Connection) -> str:
    """The run-time role of the database that the connection owns.

    Raises ConfigurationError if the connection is not the owner's, or if there is no such role.
    """
    role = run_time_role(await connection.fetchval("SELECT current_user"))
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        raise ConfigurationError(f"there is no role {role}: run provision first")
    return role


async def grant(connection: Connection, role: str) -> None:
    """Give the run-time role what the tables that exist now allow it, and take away all else."""
    # one transaction: a service that runs never finds a table closed
    async with connection.transaction():
        for row in await connection.fetch(_STATEMENTS, role):
            await connection.execute(row["statement"])


# What the role holds of a table in excess is taken away with all else: a difference is rare, and has to be simple.
_STATEMENTS = """
WITH ours AS (
    SELECT n.oid, n.nspname FROM pg_namespace AS n WHERE n.nspname IN ('public', 'chassis')
), wanted AS (
    SELECT c.oid, c.relacl, CASE
        WHEN c.relname = 'schema_migration' THEN ARRAY['SELECT']
        WHEN obj_description(c.oid, 'pg_class') LIKE 'append-only%' THEN ARRAY['INSERT', 'SELECT']
        WHEN c.relkind IN ('r', 'p') THEN ARRAY['DELETE', 'INSERT', 'SELECT', 'UPDATE']
        ELSE ARRAY['SELECT'] END AS privileges
    FROM pg_class AS c
    WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'p', 'v', 'm')
), held AS (
    SELECT w.oid, w.privileges, ARRAY(
        SELECT acl.privilege_type FROM aclexplode(w.relacl) AS acl
        WHERE acl.grantee IN (0, (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = $1)) ORDER BY acl.privilege_type
    ) AS now
    FROM wanted AS w
), needed (place, statement) AS (
    SELECT 1, format('REVOKE ALL ON %s FROM PUBLIC, %I', oid::regclass, $1) FROM held WHERE now <> privileges
    UNION ALL
    SELECT 2, format('GRANT %s ON %s TO %I', array_to_string(privileges, ', '), oid::regclass, $1)
    FROM held WHERE now <> privileges
    UNION ALL SELECT 3, format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())
    UNION ALL SELECT 4, format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1)
    UNION ALL SELECT 5, format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', nspname) FROM ours
    UNION ALL SELECT 6, format('GRANT USAGE ON SCHEMA %I TO %I', nspname, $1) FROM ours
)
SELECT statement FROM needed ORDER BY place
"""
