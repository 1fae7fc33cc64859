"""What the topic catalogue means for a cluster: its topics, and who may do what. Pure: values in, values out.

A Kafka user is named after its service (`bdcan-intake`). Only a topic's writers may write to it; its owner and its
consumers may read it; a service may use only consumer groups under its own name. Everything else is denied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from bdcan_contracts.envelope import Topic

UPSTREAM = "upstream"
"""What the catalogue calls the systems outside."""
UPSTREAM_USERS = ("upstream-demo",)
"""The users of those systems on a local machine: one, played by the simulator."""
UPSTREAM_SOURCES = ("riverside-surgery", "heath-pharmacy", "faith-forum")
"""Whom these users submit referrals as: Kafka does not tell intake who wrote a record."""
PULSE = "bdcan.routing.pulse"
"""The Faust application in routing: the one program that makes topics (changelogs) of its own."""


class ResourceType(IntEnum):
    """Kafka's numbers for what an ACL is about."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    """Kafka's numbers for how a resource is named."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Kafka's numbers for what is allowed."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


@dataclass(frozen=True)
class TopicSpec:
    """A topic as the cluster should have it."""

    name: str
    partitions: int
    config: tuple[tuple[str, str], ...]


@dataclass(frozen=True, order=True)
class Grant:
    """One permission: a user may do one operation on a resource, from any host."""

    user: str
    resource: ResourceType
    name: str
    pattern: Pattern
    operation: Operation


def kafka_user(service: str) -> str:
    """The Kafka user of a service."""
    return f"bdcan-{service}"


def users(topics: Iterable[Topic], upstream: Sequence[str] = UPSTREAM_USERS) -> list[str]:
    """Every user that the catalogue knows, sorted."""
    return sorted(
        {user for topic in topics for user in (*_writers(topic, upstream), *_readers(topic, upstream))}
    )


def topic_specs(topics: Iterable[Topic]) -> list[TopicSpec]:
    """The catalogue's topics with their settings."""
    return [
        TopicSpec(topic.name, topic.partitions, tuple(sorted(_config(topic).items()))) for topic in topics
    ]


def grants(topics: Sequence[Topic], upstream: Sequence[str] = UPSTREAM_USERS) -> list[Grant]:
    """All permissions, sorted, without doubles."""
    found: set[Grant] = set()
    for topic in topics:
        for user in _writers(topic, upstream):
            found |= _allow(
                user, ResourceType.TOPIC, topic.name, Pattern.LITERAL, Operation.WRITE, Operation.DESCRIBE
            )
        for user in _readers(topic, upstream):
            found |= _allow(
                user, ResourceType.TOPIC, topic.name, Pattern.LITERAL, Operation.READ, Operation.DESCRIBE
            )
    for user in users(topics, upstream):
        prefix = f"{user}." if user in upstream else f"bdcan.{user.removeprefix('bdcan-')}."
        found |= _allow(
            user, ResourceType.GROUP, prefix, Pattern.PREFIXED, Operation.READ, Operation.DESCRIBE
        )
    if any(topic.owner == "routing" for topic in topics):
        own = (
            Operation.CREATE,
            Operation.READ,
            Operation.WRITE,
            Operation.DESCRIBE,
            Operation.DESCRIBE_CONFIGS,
        )
        found |= _allow(kafka_user("routing"), ResourceType.TOPIC, PULSE, Pattern.PREFIXED, *own)
    return sorted(found)


def superfluous(
    existing: Iterable[Grant], topics: Sequence[Topic], upstream: Sequence[str] = UPSTREAM_USERS
) -> list[Grant]:
    """Permissions of our users that the catalogue does not, or no longer, give them; those of other users are not ours."""
    wanted = set(grants(topics, upstream))
    return sorted(
        grant
        for grant in existing
        if grant not in wanted and (grant.user in upstream or grant.user.startswith(kafka_user("")))
    )


def _config(topic: Topic) -> dict[str, str]:
    if topic.compacted:
        # a reader that was away for a week must still see that something was deleted
        return {"cleanup.policy": "compact", "delete.retention.ms": _milliseconds(timedelta(days=7))}
    retention = "-1" if topic.retention is None else _milliseconds(topic.retention)
    return {"cleanup.policy": "delete", "retention.ms": retention}


def _milliseconds(span: timedelta) -> str:
    return str(int(span / timedelta(milliseconds=1)))


def _writers(topic: Topic, upstream: Sequence[str]) -> set[str]:
    return _named(topic.writers, upstream)


def _readers(topic: Topic, upstream: Sequence[str]) -> set[str]:
    return _named((topic.owner, *(consumer.service for consumer in topic.consumers)), upstream)


def _named(services: Iterable[str], upstream: Sequence[str]) -> set[str]:
    names: set[str] = set()
    for service in services:
        names |= set(upstream) if service == UPSTREAM else {kafka_user(service)}
    return names


def _allow(
    user: str, resource: ResourceType, name: str, pattern: Pattern, *operations: Operation
) -> set[Grant]:
    return {Grant(user, resource, name, pattern, operation) for operation in operations}
