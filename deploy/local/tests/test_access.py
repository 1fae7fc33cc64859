"""The users and permissions that follow from the catalogue."""

from datetime import UTC, datetime, timedelta

from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.envelope import Reader, Topic
from bdcan_contracts.upstreams import Upstream, Upstreams
from bdcan_local.access import (
    Operation,
    Outsider,
    Pattern,
    ResourceType,
    grants,
    superfluous,
    topic_specs,
    users,
)
from bdcan_local.outside import Holder, KafkaUser, Outside, outsiders


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
INBOUND, RECEIPTS = INBOUND_REFERRALS, INBOUND_RECEIPTS
SURGERY = Upstream(
    "river-surgery",
    inbound_topic=INBOUND.of_sender("river-surgery"),
    receipts_topic=RECEIPTS.of_sender("river-surgery"),
)
DEMO = Upstream("demo", ("faith-forum",), INBOUND.name, RECEIPTS.name)
BOTH = Upstreams((DEMO, SURGERY))
NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
KEPT = Outside(
    holders=(
        Holder("upstream-demo", 1, (KafkaUser("upstream-demo"),)),
        Holder(
            "upstream-river-surgery",
            3,
            (
                KafkaUser("upstream-river-surgery.2", NOW + timedelta(days=1)),
                KafkaUser("upstream-river-surgery.3"),
            ),
        ),
    )
)


def may(user: str, operation: Operation, name: str) -> bool:
    allowed = grants((*TOPICS, INBOUND, RECEIPTS), outsiders(BOTH, KEPT, NOW))
    return any(
        grant.user == user and grant.resource is ResourceType.TOPIC and grant.operation is operation
        for grant in allowed
        if (grant.pattern is Pattern.LITERAL and grant.name == name)
        or (grant.pattern is Pattern.PREFIXED and name.startswith(grant.name))
    )


def test_each_upstream_system_writes_and_reads_its_own_topics_alone() -> None:
    own = {
        "upstream-demo": (INBOUND.name, RECEIPTS.name),
        "upstream-river-surgery.2": (SURGERY.inbound_topic, SURGERY.receipts_topic),
        "upstream-river-surgery.3": (SURGERY.inbound_topic, SURGERY.receipts_topic),
    }
    for user, (inbound, receipts) in own.items():
        for name in (INBOUND.name, RECEIPTS.name, SURGERY.inbound_topic, SURGERY.receipts_topic):
            assert name is not None
            assert may(user, Operation.WRITE, name) == (name == inbound)
            assert may(user, Operation.READ, name) == (name == receipts)


def test_intake_serves_every_sender_also_one_that_is_added_later() -> None:
    for sender in ("river-surgery", "added-later"):
        assert may("bdcan-intake", Operation.READ, INBOUND.of_sender(sender))
        assert not may("bdcan-intake", Operation.WRITE, INBOUND.of_sender(sender))
        assert may("bdcan-intake", Operation.WRITE, RECEIPTS.of_sender(sender))
    assert not may("bdcan-foodhub", Operation.READ, RECEIPTS.of_sender("river-surgery"))


def test_name_that_begins_like_another_opens_nothing_of_it() -> None:
    longer = Outsider("upstream-river", ("upstream-river",), writes=("in",), reads=("out",))
    prefixes = {g.name for g in grants((), [longer]) if g.pattern is Pattern.PREFIXED}
    assert prefixes == {"upstream-river."}
    assert not any("upstream-river-surgery.x".startswith(prefix) for prefix in prefixes)


def test_sender_has_transactional_ids_and_groups_under_its_name() -> None:
    allowed = {(g.user, g.resource, g.operation) for g in grants((), outsiders(BOTH, KEPT, NOW))}
    for operation in (Operation.WRITE, Operation.DESCRIBE):
        assert ("upstream-river-surgery.3", ResourceType.TRANSACTIONAL_ID, operation) in allowed
    for operation in (Operation.READ, Operation.DESCRIBE):
        assert ("upstream-river-surgery.3", ResourceType.GROUP, operation) in allowed


def test_user_whose_time_is_over_and_revoked_sender_have_nothing() -> None:
    later = NOW + timedelta(days=2)
    assert users((), outsiders(BOTH, KEPT, later)) == ["upstream-demo", "upstream-river-surgery.3"]
    revoked = Upstreams(
        (DEMO, Upstream("river-surgery", (), SURGERY.inbound_topic, SURGERY.receipts_topic, revoked_at=NOW))
    )
    assert users((), outsiders(revoked, KEPT, NOW)) == ["upstream-demo"]
    left = superfluous(grants((), outsiders(BOTH, KEPT, NOW)), (), outsiders(revoked, KEPT, NOW))
    assert {grant.user for grant in left} == {"upstream-river-surgery.2", "upstream-river-surgery.3"}


def test_topics_of_a_sender_are_like_their_base() -> None:
    specs = {spec.name: spec for spec in topic_specs((INBOUND, RECEIPTS), BOTH)}
    assert set(specs) == {INBOUND.name, RECEIPTS.name, SURGERY.inbound_topic, SURGERY.receipts_topic}
    own, base = specs[SURGERY.inbound_topic or ""], specs[INBOUND.name]
    assert (own.partitions, own.config) == (base.partitions, base.config)


def test_consumer_reads_and_does_not_write() -> None:
    assert may("bdcan-foodhub", Operation.READ, "bdcan.routing.hubs.v1")
    assert not may("bdcan-foodhub", Operation.WRITE, "bdcan.routing.hubs.v1")


def test_groups_of_a_service_carry_its_name() -> None:
    groups = {
        (grant.user, grant.name)
        for grant in grants(TOPICS, outsiders(BOTH, KEPT, NOW))
        if grant.resource is ResourceType.GROUP
    }
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
    assert dict(plain.config) == {
        "cleanup.policy": "delete",
        "retention.ms": "172800000",
        "segment.ms": "86400000",
    }
    assert dict(compacted.config)["compression.type"] == "gzip"  # systems outside read what a service writes
    assert dict(compacted.config)["cleanup.policy"] == "compact"


def test_every_writer_and_consumer_of_the_catalogue_is_a_user() -> None:
    names = users(CATALOGUE.topics)
    assert {
        "bdcan-intake",
        "bdcan-routing",
        "bdcan-volunteer-match",
        "bdcan-foodhub",
        "bdcan-escalation",
        "bdcan-reconcile",
        "bdcan-exporter",
    } == set(names)
