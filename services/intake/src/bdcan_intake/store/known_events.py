"""Events of upstream systems in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.known_event import KnownEvent

KNOWN_EVENT = Table("known_event", KnownEvent, key="event_key", stamp=None)

# The events among these that were sent before.
FIND = KNOWN_EVENT.query("SELECT {columns} FROM known_event WHERE event_key = ANY (:event_keys::uuid[])")
