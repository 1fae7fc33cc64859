"""The users and permissions that follow from the catalogue."""

from datetime import timedelta

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import Reader, Topic
from bdcan_local.access import Grant, Operation, Pattern, ResourceType, grants, topic_specs, users


def topic(
    name: str, owner: str, *, compacted: bool = False, writers: tuple[str, ...], readers: tuple[str, ...]
) -> Topic:
    return Topic(
        name=name,
        owner=owner,
        purpose="test",
        key="id",
        traffic_class="normal",
        partitions=3,
        retention=None if compacted else timedelta(days=2),
        compacted=compacted,
        event_types=(),
        writers=writers,
        consumers=tuple(Reader(reader, ()) for reader in readers),
    )


TOPICS = (
    topic("bdcan.intake.inbound-referrals.v1", "intake", writers=("upstream",), readers=("intake",)),
    topic("bdcan.routing.hubs.v1", "routing", compacted=True, writers=("routing",), readers=("foodhub",)),
)


def may(user: str, operation: Operation, name: str) -> bool:
    return Grant(user, ResourceType.TOPIC, name, Pattern.LITERAL, operation) in grants(TOPICS)


def test_only_upstream_writes_its_topic() -> None:
    assert may("upstream-demo", Operation.WRITE, "bdcan.intake.inbound-referrals.v1")
    assert not may("upstream-demo", Operation.READ, "bdcan.intake.inbound-referrals.v1")
    assert not may("bdcan-intake", Operation.WRITE, "bdcan.intake.inbound-referrals.v1")
    assert may("bdcan-intake", Operation.READ, "bdcan.intake.inbound-referrals.v1")


def test_consumer_reads_and_does_not_write() -> None:
    assert may("bdcan-foodhub", Operation.READ, "bdcan.routing.hubs.v1")
    assert not may("bdcan-foodhub", Operation.WRITE, "bdcan.routing.hubs.v1")


def test_groups_of_a_service_carry_its_name() -> None:
    groups = {(grant.user, grant.name) for grant in grants(TOPICS) if grant.resource is ResourceType.GROUP}
    assert ("bdcan-intake", "bdcan.intake.") in groups
    assert ("upstream-demo", "upstream-demo.") in groups
    assert all(
        grant.pattern is Pattern.PREFIXED for grant in grants(TOPICS) if grant.resource is ResourceType.GROUP
    )


def test_only_routing_creates_topics_and_only_under_its_name() -> None:
    created = [grant for grant in grants(TOPICS) if grant.operation is Operation.CREATE]
    assert [(grant.user, grant.name) for grant in created] == [("bdcan-routing", "bdcan.routing.pulse")]


def test_topic_settings_follow_retention_and_compaction() -> None:
    plain, compacted = topic_specs(TOPICS)
    assert dict(plain.config) == {"cleanup.policy": "delete", "retention.ms": "172800000"}
    assert dict(compacted.config)["cleanup.policy"] == "compact"


def test_every_writer_and_consumer_of_the_catalogue_is_a_user() -> None:
    names = users(CATALOGUE.topics)
    assert "upstream-demo" in names
    assert {
        "bdcan-intake",
        "bdcan-routing",
        "bdcan-volunteer-match",
        "bdcan-foodhub",
        "bdcan-escalation",
    } < set(names)
    assert "bdcan-upstream" not in names
