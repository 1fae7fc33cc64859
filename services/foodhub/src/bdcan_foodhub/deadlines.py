"""Promises of the foodhub that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_foodhub import store
from bdcan_foodhub.domain.parcel import FINAL, LOOK_AGAIN_AFTER, State
from bdcan_foodhub.parcel_book import ALLOCATE, DUE, RETRY


async def on_due(due: Sequence[Due], tx: Tx) -> None:
    """A parcel should be at the door: it counts as overdue until it is, and is looked at again."""
    parcels = await store.parcels.lock(tx.connection, [d.subject for d in due])
    late = [replace(p, overdue=True) for p in parcels.values() if p.state not in FINAL]
    await store.parcels.save(tx.connection, late)
    for parcel in late:
        tx.set_deadline(DUE, parcel.parcel_id, tx.now + LOOK_AGAIN_AFTER)


async def on_retry(due: Sequence[Due], tx: Tx) -> None:
    """A short parcel takes part in the next allocation."""
    parcels = await store.parcels.lock(tx.connection, [d.subject for d in due])
    again = [replace(p, state=State.REQUESTED) for p in parcels.values() if p.state is State.SHORT]
    await store.parcels.save(tx.connection, again)
    if again:
        tx.wake(ALLOCATE)


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({DUE: on_due, RETRY: on_retry})
"""Handlers by kind."""
