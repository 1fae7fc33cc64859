"""Which hub is served from where."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bdcan_chassis.testing.harness import settings_for
from bdcan_foodhub.settings import Settings


def made(**more: object) -> Settings:
    return settings_for(Settings, "postgresql://x@localhost/x", Path("keys.json"), **more)


def test_given_no_mapping_when_a_hub_asks_then_the_central_site_serves_it():
    assert made().site_of("thames") == "central"


def test_given_a_mapping_when_its_hub_asks_then_its_sister_site_serves_it():
    assert made(hub_sites={"thames": "becontree"}).site_of("thames") == "becontree"


def test_given_a_site_that_does_not_exist_when_the_service_starts_then_it_says_so():
    with pytest.raises(ValidationError, match="nowhere"):
        made(hub_sites={"thames": "nowhere"})
