"""Replay: handle a parked record, and the records queued behind it, in the order in which they came.

A replay handles one key at a time, in one transaction, under the lock that the consumer respects. Records of the key
that arrive during the replay wait; then they find the key free or still parked. If the head fails again, it stays parked with
the new reason, and the records behind it stay queued.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis import dead_letters
from bdcan_chassis.audit import Act
from bdcan_chassis.dispatch import Dispatcher, referral_ids, take
from bdcan_chassis.erasure import erased_among
from bdcan_chassis.errors import BadRecordError, describe, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.table import Query
from bdcan_chassis.transaction import Transactions, Tx, unpack_headers
from bdcan_contracts.envelope import Headers

log = get_logger(__name__)

_ROUND = 500


class _Kept(
    Struct,
    frozen=True,
    rename={
        "partition": "record_partition",
        "offset": "record_offset",
        "key": "record_key",
        "packed": "headers",
        "value": "body",
    },
):
    """A dead letter, read as the record that it was."""

    id: UUID
    consumer: str
    topic: str
    partition: int
    offset: int
    record_time: datetime
    key: bytes | None
    packed: bytes
    value: bytes | None
    taken: bool

    @property
    def timestamp(self) -> int:
        """Milliseconds, as Kafka counts."""
        return int(self.record_time.timestamp() * 1000)

    @property
    def headers(self) -> Headers:
        """The record's headers."""
        return unpack_headers(self.packed)


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
            letters = await _OF_KEY.all(connection, **key, limit=_ROUND)
            settled = await _replay(dispatchers[key["consumer"]], tx, letters)
            if settled < len(letters):
                await connection.execute(_GIVE_UP, *scope)
            elif len(letters) < _ROUND:
                await connection.execute(_FREE, *scope)
            return settled
        alone = await _NEXT_ALONE.first(connection, consumers=list(dispatchers))
        if alone is None:
            return 0
        settled = await _replay(dispatchers[alone.consumer], tx, [alone])
        if not settled:
            await connection.execute(_GIVE_UP_ALONE, alone.id)
        return settled


async def _replay(dispatcher: Dispatcher, tx: Tx, letters: list[_Kept]) -> int:
    for settled, letter in enumerate(letters):
        reason, error = await _handle(dispatcher, tx, letter)
        if reason:
            log.warning("replay.failed_again", consumer=letter.consumer, letter=str(letter.id), reason=reason)
            await tx.connection.execute(_STILL_PARKED, letter.id, reason, error)
            tx.audit(Act.FAILED_AGAIN, "worker", letter.id, reason)
            return settled
        await dead_letters.settle(tx.connection, [letter.id], "replayed")
        tx.audit(Act.REPLAYED, "worker", letter.id, "handled")
    return len(letters)


async def _handle(dispatcher: Dispatcher, tx: Tx, letter: _Kept) -> tuple[str, str]:
    """Handle one record inside a savepoint; returns ("", "") or the reason and the error."""
    read = dispatcher.read(0, letter)
    if read is None:
        return "", ""  # no longer read here
    if read.error is not None:
        return read.error.reason, str(read.error)[:500]
    if not letter.taken and not (await take(tx.connection, dispatcher.consumer.name, [read.identity]))[0]:
        return "", ""  # it could not be read when it was parked, and has arrived a second time since
    if tx.unit is not None and read.event is not None:
        tx.unit.handle(letter, read.event)
    mark = tx.mark()
    try:
        async with tx.connection.transaction():
            await dispatcher.run(tx, [read])
            if erase_again := dispatcher.transactions.erase_again:
                await erase_again(tx, await erased_among(tx.connection, referral_ids([read])))
    except Exception as error:  # as in dispatch: retry the whole, or leave it parked
        if is_transient(error):
            raise
        tx.rewind(mark)
        return (error.reason if isinstance(error, BadRecordError) else dead_letters.HANDLER_FAILED), describe(
            error
        )
    return "", ""


_NEXT_KEY = """
SELECT consumer, topic, record_key FROM chassis.parked_key
WHERE replay_requested_at IS NOT NULL AND consumer = ANY ($1::text[])
ORDER BY replay_requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# The open dead letters of a key, in order.
_OF_KEY = Query(
    """
    SELECT {columns} FROM chassis.dead_letter
    WHERE consumer = :consumer AND topic = :topic AND record_key = :record_key AND state IN ('parked', 'queued')
    ORDER BY seq LIMIT :limit
    """,
    _Kept,
)

# The next dead letter without a key that somebody wants to be handled.
_NEXT_ALONE = Query(
    """
    SELECT {columns} FROM chassis.dead_letter
    WHERE replay_requested_at IS NOT NULL AND state = 'parked' AND consumer = ANY (:consumers::text[])
    ORDER BY replay_requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
    """,
    _Kept,
)

_FREE = "DELETE FROM chassis.parked_key WHERE consumer = $1 AND topic = $2 AND record_key = $3"

_GIVE_UP = """
UPDATE chassis.parked_key SET replay_requested_at = NULL WHERE consumer = $1 AND topic = $2 AND record_key = $3
"""

_GIVE_UP_ALONE = "UPDATE chassis.dead_letter SET replay_requested_at = NULL WHERE id = $1"

_STILL_PARKED = "UPDATE chassis.dead_letter SET state = 'parked', reason = $2, error = $3 WHERE id = $1"
