"""Hubs: who covers a ward, and who steps in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.step import Step
from bdcan_contracts.models import AssignmentMethod, HubConfigured
from bdcan_contracts.typed import read_postcode
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.errors import NotAllowedError
from bdcan_routing.domain.gazetteer import Lookup, Thresholds, Unit
from bdcan_routing.domain.hubs import (
    Coverage,
    Hub,
    HubPlan,
    configure,
    establish,
    meet_neighbours,
    pause,
    resume,
)
from bdcan_routing.domain.placement import Hold, Placer, ToHub
from bdcan_routing.domain.wards import BOROUGH, WARDS
from bdcan_routing.hubs.configured import configured_hubs

ABBEY = "E05014053"
NOW = datetime(2020, 3, 23, 9, tzinfo=UTC)
SHIPPED = [establish(plan, NOW).state for plan in configured_hubs(None)]


def placer(*paused: str, without: str | None = None) -> Placer:
    hubs = [_paused(h) if h.hub_id in paused else h for h in SHIPPED if h.hub_id != without]
    units = {"IG11 7NB": Unit(BOROUGH, ABBEY)}
    return Placer(Lookup("release 1", False, units), Coverage.of(hubs), Thresholds())


def _paused(hub: Hub) -> Hub:
    return pause(hub, "storm", NOW).state


def test_open_hub_gets_its_wards_with_the_reason():
    verdict = placer().place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert (verdict.hub_id, verdict.method) == ("hub-1", AssignmentMethod.EXACT)
    assert verdict.explanation.endswith("Hub 1 – Abbey and Northbury covers it.")


def test_first_open_cover_steps_in_for_a_paused_hub():
    verdict = placer("hub-1", "hub-2").place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert (verdict.hub_id, verdict.method) == ("hub-4", AssignmentMethod.HUB_PAUSED)
    assert "paused; Hub 4 – Eastbury and Longbridge steps in" in verdict.explanation


def test_person_decides_among_open_hubs_when_all_cover_is_paused():
    verdict = placer("hub-1", "hub-2", "hub-3", "hub-4").place(read_postcode("IG11 7NB"))
    assert verdict == Hold(TriageReason.NO_HUB_FOR_WARD, ("hub-5", "hub-6", "hub-7", "hub-8", "hub-9"))


def test_person_decides_when_no_hub_covers_the_ward():
    verdict = placer(without="hub-1").place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, Hold)
    assert verdict.reason == TriageReason.NO_HUB_FOR_WARD


def test_explanation_with_the_longest_names_fits_the_event():
    longest = [replace(h, name="H" * 100) for h in SHIPPED]
    hubs = [_paused(h) if h.hub_id == "hub-1" else h for h in longest]
    verdict = replace(placer(), coverage=Coverage.of(hubs)).place(read_postcode("IG11 7NB"))
    assert isinstance(verdict, ToHub)
    assert len(verdict.explanation) <= 300


def test_nine_shipped_hubs_cover_every_ward_once():
    hubs = SHIPPED
    assert all(hub.illustrative for hub in hubs)
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
        ('[[hub]]\nid="a"\nname="A"\nwards=["E05999999"]', "a: the borough has no ward E05999999"),
        (
            '[[hub]]\nid="a"\nname="A"\nwards=["E05014053"]\ncover=["b"]',
            "a: the file does not define its cover b",
        ),
        (
            '[[hub]]\nid="a"\nname="A"\nwards=["E05014053"]\nneighbours=["b"]',
            "a: the file does not define its neighbour b",
        ),
        (
            '[[hub]]\nid="a"\nname="A"\nwards=["E05014053"]\n[[hub]]\nid="b"\nname="B"\nwards=["E05014053"]',
            "b: a covers E05014053 already",
        ),
    ],
)
def test_wrong_file_of_hubs_is_refused_with_the_fault(tmp_path, text, fault):
    path = tmp_path / "hubs.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        configured_hubs(path)


def test_plan_that_a_hub_follows_already_changes_nothing():
    coverage, plan = Coverage.of(SHIPPED), configured_hubs(None)[0]
    assert configure(coverage, plan, NOW) == Step(coverage.by_id["hub-1"])


def test_change_of_a_paused_hub_keeps_the_pause_and_its_cover():
    coverage = Coverage.of(map(_paused, SHIPPED))
    before = coverage.by_id["hub-1"]
    later = NOW + timedelta(hours=1)
    step = configure(coverage, HubPlan("hub-1", "Ours", before.wards), later, seen=2)
    assert step.state == replace(before, name="Ours", version=3, configured_at=later, illustrative=False)
    [event] = step.events
    assert isinstance(event, HubConfigured)
    assert (event.version, event.paused) == (3, True)


def test_pause_and_resume_are_each_refused_the_second_time():
    paused = _paused(SHIPPED[0])
    with pytest.raises(NotAllowedError, match="paused already"):
        pause(paused, "storm", NOW)
    with pytest.raises(NotAllowedError, match="not paused"):
        resume(resume(paused, NOW).state, NOW)


def test_neighbours_of_the_shipped_hubs_know_each_other():
    beside = {hub.hub_id: hub.neighbours or () for hub in SHIPPED}
    assert all(beside.values())
    assert all(hub in beside[other] for hub, others in beside.items() for other in others)


def test_hub_from_before_there_were_neighbours_gets_its_cover_and_says_so_once():
    old = replace(SHIPPED[0], neighbours=None)
    step = meet_neighbours(old, NOW)
    [event] = step.events
    assert isinstance(event, HubConfigured)
    assert (event.version, event.neighbours) == (2, old.cover)
    assert meet_neighbours(step.state, NOW).events == ()


def test_plan_without_neighbours_keeps_those_that_the_hub_has():
    coverage = Coverage.of(SHIPPED)
    before = coverage.by_id["hub-1"]
    kept = configure(coverage, HubPlan("hub-1", "Ours", before.wards), NOW, seen=1).state
    assert kept.neighbours == before.neighbours
    said = HubPlan("hub-1", "Ours", before.wards, neighbours=("hub-9",))
    assert configure(coverage, said, NOW, seen=1).state.neighbours == ("hub-9",)
