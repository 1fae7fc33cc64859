"""A batch that unpacks to very much costs little memory, and gives the positions of its records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bdcan_chassis import unpacking
from bdcan_chassis.testing.wire import bomb
from bdcan_chassis.unpacking import MOST_RECORD, MOST_UNREAD, UNREAD


@pytest.fixture(autouse=True)
def installed() -> None:
    unpacking.install()


def records_of(batch: bytes | bytearray) -> Iterator[Any]:
    """The records, as aiokafka's fetcher takes them from a batch."""
    found = fetcher.MemoryRecords(bytes(batch))
    assert found.has_next()
    taken: Any = found.next_batch()
    assert taken.validate_crc()
    assert not taken.is_control_batch
    return iter(taken)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_bomb_gives_its_position_alone(codec: str) -> None:
    [record] = records_of(bomb(codec, 100_000_000))
    assert record.value is UNREAD
    assert (record.offset, record.key, record.headers) == (0, None, ())


def test_bomb_of_many_records_gives_as_many_positions_as_are_answered() -> None:
    batch = bomb("zstd", 50_000, MOST_UNREAD + 500)
    found = list(records_of(batch))
    assert [record.offset for record in found] == list(range(MOST_UNREAD))
    taken: Any = fetcher.MemoryRecords(batch).next_batch()
    assert taken.next_offset == MOST_UNREAD + 500


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_large_record_is_cut_and_the_others_of_its_batch_are_whole(codec: str) -> None:
    found = list(records_of(bomb(codec, 3_000_000, records=2)))
    assert [(record.offset, len(record.value)) for record in found] == [(0, MOST_RECORD), (1, MOST_RECORD)]
    assert [len(record.value) for record in records_of(bomb(codec, 1000, records=3))] == [1000] * 3


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_what_any_client_writes_comes_out_as_it_went_in(codec: int) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 10_000_000)
    values = [b"{}", None, b"x" * 400_000, b"y" * MOST_RECORD, "ü".encode() * 100]
    headers = [("ce_id", b"1"), ("x", None)]
    for place, value in enumerate(values):
        builder.append(place, 1, b"key", value, headers)
    found = list(records_of(builder.build()))
    assert [record.offset for record in found] == list(range(len(values)))
    assert [record.value for record in found] == [value and value[:MOST_RECORD] for value in values]
    assert {(record.key, tuple(record.headers)) for record in found} == {(b"key", tuple(headers))}


def test_record_whose_headers_are_large_gives_its_position_alone() -> None:
    builder = DefaultRecordBatchBuilder(2, 4, 0, -1, -1, 0, 10_000_000)
    builder.append(0, 1, None, b"{}", [("x", b"0" * MOST_RECORD)])
    builder.append(1, 1, b"k" * 2 * MOST_RECORD, b"{}", [])
    builder.append(2, 1, None, b"{}", [])
    assert [record.value is UNREAD for record in records_of(builder.build())] == [True, True, False]


_READ = """
import resource, sys
from bdcan_chassis import unpacking
from bdcan_chassis.testing.wire import bomb
from aiokafka.consumer import fetcher
batches = [bomb(codec, size) for codec, size in (("zstd", 500_000_000), ("gzip", 150_000_000), ("lz4", 150_000_000))]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unpacking.install()
for batch in batches:
    assert len(list(fetcher.MemoryRecords(batch).next_batch())) == 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_process_does_not_grow_with_what_a_stranger_packs() -> None:
    done = subprocess.run([sys.executable, "-c", _READ], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 120, "megabytes"
