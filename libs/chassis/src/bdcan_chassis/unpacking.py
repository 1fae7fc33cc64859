"""Bounds what a batch of records may unpack to: a stranger's kilobyte must not become this process's gigabyte.

aiokafka unpacks a batch as a whole, whatever comes out of it. Here a batch that unpacks to more than `MOST_BYTES` is never
unpacked: it gives the positions of its records instead, `MOST_UNREAD` of them at most. A record above `MOST_RECORD` has its
value cut, because a poll keeps hundreds of records. A batch of our own relays is far below each limit.

`install` puts this in the place of aiokafka's own functions, which have no setting for it.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiokafka.codec
import cramjam
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from bdcan_chassis.logs import get_logger

log = get_logger(__name__)

MOST_BYTES = 32 * 1024 * 1024
"""What one batch unpacks to at most. The largest batch that a broker takes has 1 MB, packed; text packs ten to one."""

MOST_RECORD = 512 * 1024
"""What key, value and headers of one record hold together at most. An event has 500,000 bytes at most."""

MOST_UNREAD = 1000
"""Positions that a batch gives which is not unpacked. What lies behind them is passed over."""

_LIKELY = 32  # a packed text rarely holds more than so many times its size

UNREAD: Final = bytes(bytearray(b"unread"))
"""The value of a record of which only the position is known, by its identity."""


class TooLargeError(Exception):
    """A batch unpacks to more than MOST_BYTES, or to nothing at all."""


@dataclass(frozen=True, slots=True)
class _Record:
    """A record as aiokafka's fetcher takes it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    checksum: None = None


class _Batch:
    """A batch of aiokafka, which is unpacked within the limits."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            unpacked = _size.of(lambda: iter(self._batch))
        except TooLargeError:
            return self._positions()
        return iter(self._batch) if unpacked <= MOST_RECORD else map(_cut, self._batch)

    def _positions(self) -> Iterator[_Record]:
        first, end = self._batch.base_offset, self._batch.next_offset
        log.error("consumer.batch_too_large", first_offset=first, records=end - first, most_bytes=MOST_BYTES)
        for offset in range(first, min(end, first + MOST_UNREAD)):
            yield _Record(offset, self._batch.max_timestamp, self._batch.timestamp_type, None, UNREAD)


class _Records:
    """The batches of a fetch."""

    def __init__(self, packed: bytes) -> None:
        self._records = MemoryRecords(packed)

    def has_next(self) -> bool:
        return self._records.has_next()

    def size_in_bytes(self) -> int:
        return self._records.size_in_bytes()

    def next_batch(self) -> _Batch:
        return _Batch(self._records.next_batch())


class _Size:
    """How much the last batch was unpacked to; 0 for one that was not packed."""

    def __init__(self) -> None:
        self.last = 0

    def of(self, unpack: Callable[[], object]) -> int:
        self.last = 0
        unpack()
        return self.last


_size = _Size()


def install() -> None:
    """Have every consumer of this process unpack within the limits."""
    fetcher.MemoryRecords = _Records
    records = sys.modules[DefaultRecordBatch.__module__]
    bounded = {
        "gzip_decode": _gzip,
        "snappy_decode": aiokafka.codec.snappy_decode,  # no more than 21 to 1, and a broker takes 1 MB
        "lz4_decode": lambda packed: _into(cramjam.lz4.decompress_into, packed),
        "zstd_decode": lambda packed: _into(cramjam.zstd.decompress_into, packed),
    }
    for name, decode in bounded.items():
        setattr(records, name, _measured(decode))


def _measured(decode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def unpack(packed: Any) -> bytes:
        unpacked = decode(packed)
        _size.last = len(unpacked)
        return unpacked

    return unpack


def _gzip(packed: Any) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(packed), mode="r") as file:
        unpacked = file.read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise TooLargeError
    return unpacked


def _into(decompress_into: Callable[[Any, Any], int], packed: Any) -> bytes:
    """Unpack into a buffer that is likely large enough, else into one as large as is allowed. Raises TooLargeError."""
    for size in (min(len(packed) * _LIKELY, MOST_BYTES), MOST_BYTES):
        buffer = bytearray(size)  # the system gives it page by page, as it is written to
        try:
            length = decompress_into(packed, buffer)
        except cramjam.DecompressionError:
            continue
        return bytes(memoryview(buffer)[:length])
    raise TooLargeError


def _cut(record: Any) -> Any:
    """The record, or as much of it as is kept."""
    beside = len(record.key or b"") + sum(len(name) + len(value or b"") for name, value in record.headers)
    if beside + len(record.value or b"") <= MOST_RECORD:
        return record
    if beside > MOST_RECORD:
        return _Record(record.offset, record.timestamp, record.timestamp_type, None, UNREAD)
    return _Record(
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value[:MOST_RECORD],
        record.headers,
    )
