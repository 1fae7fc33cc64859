"""The schedule: the same for the same seed, complete, and over when the load is."""

from __future__ import annotations

import pytest

from .schedule import APIS, NETWORK, PROCESSES, SESSION_SECONDS, WORKERS, Kind, plan

SEEDS = range(40)


@pytest.mark.parametrize("seconds", [50, 600])
def test_given_the_same_seed_when_planned_again_then_the_same_faults_strike_the_same_at_the_same_time(
    seconds: float,
) -> None:
    for seed in SEEDS:
        assert plan(seed, seconds) == plan(seed, seconds)
    assert len({tuple(plan(seed, seconds)) for seed in SEEDS}) == len(SEEDS)


def test_given_this_seed_then_the_first_faults_are_these_on_every_machine() -> None:
    faults = plan(7, 600)[:3]
    assert [(f.at, f.kind, f.victim, f.seconds) for f in faults] == [
        (3.0, Kind.ZOMBIE, "routing-worker", 11.38),
        (10.17, Kind.KILL, "escalation-worker", 0.0),
        (19.66, Kind.NET_HOLE, "volunteer-match:postgres", 70.0),
    ]


def test_given_a_long_run_then_every_kind_strikes_several_times_and_some_outlast_every_time_out() -> None:
    for seed in SEEDS:
        faults = plan(seed, 600)
        assert min(sum(f.kind is kind for f in faults) for kind in Kind) >= 2
    everything = [fault for seed in SEEDS for fault in plan(seed, 600)]
    assert any(f.kind is Kind.ZOMBIE and f.seconds > 30 for f in everything)
    assert any(f.kind is Kind.NET_HOLE and f.seconds > 60 for f in everything)
    assert {f.victim for f in everything if f.kind is Kind.KILL} == set(PROCESSES)
    assert {f.victim for f in everything if f.kind is Kind.USURPED} == set(WORKERS)
    assert {f.victim for f in everything if f.kind is Kind.RESTART} >= set(APIS)
    assert len({f.victim for f in everything if f.kind in NETWORK}) == 10


def test_given_a_short_run_then_nearly_every_kind_strikes_and_none_often() -> None:
    for seed in SEEDS:
        kinds = [f.kind for f in plan(seed, 60)]
        assert len(set(kinds)) >= len(Kind) - 3
        assert max(map(kinds.count, kinds)) <= 2


@pytest.mark.parametrize("seconds", [10, 50, 600])
def test_given_any_run_then_its_faults_are_in_order_and_over_when_the_load_is(seconds: float) -> None:
    for seed in SEEDS:
        faults = plan(seed, seconds)
        assert faults == sorted(faults, key=lambda f: f.at)
        assert all(f.at > 0 and f.at + f.seconds <= seconds + 0.01 for f in faults)


def test_given_a_zombie_then_it_sleeps_longer_than_its_session() -> None:
    zombies = [f for seed in SEEDS for f in plan(seed, 50) if f.kind in {Kind.ZOMBIE, Kind.USURPED}]
    assert all(f.seconds > SESSION_SECONDS + 1 for f in zombies)
