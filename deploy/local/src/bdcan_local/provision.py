"""Makes a cluster and a database server as the services need them. Can be run again and again: it only adds.

Kafka: users with passwords, topics, settings, permissions, all from the catalogue. More partitions and another
retention are applied to topics that exist; no topic is ever deleted or gets fewer partitions. Permissions that the catalogue
no longer gives are named, and taken away when asked to: an older catalogue must not lock a newer release out by itself.
PostgreSQL: a role and a database for each service, closed to every other role.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from bdcan_contracts.envelope import Topic
from bdcan_local import access
from bdcan_local.errors import NotReadyError, PlatformError

_LIMIT_SECONDS = 60.0


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
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(**client)
    try:
        await admin.start()
        await _set_passwords(admin, passwords)
        await _make_topics(admin, access.topic_specs(topics), replicas)
        await _grant(admin, access.grants(topics))
        await _wait_for_leaders(admin, access.topic_specs(topics))
        await _wait_for_groups(admin)
        return await _superfluous(admin, topics, revoke=revoke)
    except (KafkaError, TimeoutError) as error:
        raise PlatformError(
            f"Kafka could not be set up: {error!r}", "Check the address and the administrator's password."
        ) from error
    finally:
        await admin.close()


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


async def _set_passwords(admin: Any, passwords: Mapping[str, str]) -> None:
    from aiokafka.errors import for_code

    from bdcan_local.kafka_admin import UpsertScramUsers

    response = await admin._send_to_controller(UpsertScramUsers(passwords))  # noqa: SLF001 - aiokafka has no public door
    for user, code, message, *_ in response.results:
        if code:
            raise for_code(code)(f"{user}: {message}")


async def _make_topics(admin: Any, specs: Sequence[access.TopicSpec], replicas: int) -> None:
    from aiokafka.admin import NewPartitions, NewTopic
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
    from aiokafka.errors import for_code

    existing = {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics()
        if not topic["error_code"]
    }
    new = [spec for spec in specs if spec.name not in existing]
    if new:
        made = await admin.create_topics(
            [NewTopic(spec.name, spec.partitions, replicas, topic_configs=dict(spec.config)) for spec in new]
        )
        for name, code, *_ in made.topic_errors:
            if code:
                raise for_code(code)(name)
    old = [spec for spec in specs if spec.name in existing]
    grown = {
        spec.name: NewPartitions(spec.partitions) for spec in old if spec.partitions > existing[spec.name]
    }
    if grown:
        await admin.create_partitions(grown)
    if old:
        resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name, dict(spec.config)) for spec in old]
        for response in await admin.alter_configs(resources):
            for code, message, _, name in response.resources:
                if code:
                    raise for_code(code)(f"{name}: {message}")


async def _grant(admin: Any, grants: Sequence[access.Grant]) -> None:
    from aiokafka.errors import for_code

    from bdcan_local.kafka_admin import CreateGrants

    response = await admin._send_to_controller(CreateGrants(grants))  # noqa: SLF001 - aiokafka has no public door
    for code, message in response.creation_responses:
        if code:
            raise for_code(code)(message)


async def _superfluous(admin: Any, topics: Sequence[Topic], *, revoke: bool) -> list[access.Grant]:
    from aiokafka.errors import for_code

    from bdcan_local.kafka_admin import DeleteGrants, ListGrants, found_grants

    response = await admin._send_to_controller(ListGrants())  # noqa: SLF001 - aiokafka has no public door
    if response.error_code:
        raise for_code(response.error_code)(response.error_message)
    found = access.superfluous(found_grants(response), topics)
    if found and revoke:
        deleted = await admin._send_to_controller(DeleteGrants(found))  # noqa: SLF001 - as above
        for code, message, _ in deleted.filter_responses:
            if code:
                raise for_code(code)(message)
    return found


async def _wait_for_leaders(admin: Any, specs: Sequence[access.TopicSpec]) -> None:
    end = time.monotonic() + _LIMIT_SECONDS
    wanted = {spec.name: spec.partitions for spec in specs}
    while wanted:
        described = await admin.describe_topics(list(wanted))
        if all(
            len(topic["partitions"]) >= wanted[topic["topic"]]
            and all(partition["leader"] >= 0 for partition in topic["partitions"])
            for topic in described
        ):
            return
        if time.monotonic() > end:
            raise NotReadyError("the topics have no leaders after a minute", "Look at the broker's log.")
        await asyncio.sleep(0.1)


async def _wait_for_groups(admin: Any) -> None:
    """A new cluster makes the topic of consumer groups at the first question for one; every service would log errors."""
    from aiokafka.errors import KafkaError

    end = time.monotonic() + _LIMIT_SECONDS
    while True:
        try:
            await admin.find_coordinator("bdcan")
        except KafkaError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            return
