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
    await Parcels(tx).handle_due(due, fall_due)


async def on_retry(due: Sequence[Due], tx: Tx) -> None:
    """A short parcel takes part in the next allocation."""
    await Parcels(tx).handle_due(due, lambda parcel, _now: look_again(parcel))


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({DUE: on_due, RETRY: on_retry})
"""Handlers by kind."""
