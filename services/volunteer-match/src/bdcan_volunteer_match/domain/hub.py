"""Hubs, as routing announces them."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from bdcan_chassis.step import Step
from bdcan_contracts.models import HubConfigured, HubPaused, HubResumed

HubEvent: TypeAlias = HubConfigured | HubPaused | HubResumed


class Hub(Struct, frozen=True):
    """A locality hub. `neighbours`: the hubs next to it, the nearest first."""

    hub_id: str
    version: int
    name: str
    paused: bool
    neighbours: tuple[str, ...] = ()


def announce(hub: Hub | None, event: HubEvent) -> Step[Hub] | None:
    """Routing configured, paused or resumed a hub; None for an older version than the known one."""
    if hub is not None and event.version <= hub.version:
        return None
    # a routing of the release before does not say, and nobody has none
    neighbours = event.neighbours or (hub.neighbours if hub else ())
    return Step(Hub(event.hub_id, event.version, event.name, event.paused, neighbours))
