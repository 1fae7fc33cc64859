"""Batches of records that no client would write, and that a broker takes: a test writes them as bytes."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint

_HEADER = ">qiibIhiqqqhii"  # as Kafka's message format 2 has it
_CRC_AT, _CHECKED_FROM = 17, 21
_STEP = 1_000_000
_CODECS = {"gzip": 1, "lz4": 3, "zstd": 4}


def bomb(codec: str, value_bytes: int, records: int = 1) -> bytes:
    """A small batch of records whose values are all zeros, and together unpack to very much."""
    packer = _packer(codec)
    packed = bytearray()
    for number in range(records):
        for part in _record(number, value_bytes):
            packed += packer(part) or b""
    packed += packer(None)
    now, length = int(time.time() * 1000), struct.calcsize(_HEADER) - 12 + len(packed)
    head = (0, length, -1, 2, 0, _CODECS[codec], records - 1, now, now, -1, -1, -1, records)
    return checked(struct.pack(_HEADER, *head) + packed)


def with_header_name(name: bytes, value: bytes) -> bytes:
    """A batch of one record, which has a header of this name."""
    stands_in = "~" * len(name)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1_000_000)
    builder.append(0, None, key=None, value=value, headers=[(stands_in, b"")])
    batch = bytearray(builder.build())
    at = batch.index(stands_in.encode())
    batch[at : at + len(name)] = name
    return checked(batch)


def checked(batch: bytes | bytearray) -> bytes:
    """The batch with the check sum that belongs to it."""
    crc = calc_crc32c(bytes(batch[_CHECKED_FROM:])).to_bytes(4, "big")
    return bytes(batch[:_CRC_AT]) + crc + bytes(batch[_CHECKED_FROM:])


async def send_batch(
    options: dict[str, Any], topic: str, partition: int, batch: bytes, records: int = 1
) -> int:
    """Write a batch as it is; returns the offset of its first record."""
    async with AIOKafkaProducer(**options, acks="all") as producer:
        written = await producer.send_batch(_Built(batch, records), topic, partition=partition)
        return (await written).offset


class _Built:
    """A batch that is ready, as aiokafka's producer takes it."""

    def __init__(self, batch: bytes, records: int) -> None:
        self._batch, self._records = batch, records

    def record_count(self) -> int:
        return self._records

    def size(self) -> int:
        return len(self._batch)

    def append(self, **_record: Any) -> None:
        """There is no room."""

    def close(self) -> None:
        """It is closed."""

    def closed(self) -> bool:
        return True

    def _build(self) -> bytes:
        return self._batch


def _record(number: int, value_bytes: int) -> Iterator[bytes]:
    before = bytearray(b"\0\0")  # attributes, time
    for value in (number, -1, value_bytes):  # offset, no key, value
        encode_varint(value, before.append)
    length = bytearray()
    encode_varint(len(before) + value_bytes + 1, length.append)
    yield bytes(length + before)
    for start in range(0, value_bytes, _STEP):
        yield bytes(min(_STEP, value_bytes - start))
    yield b"\0"  # no headers


def _packer(codec: str) -> Callable[[bytes | None], bytes]:
    """Packs part after part. None ends it, and gives the rest."""
    if codec == "gzip":
        stream = zlib.compressobj(wbits=31)
        return lambda part: stream.flush() if part is None else stream.compress(part)
    packer = (
        cramjam.zstd.Compressor(level=3)
        if codec == "zstd"
        else cramjam.lz4.Compressor(level=1, block_linked=False)
    )

    def pack(part: bytes | None) -> bytes:
        if part is None:
            return bytes(packer.finish())
        packer.compress(part)
        return b""

    return pack
