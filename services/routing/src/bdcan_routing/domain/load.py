"""How full a hub is today: what it was given since local midnight, beside what it says it can do in a day.

A kind is `calls`, which counts referrals, or the code of a need. Outreach referrals do not count: their calls are spread
over the days of a campaign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import Need
from bdcan_routing.domain.hubs import Hub

CALLS = "calls"
"""The kind that each referral is of: somebody must ring."""


def kinds_of(needs: Iterable[Need], *, outreach: bool) -> Mapping[str, int]:
    """What a referral asks of a hub on the day it comes, by kind."""
    return {} if outreach else {CALLS: 1, **Counter(str(need.code) for need in needs)}


class Load(Struct, frozen=True):
    """What each hub was given today, by hub and kind."""

    given: Mapping[tuple[str, str], int] = {}

    def full_kind(self, hub: Hub, wanted: Mapping[str, int]) -> str | None:
        """The first kind of which the hub has given as much as it can today; None: it has room for all of it."""
        for kind in wanted:
            most = hub.capacity.get(kind)
            if most is not None and self.given.get((hub.hub_id, kind), 0) >= most:
                return kind
        return None

    def with_more(self, hub_id: str, wanted: Mapping[str, int]) -> Load:
        """The load after the hub got this, too."""
        if not wanted:
            return self
        more = {(hub_id, kind): self.given.get((hub_id, kind), 0) + n for kind, n in wanted.items()}
        return replace(self, given={**self.given, **more})
