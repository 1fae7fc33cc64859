"""Saying what happened: an event for the others and a line in the referral's own story, under one id."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_intake.domain import timeline
from bdcan_intake.domain.timeline import Entry


def tell(tx: Tx, body: BaseModel, *, lane: str | None = None, cause: Event[Any] | None = None) -> Entry:
    """Emit an event of intake's; returns its line for the story."""
    event_id = tx.emit(body, cause=cause, lane=lane)
    return timeline.entry(event_id, tx.catalogue.of(type(body)).type, tx.now, body)


def heard(event: Event[Any]) -> Entry:
    """The line for an event of another service."""
    return timeline.entry(event.key, event.type, event.time, event.data)
