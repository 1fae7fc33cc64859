"""What a service declares about its consumers: which one reads which events, and which handler gets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Catalogue, EnvelopeError, Event, Headers, Problem, Topic

T = TypeVar("T", bound=BaseModel)

Batch: TypeAlias = Sequence[Event[T]]
"""Events of one type, in the order of their keys; a handler takes them all at once."""

Handler: TypeAlias = Callable[[Batch[T], Tx], Awaitable[None]]
"""Changes state and emits events through the Tx. May raise BadRecordError for a record that can never be handled."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read as an event, for a consumer that answers its sender."""

    topic: str
    key: bytes | None
    headers: Headers
    error: EnvelopeError


@dataclass(frozen=True, slots=True)
class On(Generic[T]):
    """One line of a worker's table: events of this model on this topic go to this handler."""

    topic: Topic
    model: type[T]
    handler: Handler[T]


@dataclass(frozen=True)
class Consumer:
    """One consumer of a service, with its own consumer group. Topics that must not wait for each other need different ones.

    `ordered=False` is for topics whose records are independent: nothing queues behind a parked record.
    `on_rejected` runs in the batch's transaction for each record that could not be read, before it is parked.
    `count_unreadable=False`: records that break their contract do not count towards the limit that stops the consumer.
    Use it where senders outside our releases write them.
    `mend` makes another body of one that breaks its schema, for senders who must not be refused for what is optional.
    `gathers`: nobody waits for what it does, so after a small batch it rests for a quarter of a second, and more records
    share the next one.
    `lock_first` locks the rows of these referrals in one order, before the handlers of a batch lock them kind by kind: two
    transactions that want the same referrals then take turns, and do not deadlock.
    """

    name: str
    table: tuple[On[Any], ...]
    ordered: bool = True
    on_rejected: Callable[[Rejected, Tx], Awaitable[None]] | None = None
    count_unreadable: bool = True
    mend: Callable[[bytes, Sequence[Problem]], bytes | None] | None = None
    gathers: bool = False
    lock_first: Callable[[Tx, Collection[UUID]], Awaitable[object]] | None = None

    def bind(self, catalogue: Catalogue) -> dict[tuple[str, str], Handler[Any]]:
        """Handlers by (topic, event type). Raises LookupError for a pair that the catalogue does not have."""
        bound: dict[tuple[str, str], Handler[Any]] = {}
        for line in self.table:
            event_type = catalogue.of(line.model)
            if line.topic.name not in {t.name for t in event_type.topics}:
                raise LookupError(f"consumer {self.name}: {event_type.type} is not on {line.topic.name}")
            if (line.topic.name, event_type.type) in bound:
                raise LookupError(
                    f"consumer {self.name}: {event_type.type} on {line.topic.name} has two handlers"
                )
            bound[line.topic.name, event_type.type] = line.handler
        return bound

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics that the consumer reads, each once."""
        return tuple(dict.fromkeys(line.topic.name for line in self.table))


def with_bulk(catalogue: Catalogue, consumer: Consumer, bulk: str) -> tuple[Consumer, Consumer]:
    """The consumer, and a second one named `bulk` that reads the same events from their topics of the bulk class.

    A bulk list then delays nothing else. The second consumer leaves out events without a topic of the bulk class.
    """
    lines = [
        On(topic, line.model, line.handler)
        for line in consumer.table
        for topic in catalogue.of(line.model).topics
        if topic.traffic_class == "bulk"
    ]
    return consumer, replace(consumer, name=bulk, table=tuple(lines))
