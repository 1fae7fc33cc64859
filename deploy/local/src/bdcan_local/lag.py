"""`bdcan lag`: how far each consumer is behind, as the broker says, so also of a worker that does not run."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct, to_builtins

from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.table import lines, span
from bdcan_reconcile.positions import Positions
from bdcan_reconcile.reading import UnreadableError

_OLDEST_SECONDS = 5.0


class Lag(Struct, frozen=True):
    """One consumer. `waiting_seconds`: how long the oldest record has waited. `per_second`: what it takes now."""

    service: str
    consumer: str
    records: int
    waiting_seconds: float
    per_second: float

    @property
    def left_seconds(self) -> float | None:
        """When it will have caught up; None: not at this rate."""
        return self.records / self.per_second if self.per_second > 0 else None


def show(places: Places, options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Show it, the worst first. Returns 1 if a consumer is behind and takes nothing. Raises PlatformError."""
    try:
        found = asyncio.run(measure(places.kafka, options.seconds))
    except UnreadableError as error:
        raise PlatformError(str(error), "Look at `bdcan status`, and ask again.") from error
    if options.json:
        say(json.dumps([{**to_builtins(x), "left_seconds": x.left_seconds} for x in found], indent=2))
    else:
        rows = [
            (
                x.service,
                x.consumer,
                x.records,
                span(x.waiting_seconds) if x.records else None,
                f"{x.per_second:.1f}",
                None if not x.records else "never" if x.left_seconds is None else span(x.left_seconds),
            )
            for x in found
        ]
        head = ("service", "consumer", "records", "oldest waits", "takes a second", "done in")
        for line in lines(head, rows):
            say(line)
    return 1 if any(x.records and not x.per_second for x in found) else 0


async def measure(kafka: Any, seconds: float) -> list[Lag]:
    """The lag of each consumer, the worst first. Raises UnreadableError."""
    async with Positions(kafka) as positions:
        before = await positions.by_group()
        began = time.monotonic()
        await asyncio.sleep(seconds)
        after = await positions.by_group()
        took = time.monotonic() - began
        ends = await positions.ends()
    earlier = {(service, consumer, place): offset for service, consumer, place, offset in before}
    records: defaultdict[tuple[str, str], int] = defaultdict(int)
    taken: defaultdict[tuple[str, str], int] = defaultdict(int)
    heads: defaultdict[tuple[str, str], list[tuple[TopicPartition, int]]] = defaultdict(list)
    for service, consumer, place, offset in after:
        if offset < 0 or place not in ends:
            continue
        who = service, consumer
        records[who] += max(0, ends[place] - offset)
        taken[who] += max(0, offset - earlier.get((*who, place), offset))
        if ends[place] > offset:
            heads[who].append((place, offset))
    oldest = await _oldest(kafka, {head for found in heads.values() for head in found})
    now = time.time()
    found = [
        Lag(
            *who,
            count,
            max((now - oldest[head] for head in heads[who] if head in oldest), default=0.0),
            taken[who] / took,
        )
        for who, count in records.items()
    ]
    return sorted(found, key=lambda lag: (-lag.waiting_seconds, -lag.records, lag.service, lag.consumer))


async def _oldest(
    kafka: Any, heads: set[tuple[TopicPartition, int]]
) -> dict[tuple[TopicPartition, int], float]:
    """When the record at each of these places was written (epoch seconds)."""
    if not heads:
        return {}
    found: dict[tuple[TopicPartition, int], float] = {}
    consumer = AIOKafkaConsumer(**kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        for head in sorted(heads):
            place, offset = head
            consumer.assign([place])
            consumer.seek(place, offset)
            async with asyncio.timeout(_OLDEST_SECONDS):
                found[head] = (await consumer.getone(place)).timestamp / 1000
    finally:
        await consumer.stop()
    return found
