"""Makes a cluster and a database server as the services need them. Can be run again and again: it only adds.

Kafka: users with passwords, topics, settings, permissions, all from the catalogue and from what is kept of systems outside. More partitions and another
retention are applied to topics that exist; no topic is ever deleted or gets fewer partitions. Permissions that the catalogue
no longer gives are named, and taken away when asked to: an older catalogue must not lock a newer release out by itself.
PostgreSQL: a database for each service, closed to every other service; a role that owns it and migrates, and a role that
runs, which owns nothing. A service that owned its database before hands it over. A third role can only read, and only the columns
that reconcile reads: it is given them where the tables exist, so provision once more when the migrations have run.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_contracts.envelope import Topic
from bdcan_contracts.upstreams import Upstream
from bdcan_local import access
from bdcan_local.errors import PlatformError
from bdcan_reconcile.reading import READS


async def provision_kafka(
    client: Mapping[str, Any],
    topics: Sequence[Topic],
    passwords: Mapping[str, str],
    replicas: int = 1,
    *,
    upstreams: Iterable[Upstream] = (),
    outsiders: Sequence[access.Outsider] = (),
    revoke: bool = False,
) -> list[access.Grant]:
    """Brings the cluster up to date. Returns the permissions of our users that the catalogue does not give.

    Args:
        client: an administrator's aiokafka options (`kafka.client_options`).
        topics: the catalogue's topics.
        passwords: of every user in `access.users(topics, outsiders)`.
        replicas: copies of each new topic's partitions.
        upstreams: the upstream systems, some with topics of their own.
        outsiders: the systems outside that use Kafka.
        revoke: take away what is returned.

    Raises:
        PlatformError: the cluster refuses something.
    """
    from confluent_kafka import KafkaException

    from bdcan_local.cluster import Cluster

    def work() -> list[access.Grant]:
        specs = access.topic_specs(topics, upstreams)
        with Cluster(client) as cluster:
            cluster.set_passwords(passwords)
            cluster.make_topics(specs, replicas)
            cluster.grant(access.grants(topics, outsiders))
            cluster.wait_until_ready(specs)
            left = access.superfluous(cluster.grants(), topics, outsiders)
            if left and revoke:
                cluster.revoke(left)
            return left

    try:
        return await asyncio.to_thread(work)
    except KafkaException as error:
        raise PlatformError(
            f"Kafka could not be set up: {error}", "Check the address and the administrator's password."
        ) from error


READER_SUFFIX = "_reader"
"""Behind the name of a database: the role that can only read what reconcile reads."""


async def provision_postgres(dsn: str, passwords: Mapping[str, str]) -> None:
    """Makes for each name a database `bdcan_<name>`, the role that runs on it, and the role that owns it.

    `passwords` has each name, each name with `_owner` behind it, and, where somebody reconciles, with `_reader`. They are set
    again where the roles exist.

    Raises:
        PlatformError: the server refuses.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise PlatformError(
            f"PostgreSQL could not be set up: {error}", "Check the address and the administrator's password."
        ) from error
    try:
        names = [name for name in passwords if not name.endswith((OWNER_SUFFIX, READER_SUFFIX))]
        for name in names:
            await make_database(connection, f"bdcan_{name}", passwords[name], passwords[name + OWNER_SUFFIX])
        await close_to_public(connection)
        for name in names:
            await _hand_over(dsn, f"bdcan_{name}")
            if (password := passwords.get(name + READER_SUFFIX)) is not None:
                await _make_reader(dsn, name, password)
    finally:
        await connection.close()


EXPORTER = "bdcan_exporter"
"""The role of PostgreSQL's exporter for Prometheus: it sees the server's statistics, and no table."""


async def provision_exporter(dsn: str, password: str) -> None:
    """Makes the role of the exporter, which connects to the database `postgres`."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await _make_role(connection, EXPORTER, password)
        await _execute(connection, "ALTER ROLE %I CONNECTION LIMIT 5", EXPORTER)
        await _execute(connection, "GRANT pg_monitor TO %I", EXPORTER)
        await _execute(connection, "GRANT CONNECT ON DATABASE postgres TO %I", EXPORTER)
    finally:
        await connection.close()


async def make_database(
    connection: asyncpg.Connection, role: str, password: str, owner_password: str
) -> None:
    """A database named as the role that runs on it, owned by another role (`<role>_owner`), closed to all others."""
    owner = role + OWNER_SUFFIX
    for name, secret in ((role, password), (owner, owner_password)):
        await _make_role(connection, name, secret)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", role):
        await _execute(connection, "CREATE DATABASE %I OWNER %I", role, owner)
    await _execute(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", role)
    await _execute(connection, "GRANT CONNECT ON DATABASE %I TO %I", role, role)


async def _make_role(connection: asyncpg.Connection, name: str, password: str) -> None:
    exists = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name)
    verb = "ALTER" if exists else "CREATE"
    await _execute(
        connection,
        f"{verb} ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L",
        name,
        password,
    )


async def _make_reader(dsn: str, name: str, password: str) -> None:
    """The role that reconciles: it has the columns that it reads of tables that exist, and nothing else."""
    database = f"bdcan_{name}"
    role = database + READER_SUFFIX
    connection = await asyncpg.connect(dsn.rpartition("/")[0] + f"/{database}", timeout=10)
    try:
        async with connection.transaction():  # who reconciles meanwhile never finds a table closed
            await _make_role(connection, role, password)
            await _execute(connection, "ALTER ROLE %I SET default_transaction_read_only = on", role)
            await _execute(connection, "ALTER ROLE %I CONNECTION LIMIT 5", role)
            await _execute(connection, "GRANT CONNECT ON DATABASE %I TO %I", database, role)
            for schema in ("public", "chassis"):
                if await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema):
                    await _execute(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I", schema, role)
                    await _execute(connection, "GRANT USAGE ON SCHEMA %I TO %I", schema, role)
            for table, columns in READS[name.replace("_", "-")].items():
                found = await connection.fetch(_COLUMNS, table, list(columns))
                if found:
                    listed = ", ".join(row["name"] for row in found)
                    await _execute(connection, f"GRANT SELECT ({listed}) ON {table} TO %I", role)
    finally:
        await connection.close()


async def close_to_public(connection: asyncpg.Connection) -> None:
    """Nobody but a superuser connects to the databases that every server has."""
    await connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")


async def _hand_over(dsn: str, role: str) -> None:
    """Where the role that runs owned its database before, all of it goes to the owner."""
    connection = await asyncpg.connect(dsn.rpartition("/")[0] + f"/{role}", timeout=10)
    try:
        if await connection.fetchval(_STILL_OWNS, role):
            await _execute(connection, "REASSIGN OWNED BY %I TO %I", role, role + OWNER_SUFFIX)
    finally:
        await connection.close()


async def _execute(connection: asyncpg.Connection, template: str, *values: str) -> None:
    # DDL takes no parameters; format() with %I and %L quotes
    await connection.execute(
        await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", template, list(values))
    )


_COLUMNS = """
SELECT quote_ident(attname) AS name FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attname = ANY ($2::text[]) AND NOT attisdropped
"""

_STILL_OWNS = """
SELECT EXISTS (
    SELECT FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
    WHERE r.rolname = $1 AND d.deptype = 'o' AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
)
"""
