"""Gives systems outside what they need, and takes it away: upstream systems, which submit, and those that only read.

Nothing restarts: Kafka learns of users, topics and permissions at once, and the services look at their files every two
seconds. What is kept here is written first where it takes away, and last where it gives, so that a command that was
broken off is finished by the same command again. Each act leaves a line in a chained file (`chain.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.upstreams import Upstream, Upstreams, is_name
from bdcan_local import access, chain
from bdcan_local.errors import NotReadyError, PlatformError
from bdcan_local.outside import Outside, ReadingSystem, outsiders, reader_holder, upstream_holder
from bdcan_local.secrets_store import ACTS, SecretsStore
from bdcan_local.tokens import ROLES

SCOPES = ("referrals:read", "referrals:write")
"""What the API key of an upstream system opens: to submit, amend and withdraw, and to read what became of that."""

_NAMED = "Use 3 to 40 characters: words of a-z and 0-9 with hyphens between them, such as river-surgery."


@dataclass(frozen=True)
class Onboarding:
    """The acts on one platform, whose secrets lie in `store`, for `by`, who acts.

    `kafka`: an administrator's client options, or None where no cluster answers. `replicas`: copies of a new topic.
    """

    store: SecretsStore
    by: str
    kafka: Mapping[str, Any] | None = None
    replicas: int = 1

    def add(
        self,
        name: str,
        *,
        kafka: bool,
        http: bool,
        sources: Sequence[str] = (),
        contact: str = "",
        sandbox: bool = False,
        lasts: timedelta | None = None,
        again: bool = False,
    ) -> Upstream:
        """Let an upstream system submit.

        `again`: it is known already, and gets the doors and sources that it lacks; a revoked one is let in again.
        `lasts`: how long its credentials work. Raises PlatformError.
        """
        with self.store.locked():
            now, known = datetime.now(UTC), self.store.upstreams()
            upstream = self._admitted(known, name, sources, again=again)
            if sandbox != upstream.sandbox and known.named(name):
                raise PlatformError(
                    f"{name} is {'a' if upstream.sandbox else 'no'} sandbox",
                    "Practice and real referrals must not be mixed: use another name.",
                )
            upstream = replace(
                upstream, sandbox=sandbox, contact=contact or upstream.contact, revoked_at=None
            )
            if kafka and upstream.inbound_topic is None:
                upstream = replace(
                    upstream,
                    inbound_topic=INBOUND_REFERRALS.of_sender(name),
                    receipts_topic=INBOUND_RECEIPTS.of_sender(name),
                )
            ends_at = None if lasts is None else now + lasts
            upstreams, outside = known.put(upstream), self.store.outside()
            holder = outside.holder(upstream_holder(name))
            if kafka and not holder.users:
                outside = outside.put(holder.issue(now, ends_at))
                self._give(upstreams, outside, holder.name, now)
            self.store.keep_upstreams(upstreams)
            if self.store.api_keys(name):
                self.store.set_sources(name, upstream.sources)
            elif http:
                self.store.make_api_key(name, SCOPES, upstream.sources, ends_at)
            self._note(
                "upstream.add",
                name,
                now,
                sources=upstream.sources,
                kafka=kafka,
                http=http,
                sandbox=sandbox,
                again=again,
                ends_at=ends_at and ends_at.isoformat(),
            )
            return upstream

    def rotate(self, name: str, keep_old: timedelta, lasts: timedelta | None = None) -> datetime:
        """New credentials for each door that an upstream system has. Returns when the old ones end.

        Raises PlatformError.
        """
        with self.store.locked():
            now, upstreams = datetime.now(UTC), self.store.upstreams()
            upstream = _known(upstreams.named(name), name, [one.name for one in upstreams])
            if upstream.revoked_at is not None:
                raise PlatformError(
                    f"{name} was revoked on {upstream.revoked_at:%d %B %Y}",
                    f"To let it in again: bdcan upstream add {name} --again.",
                )
            old_end = now + keep_old
            if upstream.inbound_topic is not None:
                self._rotate_kafka(upstream_holder(name), upstreams, now, old_end, lasts)
            if self.store.api_keys(name):
                self.store.roll_api_key(name, keep_old, lasts, now)
            elif self.store.path("api-keys", name).exists():  # it had one, which has ended
                self.store.make_api_key(
                    name, SCOPES, upstream.sources, None if lasts is None else now + lasts
                )
            self._note("upstream.rotate", name, now, old_end=old_end.isoformat())
            return old_end

    def revoke(self, name: str) -> Upstream:
        """Let an upstream system submit nothing more, at once. What it has written is still read, and refused.

        It keeps its name, its sources and its topics. Raises PlatformError.
        """
        with self.store.locked():
            now, upstreams = datetime.now(UTC), self.store.upstreams()
            upstream = _known(upstreams.named(name), name, [one.name for one in upstreams])
            if upstream.revoked_at is None:
                upstream = replace(upstream, revoked_at=now)
                self.store.keep_upstreams(upstreams.put(upstream))
                self._note("upstream.revoke", name, now)
            self.store.drop_api_keys(name)
            self._end(upstream_holder(name), now)
            return upstream

    def add_reader(
        self, name: str, topics: Sequence[str], contact: str = "", lasts: timedelta | None = None
    ) -> ReadingSystem:
        """Let a system outside read topics. One that is known may read these, too; its credentials stay.

        Raises PlatformError.
        """
        with self.store.locked():
            now, outside = datetime.now(UTC), self.store.outside()
            _named(name)
            refuse_topics(topics)
            known = outside.reader(name)
            if known is not None and known.revoked_at is None and set(topics) <= set(known.topics):
                raise PlatformError(
                    f"{name} may read that already", f"New credentials: bdcan consumer rotate {name}."
                )
            live = known if known and known.revoked_at is None else None
            read = sorted({*topics, *(live.topics if live else ())})
            reader = ReadingSystem(name, tuple(read), contact or (known.contact if known else ""))
            outside, holder = outside.put_reader(reader), outside.holder(reader_holder(name))
            ends_at = None if lasts is None else now + lasts
            if not holder.users:
                outside = outside.put(holder.issue(now, ends_at))
            self._give(self.store.upstreams(), outside, holder.name, now)
            self._note("consumer.add", name, now, topics=reader.topics, ends_at=ends_at and str(ends_at))
            return reader

    def rotate_reader(self, name: str, keep_old: timedelta, lasts: timedelta | None = None) -> datetime:
        """New credentials for a system that reads. Returns when the old ones end. Raises PlatformError."""
        with self.store.locked():
            now, readers = datetime.now(UTC), self.store.outside().readers
            reader = _known(self.store.outside().reader(name), name, [one.name for one in readers])
            if reader.revoked_at is not None:
                raise PlatformError(
                    f"{name} was revoked on {reader.revoked_at:%d %B %Y}",
                    f"To let it in again: bdcan consumer add {name} --topic …",
                )
            old_end = now + keep_old
            self._rotate_kafka(reader_holder(name), self.store.upstreams(), now, old_end, lasts)
            self._note("consumer.rotate", name, now, old_end=old_end.isoformat())
            return old_end

    def revoke_reader(self, name: str) -> ReadingSystem:
        """Let a system read nothing more, at once. Raises PlatformError."""
        with self.store.locked():
            now, outside = datetime.now(UTC), self.store.outside()
            reader = _known(outside.reader(name), name, [one.name for one in outside.readers])
            if reader.revoked_at is None:
                reader = replace(reader, revoked_at=now)
                self.store.keep_outside(outside.put_reader(reader))
                self._note("consumer.revoke", name, now)
            self._end(reader_holder(name), now)
            return reader

    def sweep(self) -> list[str]:
        """Take away the users whose time is over; returns them. Kafka knows no end of a password by itself."""
        with self.store.locked():
            now = datetime.now(UTC)
            if not self.store.outside().over(now):
                return []
            return sweep(self.store, self._client(), now)

    def _admitted(self, known: Upstreams, name: str, sources: Sequence[str], *, again: bool) -> Upstream:
        """The upstream system as it is or would be, with these sources. Raises PlatformError."""
        _named(name)
        for source in sources:
            if not is_name(source):
                raise PlatformError(f"{source!r} cannot be a source", _NAMED)
        found = known.named(name)
        if found is not None and not again:
            said = f", and was revoked on {found.revoked_at:%d %B %Y}" if found.revoked_at else ""
            raise PlatformError(
                f"there is an upstream system {name} already{said}",
                f"Use another name. bdcan upstream rotate {name} makes new credentials;"
                f" bdcan upstream add {name} --again gives it another door or source, or lets it in again.",
            )
        if found is None and again:
            raise PlatformError(f"there is no upstream system {name}", "Leave --again out.")
        if found is None and self.store.api_keys(name):
            raise PlatformError(f"an API key is called {name} already", "Use another name.")
        wanted = tuple(
            dict.fromkeys((*(found.sources if found else ()), *(sources or ((name,) if not found else ()))))
        )
        others = self.store.sources_of_keys() if found is None else set[str]()
        others |= {source for role in ROLES.values() for source in role.sources}
        for source in wanted:
            owner = known.of_source(source)
            if (owner is not None and owner.name != name) or (owner is None and source in others):
                whose = f"belongs to {owner.name}" if owner else "belongs to a desk or to an API key"
                raise PlatformError(
                    f"the source {source} {whose}",
                    "A source belongs to one system for ever: name another with --source.",
                )
        return replace(found, sources=wanted) if found else Upstream(name, wanted)

    def _rotate_kafka(
        self,
        holder_name: str,
        upstreams: Upstreams,
        now: datetime,
        old_end: datetime,
        lasts: timedelta | None,
    ) -> None:
        outside = self.store.outside()
        fresh = outside.holder(holder_name).issue(old_end, None if lasts is None else now + lasts)
        self._give(upstreams, outside.put(fresh), holder_name, now)
        sweep(self.store, self._client(), datetime.now(UTC))

    def _give(self, upstreams: Upstreams, outside: Outside, holder_name: str, now: datetime) -> None:
        """Make the newest user of a holder with its topics and permissions, and keep what is known of it."""
        newest = outside.holder(holder_name).newest
        theirs = [one for one in outsiders(upstreams, outside, now) if one.name == holder_name]
        named = [one for one in upstreams if upstream_holder(one.name) == holder_name]
        specs = [
            spec
            for spec in access.topic_specs(CATALOGUE.topics, named)
            if spec.name not in CATALOGUE.by_topic
        ]
        passwords = self.store.passwords("kafka", [newest.user] if newest else [])
        allowed = access.grants((), theirs)

        def work(cluster: Any) -> None:
            if specs:
                cluster.make_topics(specs, self.replicas)
            cluster.set_passwords(passwords)
            cluster.grant(allowed)
            cluster.wait_until_ready(specs)
            cluster.wait_for_users(list(passwords), allowed)

        _on(self._client(), work)
        self.store.keep_outside(outside)

    def _end(self, holder_name: str, now: datetime) -> None:
        outside = self.store.outside()
        holder = outside.holder(holder_name)
        if holder.users:
            self.store.keep_outside(outside.put(holder.end(now)))
            sweep(self.store, self._client(), now)

    def _client(self) -> Mapping[str, Any]:
        if self.kafka is None:
            raise NotReadyError(
                "Kafka does not run here",
                "Start it with `make up`, or name the cluster with --cluster, and run the command again.",
            )
        return self.kafka

    def _note(self, act: str, name: str, at: datetime, **said: object) -> None:
        chain.add(
            self.store.path(ACTS),
            {"by": self.by, "act": act, "name": name, "acted_at": at.isoformat(), **said},
        )


def sweep(store: SecretsStore, client: Mapping[str, Any], now: datetime) -> list[str]:
    """Take away the users whose time is over. Returns them. Raises NotReadyError where the cluster does not answer."""
    gone = store.outside().over(now)
    if gone:
        remove_users(client, gone)
        store.keep_outside(store.outside().without(gone))
        for user in gone:
            store.path("kafka", user).unlink(missing_ok=True)
        chain.add(store.path(ACTS), {"by": "sweep", "act": "kafka.end", "users": gone})
    return gone


def remove_users(client: Mapping[str, Any], users: Sequence[str]) -> None:
    """Users without permissions and password. Raises NotReadyError where the cluster does not answer."""
    _on(client, lambda cluster: cluster.remove_users(users))


def refuse_topics(topics: Sequence[str]) -> None:
    """Raises PlatformError where a system outside may not read one of these topics."""
    for name in topics:
        try:
            topic = CATALOGUE.topic_of(name)
        except LookupError:
            raise PlatformError(
                f"the catalogue has no topic {name!r}", "docs/events.md lists the topics."
            ) from None
        if topic.per_sender or topic.personal_data == "personal":
            raise PlatformError(
                f"no system outside may read {name}",
                "It names people, or tells one upstream system alone what became of its requests.",
            )


def _named(name: str) -> None:
    if not is_name(name):
        raise PlatformError(f"{name!r} cannot be a name", _NAMED)


def _known(found: Any, name: str, names: Sequence[str]) -> Any:
    if found is None:
        raise PlatformError(f"there is no {name!r}", f"There are: {', '.join(sorted(names)) or 'none'}.")
    return found


def _on(client: Mapping[str, Any], work: Callable[[Any], None]) -> None:
    from confluent_kafka import KafkaException

    from bdcan_local.cluster import Cluster

    try:
        with Cluster(client) as cluster:
            work(cluster)
    except KafkaException as error:
        raise NotReadyError(
            f"Kafka does not do it: {error}", "See that the cluster is up, and run the same command again."
        ) from error
