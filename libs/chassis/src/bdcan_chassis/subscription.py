"""What a service declares about its consumers: which one reads which events, and which handler gets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Catalogue, Event, Headers, Record, Topic

T = TypeVar("T", bound=BaseModel)

Batch: TypeAlias = Sequence[Event[T]]
"""Events of one type, in the order of their keys; a handler takes them all at once."""

Handler: TypeAlias = Callable[[Batch[T], Tx], Awaitable[None]]
"""Changes state and emits events through the Tx. May raise BadRecordError for a record that can never be handled."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Stands for a record of which only the position is known.

    `reason`: `bad-header`, one of its header names is not UTF-8; `too-large`, its batch is not unpacked (`unpacking.py`).
    """

    topic: str
    partition: int
    offset: int
    timestamp: int = -1
    key: bytes | None = None
    headers: Headers = ()
    value: bytes | None = None
    reason: str = "bad-header"


RecordHandler: TypeAlias = Callable[[Sequence[Record], Tx], Awaitable[None]]
"""Takes records as they were written, readable or not, in the order of their partitions."""


@dataclass(frozen=True, slots=True)
class On(Generic[T]):
    """One line of a worker's table: events of this model on this topic go to this handler."""

    topic: Topic
    model: type[T]
    handler: Handler[T]


@dataclass(frozen=True, slots=True)
class Reads(Generic[T]):
    """One line of a worker's table: records of this topic go to `on_records`, which reads events of this model in them."""

    topic: Topic
    model: type[T]


@dataclass(frozen=True)
class Consumer:
    """One consumer of a service, with its own consumer group. Topics that must not wait for each other need different ones.

    `ordered=False` is for topics whose records are independent: nothing queues behind a parked record.
    `on_records` gets every record as it was written, also one that nobody can read. Use it where senders outside our releases
    write, who must have an answer. The inbox then knows a record by its position, and only a failure of `on_records` parks one.
    `topics_now` says which topics it reads at the moment, where they change while it runs: variants of those of the table.
    `gathers`: nobody waits for what it does, so after a small batch it rests for a quarter of a second, and more records
    share the next one.
    `lock_first` locks the rows of these referrals in one order, before the handlers of a batch lock them kind by kind: two
    transactions that want the same referrals then take turns, and do not deadlock.
    """

    name: str
    table: tuple[On[Any] | Reads[Any], ...]
    ordered: bool = True
    on_records: RecordHandler | None = None
    topics_now: Callable[[], Collection[str]] | None = None
    gathers: bool = False
    lock_first: Callable[[Tx, Collection[UUID]], Awaitable[object]] | None = None

    def bind(self, catalogue: Catalogue) -> dict[tuple[str, str], Handler[Any] | None]:
        """Handlers by (topic, event type); None where `on_records` reads the type.

        Raises LookupError for a pair that the catalogue does not have, and for a line that nobody handles.
        """
        bound: dict[tuple[str, str], Handler[Any] | None] = {}
        for line in self.table:
            event_type = catalogue.of(line.model)
            if line.topic.name not in {t.name for t in event_type.topics}:
                raise LookupError(f"consumer {self.name}: {event_type.type} is not on {line.topic.name}")
            if (line.topic.name, event_type.type) in bound:
                raise LookupError(
                    f"consumer {self.name}: {event_type.type} on {line.topic.name} has two handlers"
                )
            handler = line.handler if isinstance(line, On) else None
            if (handler is None) is (self.on_records is None):
                raise LookupError(f"consumer {self.name}: a line is for `on_records` or for a handler")
            bound[line.topic.name, event_type.type] = handler
        return bound

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics that the consumer reads now, each once."""
        if self.topics_now is not None:
            return tuple(sorted(self.topics_now()))
        return tuple(dict.fromkeys(line.topic.name for line in self.table))


def with_bulk(catalogue: Catalogue, consumer: Consumer, bulk: str) -> tuple[Consumer, Consumer]:
    """The consumer, and a second one named `bulk` that reads the same events from their topics of the bulk class.

    A bulk list then delays nothing else. The second consumer leaves out events without a topic of the bulk class.
    """
    lines = [
        On(topic, line.model, line.handler)
        for line in consumer.table
        if isinstance(line, On)
        for topic in catalogue.of(line.model).topics
        if topic.traffic_class == "bulk"
    ]
    return consumer, replace(consumer, name=bulk, table=tuple(lines))
