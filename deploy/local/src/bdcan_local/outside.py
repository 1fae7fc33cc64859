"""What is kept about systems outside, beside what intake reads of them: their Kafka users, and the systems that only read.

Pure. A user's password never changes: a rotation issues another user with the same permissions, and ends the one before.
So both work for a while, and what a user who has ended still holds open is cut off with their permissions. No
user's name is issued twice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from bdcan_contracts.upstreams import Name, Upstreams
from bdcan_local.access import Outsider

Instant = Annotated[datetime, Meta(tz=True)]


class KafkaUser(Struct, frozen=True, omit_defaults=True):
    """One user. `ends_at`: None for one that does not end."""

    user: str
    ends_at: Instant | None = None


class Holder(Struct, frozen=True, omit_defaults=True):
    """The users of one system outside, the newest last. `issued`: how many it ever had."""

    name: str
    issued: int = 0
    users: tuple[KafkaUser, ...] = ()

    @property
    def newest(self) -> KafkaUser | None:
        """The user that the system should use."""
        return self.users[-1] if self.users else None

    def issue(self, old_end: datetime, ends_at: datetime | None) -> "Holder":
        """One user more, which ends at `ends_at`; those before it end at `old_end` at the latest."""
        number = self.issued + 1
        user = KafkaUser(self.name if number == 1 else f"{self.name}.{number}", ends_at)
        return Holder(self.name, number, (*self.end(old_end).users, user))

    def end(self, at: datetime) -> "Holder":
        """All users end at this time at the latest."""
        return replace(self, users=tuple(_ended(user, at) for user in self.users))


class ReadingSystem(Struct, frozen=True, omit_defaults=True):
    """A system outside that reads our topics. `revoked_at`: since when it may not."""

    name: Name
    topics: tuple[str, ...]
    contact: str = ""
    revoked_at: Instant | None = None


class Outside(Struct, frozen=True, omit_defaults=True):
    """The users of all systems outside, and the systems that only read."""

    holders: tuple[Holder, ...] = ()
    readers: tuple[ReadingSystem, ...] = ()

    def holder(self, name: str) -> Holder:
        """The users of a system; none for one that is new."""
        return next((one for one in self.holders if one.name == name), Holder(name))

    def reader(self, name: str) -> ReadingSystem | None:
        """The reading system of this name."""
        return next((one for one in self.readers if one.name == name), None)

    def put(self, holder: Holder) -> "Outside":
        """These, with the holder in the place of the one of its name."""
        others = tuple(one for one in self.holders if one.name != holder.name)
        return replace(self, holders=(*others, holder))

    def put_reader(self, reader: ReadingSystem) -> "Outside":
        """These, with the reading system in the place of the one of its name."""
        others = tuple(one for one in self.readers if one.name != reader.name)
        return replace(self, readers=(*others, reader))

    def over(self, now: datetime) -> list[str]:
        """The users whose time is over."""
        return [user.user for holder in self.holders for user in holder.users if _is_over(user, now)]

    def without(self, users: Iterable[str]) -> "Outside":
        """These without some users."""
        gone = set(users)
        return replace(
            self,
            holders=tuple(
                replace(holder, users=tuple(user for user in holder.users if user.user not in gone))
                for holder in self.holders
            ),
        )


def upstream_holder(name: str) -> str:
    """What the users, groups and transactional ids of an upstream system begin with."""
    return f"upstream-{name}"


def reader_holder(name: str) -> str:
    """What the users and groups of a reading system begin with."""
    return f"consumer-{name}"


def outsiders(upstreams: Upstreams, outside: Outside, now: datetime) -> list[Outsider]:
    """What the systems outside may do in Kafka at this time."""

    def live(name: str) -> tuple[str, ...]:
        return tuple(user.user for user in outside.holder(name).users if not _is_over(user, now))

    found = [
        Outsider(
            upstream_holder(one.name),
            live(upstream_holder(one.name)),
            writes=(one.inbound_topic,),
            reads=(one.receipts_topic,),
        )
        for one in upstreams
        if one.inbound_topic and one.receipts_topic and one.revoked_at is None
    ]
    found += [
        Outsider(reader_holder(one.name), live(reader_holder(one.name)), reads=one.topics)
        for one in outside.readers
        if one.revoked_at is None
    ]
    return found


def parse(content: bytes) -> Outside:
    """What `dump` wrote. Raises ValueError."""
    return msgspec.json.decode(content, type=Outside)


def dump(outside: Outside) -> bytes:
    """As JSON for people to read."""
    return msgspec.json.format(msgspec.json.encode(outside), indent=1) + b"\n"


def _ended(user: KafkaUser, at: datetime) -> KafkaUser:
    return user if user.ends_at is not None and user.ends_at <= at else replace(user, ends_at=at)


def _is_over(user: KafkaUser, now: datetime) -> bool:
    return user.ends_at is not None and user.ends_at <= now
