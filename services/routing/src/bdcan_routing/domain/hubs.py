"""Hubs: who covers which wards, and who steps in while a hub is paused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from msgspec import Struct

from bdcan_contracts.models import Ward


class Hub(Struct, frozen=True):
    """A locality hub. `cover` are the hubs that take its new referrals while it is paused, in that order."""

    hub_id: str
    name: str
    wards: tuple[Ward, ...]
    cover: tuple[str, ...]
    paused: bool
    version: int


class Hubs(Struct, frozen=True, dict=True):
    """All hubs as they now stand."""

    by_id: Mapping[str, Hub]

    @classmethod
    def of(cls, hubs: Iterable[Hub]) -> Hubs:
        """From a list of hubs."""
        return cls({hub.hub_id: hub for hub in hubs})

    @cached_property
    def by_ward(self) -> Mapping[str, Hub]:
        """The hub of each covered ward."""
        return {ward.gss: hub for hub in self.by_id.values() for ward in hub.wards}

    @cached_property
    def open_ids(self) -> tuple[str, ...]:
        """Hubs that take referrals, in the order of their ids."""
        return tuple(sorted(hub.hub_id for hub in self.by_id.values() if not hub.paused))

    def for_ward(self, gss: str) -> tuple[Hub, Hub | None] | None:
        """The ward's own hub, and the one that takes its referrals now (None: all cover is paused). None: nobody's ward."""
        own = self.by_ward.get(gss)
        if own is None:
            return None
        if not own.paused:
            return own, own
        for hub_id in own.cover:
            cover = self.by_id.get(hub_id)
            if cover is not None and not cover.paused:
                return own, cover
        return own, None

    def candidates(self, wards: Iterable[str]) -> tuple[str, ...]:
        """Hubs that take referrals now, those of these wards first and in their order, each once."""
        likely = [pair[1].hub_id for gss in wards if (pair := self.for_ward(gss)) and pair[1]]
        return tuple(dict.fromkeys(likely)) or self.open_ids
