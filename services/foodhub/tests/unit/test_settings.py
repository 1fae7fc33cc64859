"""Which site serves which hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bdcan_chassis.testing.harness import settings_for
from bdcan_foodhub.settings import Settings


def made(**more: object) -> Settings:
    return settings_for(Settings, "postgresql://x@localhost/x", Path("keys.json"), **more)


def test_central_site_serves_a_hub_without_a_mapping():
    assert made().site_of("thames") == "central"


def test_mapped_site_serves_its_hub():
    assert made(hub_sites={"thames": "becontree"}).site_of("thames") == "becontree"


def test_unknown_site_stops_the_start():
    with pytest.raises(ValidationError, match="nowhere"):
        made(hub_sites={"thames": "nowhere"})
