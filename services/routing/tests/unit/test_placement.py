"""Hubs: who covers a ward, and who steps in."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bdcan_chassis.errors import ConfigurationError
from bdcan_contracts.models import AssignmentMethod, TriageReason
from bdcan_contracts.typed import read_postcode
from bdcan_routing.domain.gazetteer import Lookup, Thresholds, Unit
from bdcan_routing.domain.hubs import Hubs
from bdcan_routing.domain.placement import Hold, Placer, ToHub
from bdcan_routing.domain.wards import BOROUGH, WARDS
from bdcan_routing.hubs.configured import configured_hubs

ABBEY = "E05014053"
SHIPPED, _ = configured_hubs(None)


def placer(*paused: str, without: str | None = None) -> Placer:
    hubs = [replace(h, paused=h.hub_id in paused) for h in SHIPPED if h.hub_id != without]
    units = {"IG11 7NB": Unit(BOROUGH, ABBEY)}
    return Placer(Lookup("release 1", False, units), Hubs.of(hubs), Thresholds())


def test_given_its_hub_is_open_when_placed_then_that_hub_and_the_reason():
    verdict = placer().place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert (verdict.hub_id, verdict.method) == ("hub-1", AssignmentMethod.EXACT)
    assert verdict.explanation.endswith("Hub 1 – Abbey and Northbury covers it.")


def test_given_its_hub_is_paused_when_placed_then_the_first_open_cover_and_the_reason():
    verdict = placer("hub-1", "hub-2").place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert (verdict.hub_id, verdict.method) == ("hub-4", AssignmentMethod.HUB_PAUSED)
    assert "paused; Hub 4 – Eastbury and Longbridge steps in" in verdict.explanation


def test_given_all_cover_is_paused_when_placed_then_a_person_decides_among_the_open_ones():
    verdict = placer("hub-1", "hub-2", "hub-3", "hub-4").place(read_postcode("IG11 7NB"))
    assert verdict == Hold(TriageReason.NO_HUB_FOR_WARD, ("hub-5", "hub-6", "hub-7", "hub-8", "hub-9"))


def test_given_nobody_covers_the_ward_when_placed_then_a_person_decides():
    verdict = placer(without="hub-1").place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, Hold)
    assert verdict.reason is TriageReason.NO_HUB_FOR_WARD


def test_given_the_longest_names_when_explained_then_it_fits_the_event():
    hubs = [replace(h, name="H" * 100, paused=h.hub_id == "hub-1") for h in SHIPPED]
    verdict = replace(placer(), hubs=Hubs.of(hubs)).place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert len(verdict.explanation) <= 300


def test_given_the_shipped_hubs_when_read_then_nine_cover_every_ward_of_both_vintages_once():
    hubs, illustrative = configured_hubs(None)
    assert illustrative
    assert len(hubs) == 9
    covered = [ward.gss for hub in hubs for ward in hub.wards]
    assert sorted(covered) == sorted(WARDS)
    assert all(1 <= sum(w.vintage == 2022 for w in hub.wards) <= 3 for hub in hubs)
    assert all(hub.cover and hub.hub_id not in hub.cover for hub in hubs)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hub = []", "at least 1"),
        ("not toml", "cannot be read"),
        ('[[hub]]\nid="a"\nname="A"\nwards=["E05999999"]', "a: E05999999 is no ward"),
        ('[[hub]]\nid="a"\nname="A"\nwards=["E05014053"]\ncover=["b"]', "a: cover b is not defined"),
        (
            '[[hub]]\nid="a"\nname="A"\nwards=["E05014053"]\n[[hub]]\nid="b"\nname="B"\nwards=["E05014053"]',
            "b: E05014053 is a's",
        ),
    ],
)
def test_given_a_wrong_file_of_hubs_when_read_then_it_says_what_is_wrong(tmp_path, text, fault):
    path = tmp_path / "hubs.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        configured_hubs(path)
