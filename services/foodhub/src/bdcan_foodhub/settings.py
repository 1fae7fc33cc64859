"""The settings of foodhub, in addition to those of every service."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bdcan_chassis.grants import GrantSettings
from bdcan_chassis.http.bodies import Slug


class Settings(GrantSettings):
    """The food sites, and which site serves which hub. The defaults are illustrative."""

    central_site: Slug = Field(default="central", description="serves every hub that has no site of its own")
    sister_sites: tuple[Slug, ...] = Field(
        default=("becontree", "dagenham-east"), description="JSON list of further food sites"
    )
    hub_sites: dict[Slug, Slug] = Field(
        default_factory=dict, description="JSON object: hub → the sister site that serves it"
    )

    @model_validator(mode="after")
    def _sites_exist(self) -> Self:
        strange = sorted(set(self.hub_sites.values()) - self.sites)
        if strange:
            raise ValueError(f"hub_sites names sites that do not exist: {', '.join(strange)}")
        return self

    @property
    def sites(self) -> frozenset[str]:
        """All food sites."""
        return frozenset((self.central_site, *self.sister_sites))

    def site_of(self, hub_id: str) -> str:
        """The site that packs a hub's parcels."""
        return self.hub_sites.get(hub_id, self.central_site)
