"""A Kafka cluster as its administrator sees it: passwords, topics, permissions. Every call can be repeated.

All calls raise KafkaException when the cluster refuses, and block: call them in a thread.
"""

# pyright: reportPrivateImportUsage=false
# confluent_kafka.admin is the documented place of these names, but its __init__ does not export them for type checkers

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from bdcan_local.access import Grant, Operation, Pattern, TopicSpec
from bdcan_local.access import ResourceType as Resource
from bdcan_local.errors import NotReadyError

_LIMIT_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_ITERATIONS = 8192
_EVERYWHERE = "*"

Place = tuple[str, str, int]
"""A consumer group, a topic and a partition."""


class Cluster:
    """A cluster, reached with an administrator's aiokafka options (`kafka.client_options`).

    Use it in a `with`: librdkafka may wait for its thread without end if it is freed after the broker has died.
    """

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._admin = AdminClient(
            {
                "bootstrap.servers": client["bootstrap_servers"],
                "security.protocol": client["security_protocol"],
                "sasl.mechanism": client["sasl_mechanism"],
                "sasl.username": client["sasl_plain_username"],
                "sasl.password": client["sasl_plain_password"],
                "log_level": 0,  # a broker that is starting refuses, and the caller reports it
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._admin.__exit__(*error)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Set the users' passwords; make the users that do not exist. The passwords themselves are never sent."""
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        _finish(
            self._admin.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(user, how, password.encode())
                    for user, password in passwords.items()
                ]
            )
        )

    def remove_users(self, users: Sequence[str]) -> None:
        """Take away all permissions of these users, which ends what they do at once, and give them passwords that nobody knows."""
        any_text: Any = None
        theirs = [
            AclBindingFilter(
                ResourceType.ANY,
                any_text,
                ResourcePatternType.ANY,
                f"User:{user}",
                any_text,
                AclOperation.ANY,
                AclPermissionType.ANY,
            )
            for user in users
        ]
        if theirs:
            _finish(self._admin.delete_acls(theirs))
            self._wait(lambda: not any(self._admin.describe_acls(one).result() for one in theirs))
        # not deleted: a broker that starts again after many deletions may know none of its users any more (Kafka 4.3)
        if users:
            self.set_passwords({user: secrets.token_urlsafe(32) for user in users})

    def make_topics(self, specs: Sequence[TopicSpec], replicas: int) -> None:
        """Make the topics that do not exist. Add partitions to the others, and apply their settings."""
        existing = self.partitions()
        new = [spec for spec in specs if spec.name not in existing]
        old = [spec for spec in specs if spec.name in existing and spec.config]
        grown = [spec for spec in specs if spec.partitions > existing.get(spec.name, spec.partitions)]
        if new:
            _finish(
                self._admin.create_topics(
                    [NewTopic(spec.name, spec.partitions, replicas, config=dict(spec.config)) for spec in new]
                )
            )
        if grown:
            _finish(
                self._admin.create_partitions([NewPartitions(spec.name, spec.partitions) for spec in grown])
            )
        if old:
            _finish(self._admin.incremental_alter_configs([_settings(spec) for spec in old]))

    def grant(self, grants: Sequence[Grant]) -> None:
        """Add permissions; those that exist stay as they are."""
        _finish(self._admin.create_acls([_binding(grant, AclBinding) for grant in grants]))

    def grants(self) -> list[Grant]:
        """The permissions that we could have asked for; any other that somebody has set is left out."""
        any_text: Any = None
        anything = AclBindingFilter(
            ResourceType.ANY,
            any_text,
            ResourcePatternType.ANY,
            any_text,
            any_text,
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        return [
            Grant(
                acl.principal.removeprefix("User:"),
                Resource[acl.restype.name],
                acl.name,
                Pattern[acl.resource_pattern_type.name],
                Operation[acl.operation.name],
            )
            for acl in self._admin.describe_acls(anything).result()
            if acl.host == _EVERYWHERE
            and acl.principal.startswith("User:")
            and acl.restype.name in Resource.__members__
            and acl.resource_pattern_type.name in Pattern.__members__
            and acl.operation.name in Operation.__members__
        ]

    def revoke(self, grants: Sequence[Grant]) -> None:
        """Take exactly these permissions away."""
        _finish(self._admin.delete_acls([_binding(grant, AclBindingFilter) for grant in grants]))

    def partitions(self) -> dict[str, int]:
        """Each topic with its number of partitions."""
        found = self._admin.list_topics(timeout=_LIMIT_SECONDS).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def settings(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        """The settings of topics."""
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
        found = self._admin.describe_configs(asked) if asked else {}
        return {
            resource.name: {name: entry.value for name, entry in settings.result().items()}
            for resource, settings in found.items()
        }

    def identity(self) -> str:
        """The cluster's own id: another cluster has other records at the same places."""
        return self._admin.describe_cluster().result().cluster_id

    def groups(self) -> list[str]:
        """All consumer groups."""
        return [group.group_id for group in self._admin.list_consumer_groups().result().valid]

    def positions(self, groups: Sequence[str]) -> dict[Place, int]:
        """The offset that each group has committed for each partition; where it has committed none, nothing."""
        found: dict[Place, int] = {}
        for group in groups:
            asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
            for place in asked[group].result().topic_partitions or ():
                if place.offset >= 0:
                    found[group, place.topic, place.partition] = place.offset
        return found

    def set_positions(self, positions: Mapping[Place, int]) -> None:
        """Commit offsets, as soon as nobody reads in these groups: a reader that was killed counts until its session ends."""
        by_group: dict[str, list[TopicPartition]] = {}
        for (group, topic, partition), offset in positions.items():
            by_group.setdefault(group, []).append(TopicPartition(topic, partition, offset))
        self._wait(lambda: not self._read_now(list(by_group)))
        for group, places in by_group.items():
            asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])
            for place in asked[group].result().topic_partitions or ():
                if place.error is not None:
                    raise KafkaException(place.error)

    def ranges(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, int]]:
        """Where the records of these partitions begin and end. A partition that is not there is left out."""
        known = {(name, number) for name, count in self.partitions().items() for number in range(count)}
        wanted = [TopicPartition(*place) for place in sorted(set(partitions) & known)]
        if not wanted:
            return {}
        first, last = self._offsets(wanted, OffsetSpec.earliest()), self._offsets(wanted, OffsetSpec.latest())
        return {place: (first[place], last[place]) for place in first}

    def wait_until_ready(self, specs: Sequence[TopicSpec]) -> None:
        """Wait until each partition has a leader, and consumer groups can be formed. Raises NotReadyError.

        A new cluster makes its topic of groups at the first question for one; every service would log errors.
        """
        end = time.monotonic() + _LIMIT_SECONDS
        while not (self._all_led(specs) and self._has_groups()):
            if time.monotonic() > end:
                raise NotReadyError(
                    "the topics have no leaders, or groups no coordinator, after a minute",
                    "Look at the broker's log.",
                )
            time.sleep(0.1)

    def wait_for_users(self, users: Sequence[str], grants: Sequence[Grant]) -> None:
        """Wait until these new users can log in and have these permissions. Raises NotReadyError.

        The controller answers as soon as it has noted them; the brokers learn of them a little later.
        """

        def known() -> bool:
            found: Any = self._admin.describe_user_scram_credentials(
                list(users)
            )  # a mapping, as users are named
            try:
                _finish(found)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.RESOURCE_NOT_FOUND:
                    return False
                raise
            return set(grants) <= set(self.grants())

        self._wait(known)

    def _offsets(self, places: Sequence[TopicPartition], spec: Any) -> dict[tuple[str, int], int]:
        wanted: dict[TopicPartition, Any] = dict.fromkeys(places, spec)
        asked = self._admin.list_offsets(wanted)
        return {(place.topic, place.partition): found.result().offset for place, found in asked.items()}

    def _read_now(self, groups: Sequence[str]) -> bool:
        found = self._admin.describe_consumer_groups(list(groups)) if groups else {}
        return any(group.result().members for group in found.values())

    def _wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + _LIMIT_SECONDS
        while not done():
            if time.monotonic() > end:
                raise NotReadyError("Kafka does not follow within a minute", "Look at the broker's log.")
            time.sleep(0.05)

    def _all_led(self, specs: Sequence[TopicSpec]) -> bool:
        found = self._admin.list_topics(timeout=_LIMIT_SECONDS).topics
        return all(
            spec.name in found
            and len(found[spec.name].partitions) >= spec.partitions
            and all(partition.leader >= 0 for partition in found[spec.name].partitions.values())
            for spec in specs
        )

    def _has_groups(self) -> bool:
        try:
            _finish(self._admin.describe_consumer_groups(["bdcan"], request_timeout=_ANSWER_SECONDS))
        except KafkaException:
            return False
        return True


def _finish(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result()


def _settings(spec: TopicSpec) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in spec.config
    ]
    return ConfigResource(ConfigResource.Type.TOPIC, spec.name, incremental_configs=entries)


def _binding(grant: Grant, kind: Any) -> Any:
    return kind(
        ResourceType[grant.resource.name],
        grant.name,
        ResourcePatternType[grant.pattern.name],
        f"User:{grant.user}",
        _EVERYWHERE,
        AclOperation[grant.operation.name],
        AclPermissionType.ALLOW,
    )
