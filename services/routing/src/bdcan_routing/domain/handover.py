"""A paused hub hands its open work over: to one hub, or to the hubs that step in for it.

The planner moves it in portions, the most urgent first. `moved` counts the referrals so far.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_routing.domain.errors import NotAllowedError
from bdcan_routing.domain.hubs import Coverage, Hub


class Handover(Struct, frozen=True):
    """Open work of `hub_id` goes to `to_hub_id` (None: to its cover) until `ended_at`."""

    handover_id: UUID
    hub_id: str
    to_hub_id: str | None
    reason: str
    started_by: str
    started_at: datetime
    moved: int = 0
    ended_at: datetime | None = None


def start(
    coverage: Coverage,
    hub: Hub,
    to_hub_id: str | None,
    handover_id: UUID,
    reason: str,
    by: str,
    now: datetime,
) -> Step[Handover]:
    """Hand the open work of the hub over. Raises NotAllowedError if no other hub can take it."""
    handover = Handover(handover_id, hub.hub_id, to_hub_id, reason, by, now)
    if to_hub_id == hub.hub_id:
        raise NotAllowedError("A hub cannot hand its work over to itself. Name another hub in `to`.")
    if taker(coverage, handover) is None:
        choices = ", ".join(one for one in coverage.open_ids if one != hub.hub_id) or "none is open"
        raise NotAllowedError(
            f"No hub can take the open work of {hub.name}. Name an open hub in `to`: {choices}."
        )
    return Step(handover)


def taker(coverage: Coverage, handover: Handover) -> Hub | None:
    """The hub that takes the work now. None: it is paused, or all cover is."""
    own = coverage.by_id.get(handover.hub_id)
    asked = (handover.to_hub_id,) if handover.to_hub_id else own.cover if own else ()
    for hub_id in asked:
        hub = coverage.by_id.get(hub_id)
        if hub is not None and not hub.paused and hub_id != handover.hub_id:
            return hub
    return None


def progress(handover: Handover, moved: int, now: datetime, *, ended: bool) -> Step[Handover]:
    """So many more referrals have moved; `ended`: nothing is left, or the hub has resumed."""
    return Step(replace(handover, moved=handover.moved + moved, ended_at=now if ended else handover.ended_at))
