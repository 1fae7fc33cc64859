"""Replay: handle a parked record, and the records queued behind it, in the order in which they came.

A replay handles one key at a time, in one transaction, under the lock that the consumer respects. Records of the key
that arrive during the replay wait; then they find the key free or still parked. If the head fails again, it stays parked with
the new reason, and the records behind it stay queued.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from bdcan_chassis import dead_letters
from bdcan_chassis.dispatch import Dispatcher, take
from bdcan_chassis.errors import BadRecordError, describe, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.transaction import Transactions, Tx, unpack_headers
from bdcan_contracts.envelope import EnvelopeError, Headers

log = get_logger(__name__)

_ROUND = 500


@dataclass(frozen=True, slots=True)
class _Stored:
    """A dead letter as a row of the table."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: Headers
    value: bytes | None


async def replay_requested(dispatchers: Mapping[str, Dispatcher], transactions: Transactions) -> int:
    """Replay one requested key, or one requested record without a key; returns how many records were settled."""
    async with transactions.begin() as tx:
        connection = tx.connection
        await connection.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # a breach must show inside the record's savepoint
        key = await connection.fetchrow(_NEXT_KEY, list(dispatchers))
        if key is not None:
            scope = (key["consumer"], key["topic"], key["record_key"])
            rows = await connection.fetch(_OF_KEY, *scope, _ROUND)
            settled = await _replay(dispatchers[key["consumer"]], tx, rows)
            if settled < len(rows):
                await connection.execute(_GIVE_UP, *scope)
            elif len(rows) < _ROUND:
                await connection.execute(_FREE, *scope)
            return settled
        row = await connection.fetchrow(_NEXT_ALONE, list(dispatchers))
        if row is None:
            return 0
        settled = await _replay(dispatchers[row["consumer"]], tx, [row])
        if not settled:
            await connection.execute(_GIVE_UP_ALONE, row["id"])
        return settled


async def _replay(dispatcher: Dispatcher, tx: Tx, rows: list[asyncpg.Record]) -> int:
    for settled, row in enumerate(rows):
        reason, error = await _handle(dispatcher, tx, row)
        if reason:
            log.warning("replay.failed_again", consumer=row["consumer"], letter=str(row["id"]), reason=reason)
            await tx.connection.execute(_STILL_PARKED, row["id"], reason, error)
            await dead_letters.audit(tx.connection, row["id"], "failed again", "worker", reason)
            return settled
        await dead_letters.settle(tx.connection, [row["id"]], "replayed")
        await dead_letters.audit(tx.connection, row["id"], "replayed", "worker", "handled")
    return len(rows)


async def _handle(dispatcher: Dispatcher, tx: Tx, row: asyncpg.Record) -> tuple[str, str]:
    """Handle one record inside a savepoint; returns ("", "") or the reason and the error."""
    read = dispatcher.read(0, _stored(row))
    if read is None:
        return "", ""  # no longer read here
    if read.event is None or read.handler is None:
        error: Any = read.error or EnvelopeError("no handler")
        return error.reason, str(error)[:500]
    if not row["taken"] and not await take(tx.connection, dispatcher.consumer.name, [read.event.key]):
        return "", ""  # it could not be read when it was parked, and has arrived a second time since
    mark = tx.mark()
    try:
        async with tx.connection.transaction():
            await read.handler([read.event], tx)
    except Exception as error:  # as in dispatch: retry the whole, or leave it parked
        if is_transient(error):
            raise
        tx.rewind(mark)
        return (error.reason if isinstance(error, BadRecordError) else dead_letters.HANDLER_FAILED), describe(
            error
        )
    return "", ""


def _stored(row: asyncpg.Record) -> _Stored:
    return _Stored(
        row["topic"],
        row["record_partition"],
        row["record_offset"],
        int(row["record_time"].timestamp() * 1000),
        row["record_key"],
        unpack_headers(row["headers"]),
        row["body"],
    )


_NEXT_KEY = """
SELECT consumer, topic, record_key FROM chassis.parked_key
WHERE replay_requested_at IS NOT NULL AND consumer = ANY ($1::text[])
ORDER BY replay_requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

_COLUMNS = (
    "id, consumer, topic, record_partition, record_offset, record_time, record_key, headers, body, taken"
)

_OF_KEY = f"""
SELECT {_COLUMNS} FROM chassis.dead_letter
WHERE consumer = $1 AND topic = $2 AND record_key = $3 AND state IN ('parked', 'queued') ORDER BY seq LIMIT $4
"""  # noqa: S608 # the columns are a constant of this module

_NEXT_ALONE = f"""
SELECT {_COLUMNS} FROM chassis.dead_letter
WHERE replay_requested_at IS NOT NULL AND state = 'parked' AND consumer = ANY ($1::text[])
ORDER BY replay_requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 # as above

_FREE = "DELETE FROM chassis.parked_key WHERE consumer = $1 AND topic = $2 AND record_key = $3"

_GIVE_UP = """
UPDATE chassis.parked_key SET replay_requested_at = NULL WHERE consumer = $1 AND topic = $2 AND record_key = $3
"""

_GIVE_UP_ALONE = "UPDATE chassis.dead_letter SET replay_requested_at = NULL WHERE id = $1"

_STILL_PARKED = "UPDATE chassis.dead_letter SET state = 'parked', reason = $2, error = $3 WHERE id = $1"
