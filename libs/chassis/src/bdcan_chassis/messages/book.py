"""The messages that a transaction has locked, and what is counted when one of them ends."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from prometheus_client import Counter

from bdcan_chassis import metrics
from bdcan_chassis.book import Book, Change
from bdcan_chassis.messages import message as rules
from bdcan_chassis.messages.message import LOCK_OPEN_ABOUT, MESSAGE, Message
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx


class Messages(Book[Message]):
    """Messages. Each one that ends is counted, once."""

    table = MESSAGE

    def counts(self, change: Change[Message]) -> Iterable[Counter]:
        """A message that ended."""
        before, after = change
        if not after.has_ended or before is None or before.has_ended:
            return ()
        return (metrics.MESSAGES.labels(after.kind, after.channel or "none", after.result),)


async def drop_messages(tx: Tx, ids: Iterable[UUID], reason: str) -> int:
    """Drop what has not been sent to these recipients or about these subjects; returns how many."""
    await tx.write_added()
    book = Messages(tx)
    found = await book.lock(LOCK_OPEN_ABOUT, ids=list(ids))
    for one in found:
        book.put(Step(rules.drop(one, reason, tx.now)))
    await book.save()
    return len(found)
