"""What the topic catalogue means for a cluster: its topics, and who may do what. Pure: values in, values out.

A Kafka user is named after its service (`bdcan-intake`). Only a topic's writers may write to it; its owner and its
consumers may read it; a service may use only consumer groups under its own name. A system outside may use the topics
that it was given, and only groups and transactional ids under its own name. Everything else is denied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from bdcan_contracts.envelope import Topic
from bdcan_contracts.upstreams import Upstream

UPSTREAM = "upstream"
"""What the catalogue calls the upstream systems: each of them has users and topics of its own."""
OUTSIDE = (f"{UPSTREAM}-", "consumer-")
"""How the names of systems outside begin."""
RECONCILE = "bdcan-reconcile"
"""Who reconciles: it may see where topics end and how far groups have come, and no record."""
EXPORTER = "bdcan-exporter"
"""Kafka's exporter for Prometheus, which compose has: it may see the same."""
LONGEST_SEGMENT = timedelta(days=1)
"""So much longer than its time may Kafka keep a record."""
PULSE = "bdcan.routing.pulse"
"""The Faust application in routing: the one program that makes topics (changelogs) of its own."""


class ResourceType(IntEnum):
    """Kafka's numbers for what an ACL is about."""

    TOPIC = 2
    GROUP = 3
    TRANSACTIONAL_ID = 5


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


@dataclass(frozen=True)
class Outsider:
    """A system outside that uses Kafka.

    Its users are so called, or so with a dot and a number behind it; so begin its groups and transactional ids, with a
    dot behind it. `users`: those that may log in now.
    """

    name: str
    users: tuple[str, ...]
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def kafka_user(service: str) -> str:
    """The Kafka user of a service."""
    return f"bdcan-{service}"


def users(topics: Iterable[Topic], outsiders: Iterable[Outsider] = ()) -> list[str]:
    """Every user of a service that the catalogue knows, of those who watch, and of a system outside, sorted."""
    services = _of_services(topics)
    ours = services | {RECONCILE, EXPORTER} if services else services
    return sorted(ours.union(*(outsider.users for outsider in outsiders)))


def topic_specs(topics: Iterable[Topic], upstreams: Iterable[Upstream] = ()) -> list[TopicSpec]:
    """The catalogue's topics with their settings, each with the upstream systems' own topics like it behind it."""
    return [
        TopicSpec(name, topic.partitions, tuple(sorted(_config(topic).items())))
        for topic in topics
        for name in (topic.name, *_own(topic, upstreams))
    ]


def grants(topics: Sequence[Topic], outsiders: Iterable[Outsider] = ()) -> list[Grant]:
    """All permissions, sorted, without doubles."""
    found: set[Grant] = set()
    for topic in topics:
        patterns = [(topic.name, Pattern.LITERAL)]
        if topic.per_sender:  # also those of upstream systems that are added later
            patterns.append((topic.of_sender(""), Pattern.PREFIXED))
        for name, pattern in patterns:
            for user in _writers(topic):
                found |= _allow(user, ResourceType.TOPIC, name, pattern, Operation.WRITE, Operation.DESCRIBE)
            for user in _readers(topic):
                found |= _allow(user, ResourceType.TOPIC, name, pattern, Operation.READ, Operation.DESCRIBE)
    for user in _of_services(topics):
        found |= _groups(user, f"bdcan.{user.removeprefix('bdcan-')}.")
    for watcher in (RECONCILE, EXPORTER) if topics else ():
        for topic in topics:
            if not topic.per_sender:
                found |= _allow(watcher, ResourceType.TOPIC, topic.name, Pattern.LITERAL, Operation.DESCRIBE)
        found |= _allow(watcher, ResourceType.GROUP, "bdcan.", Pattern.PREFIXED, Operation.DESCRIBE)
    for outsider in outsiders:
        for user in outsider.users:
            found |= _outside(outsider, user)
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
    existing: Iterable[Grant], topics: Sequence[Topic], outsiders: Iterable[Outsider] = ()
) -> list[Grant]:
    """Permissions that nobody gives, or gives any longer, to users named like ours; those of other users are not ours."""
    wanted = set(grants(topics, outsiders))
    return sorted(
        grant
        for grant in existing
        if grant not in wanted and grant.user.startswith((kafka_user(""), *OUTSIDE))
    )


def _of_services(topics: Iterable[Topic]) -> set[str]:
    return {user for topic in topics for user in (*_writers(topic), *_readers(topic))}


def _own(topic: Topic, upstreams: Iterable[Upstream]) -> list[str]:
    if not topic.per_sender:
        return []
    return [
        name
        for upstream in upstreams
        for name in (upstream.inbound_topic, upstream.receipts_topic)
        if name is not None and name == topic.of_sender(upstream.name)
    ]


def _outside(outsider: Outsider, user: str) -> set[Grant]:
    prefix = f"{outsider.name}."
    found = _groups(user, prefix) if outsider.reads else set[Grant]()
    for name in outsider.reads:
        found |= _allow(user, ResourceType.TOPIC, name, Pattern.LITERAL, Operation.READ, Operation.DESCRIBE)
    for name in outsider.writes:
        found |= _allow(user, ResourceType.TOPIC, name, Pattern.LITERAL, Operation.WRITE, Operation.DESCRIBE)
    if outsider.writes:
        transactional = (ResourceType.TRANSACTIONAL_ID, prefix, Pattern.PREFIXED)
        found |= _allow(user, *transactional, Operation.WRITE, Operation.DESCRIBE)
    return found


def _groups(user: str, prefix: str) -> set[Grant]:
    return _allow(user, ResourceType.GROUP, prefix, Pattern.PREFIXED, Operation.READ, Operation.DESCRIBE)


def _config(topic: Topic) -> dict[str, str]:
    # clients outside read gzip without an extra library; the broker packs at level 1, aiokafka would at 9 (ADR 22)
    readable = (
        {} if UPSTREAM in topic.writers else {"compression.type": "gzip", "compression.gzip.level": "1"}
    )
    if topic.compacted:
        # a reader that was away for a week must still see that something was deleted
        seven_days = _milliseconds(timedelta(days=7))
        return readable | {"cleanup.policy": "compact", "delete.retention.ms": seven_days}
    if topic.retention is None:
        return readable | {"cleanup.policy": "delete", "retention.ms": "-1"}
    # Kafka deletes whole segments, by their newest record: one that is a week long would keep its oldest a week too long
    segment = min(LONGEST_SEGMENT, topic.retention)
    return readable | {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(topic.retention),
        "segment.ms": _milliseconds(segment),
    }


def _milliseconds(span: timedelta) -> str:
    return str(int(span / timedelta(milliseconds=1)))


def _writers(topic: Topic) -> set[str]:
    return _named(topic.writers)


def _readers(topic: Topic) -> set[str]:
    return _named((topic.owner, *(consumer.service for consumer in topic.consumers)))


def _named(services: Iterable[str]) -> set[str]:
    return {kafka_user(service) for service in services if service != UPSTREAM}


def _allow(
    user: str, resource: ResourceType, name: str, pattern: Pattern, *operations: Operation
) -> set[Grant]:
    return {Grant(user, resource, name, pattern, operation) for operation in operations}
