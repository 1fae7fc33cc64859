"""The consumer: poll a batch, commit it to the database, then commit its offsets. Never the other way round.

The consumer commits offsets twice a second, not for each batch. Offsets only say where to start again, and the inbox
ignores what is read twice.

A transient failure blocks the consumer. It waits, seeks back and takes the same records again, for ever, and a metric
shows it. If too many records are parked, it stops, commits nothing, and waits for an operator and a restart.

A paused consumer goes on polling, from partitions that it has paused: it stays in its group and gets no records.

A consumer whose topics change while it runs subscribes anew; what it has handled is committed first.

aiokafka cannot decode a record with a header name that is not UTF-8, and any sender may write one. Such a record makes
the poll fail and loses the records read before it. The consumer then connects again at the committed offsets, takes
records one by one until it meets the bad one, and parks its position.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from bdcan_chassis import metrics
from bdcan_chassis.database import backoff_seconds, rest, wait
from bdcan_chassis.dispatch import Dispatcher
from bdcan_chassis.errors import StoppedConsumerError
from bdcan_chassis.kafka import make_consumer, start
from bdcan_chassis.logs import get_logger
from bdcan_chassis.pauses import NOTHING_PAUSED, Pauses
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.subscription import Opaque
from bdcan_chassis.unpacking import UNREAD
from bdcan_contracts.envelope import Record

log = get_logger(__name__)

_POLL_MS = 500
_COMMIT_SECONDS = 0.5
_COMMIT_PATIENCE_SECONDS = 10.0
_LEAVE_SECONDS = 10.0
_FEW = 50  # a batch with fewer records is mostly overhead
_GATHER_SECONDS = 0.25
_SINGLY = 1000  # records taken one by one in search of one that cannot be taken apart
_SINGLY_MS = 50
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Progress:
    """What the watchdog and the readiness check read about a consumer."""

    state: str = "starting"  # starting, running, paused, blocked, stopped
    polled_at: float = field(default_factory=time.monotonic)
    detail: str = ""


Polled: TypeAlias = Mapping[TopicPartition, Sequence[Record]]


class ConsumerLoop:
    """Runs one consumer of a service until somebody stops it."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: ServiceSettings,
        service: str,
        pauses: Pauses = NOTHING_PAUSED,
    ) -> None:
        self._dispatcher = dispatcher
        self._settings = settings
        self.name = dispatcher.consumer.name
        self.group = f"bdcan.{service}.{self.name}"
        self._gate = pauses.of(f"consumer:{self.name}")
        self.progress = Progress()
        self._consumer: AIOKafkaConsumer | None = None
        self._handled: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._singly = 0
        self._topics: tuple[str, ...] = ()

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping`; reconnects for ever."""
        for gauge in (metrics.STOPPED, metrics.BLOCKED):
            gauge.labels(self.name).set(0)
        attempt = 0
        await self._gate.pauses.known(stopping)
        while not stopping.is_set():
            if not await self._has_topics(stopping):
                return
            changes = self._dispatcher.consumer.topics_now is not None
            consumer = make_consumer(
                self._settings, self.group, f"{self.group}-{id(self):x}", changing_topics=changes
            )
            try:
                self._subscribe(consumer)
                self._handled = {}
                await start(consumer)
                self._consumer, attempt = consumer, 0
                await self._consume(consumer, stopping)
                await self._commit()
            except (KafkaError, OSError, TimeoutError, UnicodeDecodeError) as error:
                attempt += 1
                if isinstance(error, UnicodeDecodeError):
                    self._singly = _SINGLY
                self.progress.state, self.progress.detail = "blocked", type(error).__name__
                metrics.BLOCKED.labels(self.name).set(1)
                log.warning("consumer.disconnected", consumer=self.name, attempt=attempt, exc_info=error)
                await wait(stopping, backoff_seconds(attempt))
                self.progress.polled_at = time.monotonic()
            finally:
                self._consumer = None
                await _leave(consumer, self.name)

    async def _has_topics(self, stopping: asyncio.Event) -> bool:
        """Wait until there is a topic to read. False: it is time to stop."""
        self.progress.state = "running"
        while not self._dispatcher.consumer.topics:
            self.progress.polled_at = time.monotonic()
            if await wait(stopping, _LOOK_SECONDS):
                return False
        return not stopping.is_set()

    def _subscribe(self, consumer: AIOKafkaConsumer) -> None:
        self._topics = self._dispatcher.consumer.topics
        listener = _Rebalances(self.name, self._commit)
        if self._dispatcher.consumer.topics_now is None:
            consumer.subscribe(self._topics, listener=listener)
            return
        # by its name aiokafka would wait for a topic that does not exist, and read none of the others
        names = "|".join(map(re.escape, self._topics))
        consumer.subscribe(pattern=rf"(?:{names})\Z", listener=listener)

    async def lag(self) -> dict[TopicPartition, tuple[int, int]]:
        """(position, end) of each assigned partition, as the broker says. Empty while not connected.

        Updates the metric of the lag too.
        """
        consumer = self._consumer
        if consumer is None or not consumer.assignment():
            return {}
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found = {
            tp: (await consumer.position(tp), ends[tp]) for tp in partitions if tp in consumer.assignment()
        }
        metrics.LAG.labels(self.name).set(sum(max(0, end - position) for position, end in found.values()))
        return found

    async def _consume(self, consumer: AIOKafkaConsumer, stopping: asyncio.Event) -> None:
        failures = 0
        self.progress.state, self.progress.detail = "running", ""
        metrics.BLOCKED.labels(self.name).set(0)
        while not stopping.is_set():
            if (topics := self._dispatcher.consumer.topics) != self._topics:
                await self._commit()
                if not topics:
                    return
                log.info("consumer.topics_changed", consumer=self.name, topics=len(topics))
                self._subscribe(consumer)
            self._stand_still(consumer)
            polled = await self._poll(consumer)
            self.progress.polled_at = time.monotonic()
            if polled and self._gate.closed:  # of a partition that was assigned meanwhile
                self._seek_back(consumer, polled)
                continue
            if not polled:
                await self._commit()
                continue
            started = time.perf_counter()
            records = [record for batch in polled.values() for record in batch]
            try:
                outcome = await self._dispatcher.process(records)
            except StoppedConsumerError as error:
                self.progress.state, self.progress.detail = "stopped", str(error)
                metrics.STOPPED.labels(self.name).set(1)
                log.critical("consumer.stopped", consumer=self.name, why=str(error))
                await self._commit()
                await stopping.wait()
                return
            except Exception as error:  # noqa: BLE001 # after any error: nothing was committed, so nothing may be skipped
                failures += 1
                self._blocked(failures, error)
                await wait(stopping, backoff_seconds(failures))
                self._seek_back(consumer, polled)
                continue
            if failures:
                failures = 0
                self.progress.state, self.progress.detail = "running", ""
                metrics.BLOCKED.labels(self.name).set(0)
            self._handled.update({tp: batch[-1].offset + 1 for tp, batch in polled.items()})
            took = time.perf_counter() - started
            self._count(outcome, records, took)
            if time.monotonic() - self._committed_at >= _COMMIT_SECONDS:
                await self._commit()
            # a full batch means that more records wait
            if len(records) < min(_FEW, self._settings.batch_records) and not self._singly:
                if self._dispatcher.consumer.gathers:
                    await wait(stopping, _GATHER_SECONDS)
                else:
                    await rest(stopping, took)

    def _stand_still(self, consumer: AIOKafkaConsumer) -> None:
        """Pause what is assigned while the loop is paused, and take it up again afterwards."""
        if self._gate.closed:
            consumer.pause(*consumer.assignment())
            self.progress.state, self.progress.detail = "paused", "by an operator"
        elif self.progress.state == "paused":
            consumer.resume(*consumer.paused())
            self.progress.state, self.progress.detail = "running", ""

    async def _poll(self, consumer: AIOKafkaConsumer) -> Polled:
        return {place: list(map(_known, batch)) for place, batch in (await self._taken(consumer)).items()}

    async def _taken(self, consumer: AIOKafkaConsumer) -> Polled:
        if not self._singly or not consumer.assignment():  # between two assignments nothing may spin
            return await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._settings.batch_records)
        for place in consumer.assignment():
            try:
                polled = await consumer.getmany(place, timeout_ms=_SINGLY_MS, max_records=1)
            except UnicodeDecodeError:
                self._singly = 0
                offset = await consumer.position(place)
                log.error(
                    "consumer.opaque_record",
                    consumer=self.name,
                    topic=place.topic,
                    partition=place.partition,
                    offset=offset,
                )
                consumer.seek(place, offset + 1)
                return {place: [Opaque(place.topic, place.partition, offset)]}
            if polled:
                self._singly -= 1
                return polled
        return {}

    def _blocked(self, failures: int, error: Exception) -> None:
        self.progress.state, self.progress.detail = "blocked", type(error).__name__
        metrics.BLOCKED.labels(self.name).set(1)
        metrics.RETRIES.labels(self.name).inc()
        log.warning("consumer.blocked", consumer=self.name, attempt=failures, exc_info=error)

    def _seek_back(self, consumer: AIOKafkaConsumer, polled: Polled) -> None:
        for tp, batch in polled.items():
            try:
                consumer.seek(tp, batch[0].offset)
            except (IllegalStateError, AssertionError):
                log.info("consumer.lost_partition", consumer=self.name, partition=tp.partition)

    async def _commit(self) -> None:
        """Commit the offsets handled since the last time, of the partitions that are still ours.

        Without a broker aiokafka would try for ever, and the watchdog treats a consumer that does not poll as stuck.
        A commit without an answer therefore waits for the next time.
        """
        consumer, handled = self._consumer, self._handled
        self._handled, self._committed_at = {}, time.monotonic()
        if consumer is None:
            return
        assigned = consumer.assignment()
        offsets = {tp: offset for tp, offset in handled.items() if tp in assigned}
        if not offsets:
            return
        try:
            async with asyncio.timeout(_COMMIT_PATIENCE_SECONDS):
                await consumer.commit(offsets)
        except TimeoutError:
            self._handled = offsets | self._handled
            log.warning("consumer.commit_postponed", consumer=self.name, seconds=_COMMIT_PATIENCE_SECONDS)
        except (CommitFailedError, IllegalStateError) as error:
            # another member has the partitions and reads the records again: the inbox ignores them
            log.info("consumer.commit_refused", consumer=self.name, exc_info=error)

    def _count(self, outcome: dict[str, int], records: list[Record], seconds: float) -> None:
        for name, count in outcome.items():
            metrics.RECORDS.labels(self.name, name).inc(count)
        exemplar = self._dispatcher.exemplar
        metrics.BATCH_SECONDS.labels(self.name).observe(seconds, exemplar)
        newest = max(r.timestamp for r in records)
        if newest > 0:  # otherwise no record says when it was written
            metrics.EVENT_DELAY.labels(self.name).observe(max(0.0, time.time() - newest / 1000), exemplar)


def _known(record: Record) -> Record:
    """The record, or what stands for one of which only the position is known."""
    if record.value is not UNREAD:
        return record
    return Opaque(record.topic, record.partition, record.offset, record.timestamp, reason="too-large")


class _Rebalances(ConsumerRebalanceListener):
    """Counts assignments, and commits before partitions leave, so that their next owner reads little twice."""

    def __init__(self, consumer: str, commit: Callable[[], Awaitable[None]]) -> None:
        self._consumer = consumer
        self._commit = commit

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] # awaited if it can be
        self,
        revoked: Collection[TopicPartition],  # noqa: ARG002 # all that was handled is committed
    ) -> None:
        """Commit what was handled. What cannot be committed is read again, and the inbox ignores it."""
        try:
            await self._commit()
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("consumer.revoked_uncommitted", consumer=self._consumer, exc_info=error)

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] # awaited if it can be
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Count."""
        metrics.REBALANCES.labels(self._consumer).inc()
        log.info("consumer.assigned", consumer=self._consumer, partitions=len(assigned))


async def _leave(consumer: AIOKafkaConsumer, name: str) -> None:
    """Leave the group, so that its other members do not wait for our session to end. Gives up if the broker is dead."""
    try:
        async with asyncio.timeout(_LEAVE_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("consumer.left_without_goodbye", consumer=name, exc_info=error)
    except asyncio.CancelledError:
        # while the broker is unreachable, aiokafka raises the cancellation of its own fetch task here; ours must pass
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
