"""What all routes share: which hubs a list may show."""

from __future__ import annotations

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.problems import InvalidError
from bdcan_contracts.envelope import Problem
from bdcan_volunteer_match import store


def hubs_to_show(caller: Caller, hub: str | None) -> list[str] | None:
    """The hubs that a list is about; None for all. Raises NotFoundError for a hub that the caller does not see."""
    if hub is None:
        return caller.visible_hubs
    caller.must_see_hub(hub)
    return [hub]


async def must_be_hub(connection: Connection, hub: str | None) -> None:
    """Raise InvalidError where a list is asked for by a hub that does not exist, and say which do."""
    if hub is None:
        return
    known = [one.hub_id for one in await store.hubs.FIND.all(connection)]
    if known and hub not in known:
        raise InvalidError.of(Problem("hub", "unknown", f"is not a hub: choose one of {', '.join(known)}"))
