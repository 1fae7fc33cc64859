"""A gauge that is read as a whole: known values are 0, the rest is absent, and no scrape sees a part."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bdcan_chassis.sampled import Sampled


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_gauge_that_nobody_read_has_no_series(registry: CollectorRegistry) -> None:
    Sampled("toys", "toys that are here", registry=registry)
    Sampled("states", "states of toys", ["state"], {"state": ("new", "old")}, registry)
    assert b"toys that are here" in generate_latest(registry)
    assert [line for line in generate_latest(registry).splitlines() if not line.startswith(b"#")] == []


def test_known_values_are_zero_and_unknown_ones_are_shown(registry: CollectorRegistry) -> None:
    toys = Sampled("toys", "toys", ["hub", "state"], {"state": ("new", "old")}, registry)
    toys.replace({("a", "new"): 3, ("a", "broken"): 1})
    assert [toys.value("a", state) for state in ("new", "old", "broken")] == [3, 0, 1]
    toys.replace({})
    assert [toys.value("a", state) for state in ("new", "old", "broken")] == [0, 0, None]


def test_place_that_is_expected_is_zero_before_it_has_a_row(registry: CollectorRegistry) -> None:
    toys = Sampled("toys", "toys", ["hub"], {}, registry)
    toys.expect(hub="a")
    assert toys.value("a") is None, "nobody has looked yet"
    toys.replace({})
    assert toys.value("a") == 0


def test_age_vanishes_with_what_it_is_the_age_of(registry: CollectorRegistry) -> None:
    oldest = Sampled("oldest", "the oldest", ["hub"], registry=registry)
    oldest.replace({("a",): 60.0})
    oldest.replace({("b",): 30.0})
    assert (oldest.value("a"), oldest.value("b")) == (None, 30.0)


def test_function_is_read_at_each_scrape(registry: CollectorRegistry) -> None:
    values = iter((1.0, 2.0))
    clock = Sampled("clock", "the clock", registry=registry)
    clock.set_function(lambda: {(): next(values)})
    assert registry.get_sample_value("clock") == 1.0
    assert registry.get_sample_value("clock") == 2.0
