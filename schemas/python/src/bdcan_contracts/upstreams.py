"""The upstream systems: who may submit, as which sources, on which topics. Pure: bytes in, values out.

They are data. Whoever runs the platform keeps them in one JSON file (`bdcan upstream add` writes it), and intake reads it
anew when it changes. A source belongs to exactly one upstream system, for ever: a revoked one keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHORTEST, _LONGEST = 3, 40

Name = Annotated[str, Meta(min_length=_SHORTEST, max_length=_LONGEST, pattern=f"^{_PATTERN.pattern}$(?!\n)")]
"""What a `source` may look like, too."""


def is_name(text: str) -> bool:
    """Whether an upstream system or a source may be called so: words of `a-z0-9` with hyphens, 3 to 40 characters."""
    return _SHORTEST <= len(text) <= _LONGEST and _PATTERN.fullmatch(text) is not None


class Upstream(Struct, frozen=True, omit_defaults=True):
    """One upstream system. `sources` is never empty; the first is the usual one.

    `inbound_topic`, `receipts_topic`: None where it does not use Kafka. `sandbox`: its referrals are practice, and end by
    themselves. `revoked_at`: since when it may submit nothing. `contact`: whom to ring about it.
    """

    name: Name
    sources: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    inbound_topic: str | None = None
    receipts_topic: str | None = None
    sandbox: bool = False
    revoked_at: Annotated[datetime, Meta(tz=True)] | None = None
    contact: str = ""

    def __post_init__(self) -> None:
        if not self.sources:
            msgspec.structs.force_setattr(self, "sources", (self.name,))
        if (self.inbound_topic is None) != (self.receipts_topic is None):
            raise ValueError(f"{self.name} has one topic of two")


@dataclass(frozen=True)
class Upstreams:
    """All upstream systems. Raises ValueError where two share a name, a source or a topic."""

    all: tuple[Upstream, ...] = ()

    def __post_init__(self) -> None:
        for what, values in (
            ("name", [one.name for one in self.all]),
            ("source", [source for one in self.all for source in one.sources]),
            (
                "topic",
                [topic for one in self.all for topic in (one.inbound_topic, one.receipts_topic) if topic],
            ),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"two upstream systems, or one twice, have the same {what}")

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def named(self, name: str) -> Upstream | None:
        """The upstream system of this name."""
        return self._by_name.get(name)

    def of_source(self, source: str) -> Upstream | None:
        """The upstream system that submits as this source."""
        return self._by_source.get(source)

    def of_inbound_topic(self, topic: str) -> Upstream | None:
        """The upstream system that writes to this topic."""
        return self._by_inbound_topic.get(topic)

    @cached_property
    def inbound_topics(self) -> frozenset[str]:
        """The topics that upstream systems submit on, those of revoked ones too: they are read to their end."""
        return frozenset(self._by_inbound_topic)

    def put(self, upstream: Upstream) -> Upstreams:
        """These, with this one in the place of the one of its name, or behind all. Raises ValueError as the class does."""
        if self.named(upstream.name) is None:
            return Upstreams((*self.all, upstream))
        return Upstreams(tuple(upstream if one.name == upstream.name else one for one in self.all))

    @cached_property
    def _by_name(self) -> Mapping[str, Upstream]:
        return {one.name: one for one in self.all}

    @cached_property
    def _by_source(self) -> Mapping[str, Upstream]:
        return {source: one for one in self.all for source in one.sources}

    @cached_property
    def _by_inbound_topic(self) -> Mapping[str, Upstream]:
        return {one.inbound_topic: one for one in self.all if one.inbound_topic is not None}


def parse(content: bytes) -> Upstreams:
    """What `dump` wrote. A field that is not known here is ignored. Raises ValueError, which quotes no value."""
    try:
        return Upstreams(tuple(_decoder.decode(content)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"no list of upstream systems: {error}") from error


def dump(upstreams: Iterable[Upstream]) -> bytes:
    """The upstream systems as JSON for people to read."""
    return msgspec.json.format(msgspec.json.encode(list(upstreams)), indent=1) + b"\n"


_decoder = msgspec.json.Decoder(list[Upstream])
