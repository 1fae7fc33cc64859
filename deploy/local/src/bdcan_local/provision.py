"""Makes a cluster and a database server as the services need them. Can be run again and again: it only adds.

Kafka: users with passwords, topics, settings, permissions, all from the catalogue. More partitions and another
retention are applied to topics that exist; no topic is ever deleted or gets fewer partitions. Permissions that the catalogue
no longer gives are named, and taken away when asked to: an older catalogue must not lock a newer release out by itself.
PostgreSQL: a role and a database for each service, closed to every other role.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from bdcan_contracts.envelope import Topic
from bdcan_local import access
from bdcan_local.errors import PlatformError


async def provision_kafka(
    client: Mapping[str, Any],
    topics: Sequence[Topic],
    passwords: Mapping[str, str],
    replicas: int = 1,
    *,
    revoke: bool = False,
) -> list[access.Grant]:
    """Brings the cluster up to date. Returns the permissions of our users that the catalogue does not give.

    Args:
        client: an administrator's aiokafka options (`kafka.client_options`).
        topics: the catalogue's topics.
        passwords: of every user in `access.users(topics)`.
        replicas: copies of each new topic's partitions.
        revoke: take away what is returned.

    Raises:
        PlatformError: the cluster refuses something.
    """
    from confluent_kafka import KafkaException

    from bdcan_local.cluster import Cluster

    def work() -> list[access.Grant]:
        with Cluster(client) as cluster:
            cluster.set_passwords(passwords)
            cluster.make_topics(access.topic_specs(topics), replicas)
            cluster.grant(access.grants(topics))
            cluster.wait_until_ready(access.topic_specs(topics))
            left = access.superfluous(cluster.grants(), topics)
            if left and revoke:
                cluster.revoke(left)
            return left

    try:
        return await asyncio.to_thread(work)
    except KafkaException as error:
        raise PlatformError(
            f"Kafka could not be set up: {error}", "Check the address and the administrator's password."
        ) from error


async def provision_postgres(dsn: str, passwords: Mapping[str, str]) -> None:
    """Makes a role and its database for each name, `bdcan_<name>`; sets the passwords again if they exist.

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
        for name, password in passwords.items():
            await _make_database(connection, f"bdcan_{name}", password)
    finally:
        await connection.close()


async def _make_database(connection: asyncpg.Connection, name: str, password: str) -> None:
    exists = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name)
    verb = "ALTER" if exists else "CREATE"
    # DDL takes no parameters; format() with %I and %L quotes
    for template, values in (
        (f"{verb} ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L", (name, password)),
        ("CREATE DATABASE %I OWNER %I", (name, name)),
        ("REVOKE ALL ON DATABASE %I FROM PUBLIC", (name,)),
    ):
        if template.startswith("CREATE DATABASE") and await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name
        ):
            continue
        await connection.execute(
            await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", template, values)
        )
