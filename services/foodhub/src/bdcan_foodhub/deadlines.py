"""What foodhub does when a deadline is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_foodhub.books import Parcels
from bdcan_foodhub.domain.parcel import DUE, RETRY, fall_due, look_again


async def on_due(due: Sequence[Due], tx: Tx) -> None:
    """A parcel should be at the door by now."""
    parcels = Parcels(tx)
    for parcel in await parcels.lock_keys(d.subject for d in due):
        parcels.put(fall_due(parcel, tx.now))
    await parcels.save()


async def on_retry(due: Sequence[Due], tx: Tx) -> None:
    """A short parcel takes part in the next allocation."""
    parcels = Parcels(tx)
    for parcel in await parcels.lock_keys(d.subject for d in due):
        parcels.put(look_again(parcel))
    await parcels.save()


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({DUE: on_due, RETRY: on_retry})
"""Handlers by kind."""
