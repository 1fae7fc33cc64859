"""What all routes share: which hubs a list may show."""

from __future__ import annotations

from bdcan_chassis.http.auth import Caller


def hubs_to_show(caller: Caller, hub: str | None) -> list[str] | None:
    """The hubs that a list is about; None for all. Raises NotFoundError for a hub that the caller does not see."""
    if hub is None:
        return caller.visible_hubs
    caller.must_see_hub(hub)
    return [hub]
