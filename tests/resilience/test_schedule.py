"""The schedule: the same for the same seed, complete, and over when the load is."""

from __future__ import annotations

import pytest

from .schedule import APIS, NETWORK, PROCESSES, SESSION_SECONDS, WORKERS, Kind, plan

SEEDS = range(40)


@pytest.mark.parametrize("seconds", [50, 600])
def test_same_seed_plans_the_same_faults(
    seconds: float,
) -> None:
    for seed in SEEDS:
        assert plan(seed, seconds) == plan(seed, seconds)
    assert len({tuple(plan(seed, seconds)) for seed in SEEDS}) == len(SEEDS)


def test_seed_gives_these_first_faults_on_every_machine() -> None:
    faults = plan(7, 600)[:3]
    assert [(f.at, f.kind, f.victim, f.seconds) for f in faults] == [
        (3.0, Kind.ZOMBIE, "routing-worker", 11.38),
        (10.17, Kind.KILL, "escalation-worker", 0.0),
        (19.66, Kind.NET_HOLE, "volunteer-match:postgres", 70.0),
    ]


def test_long_run_repeats_every_fault_and_some_outlast_all_time_outs() -> None:
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


def test_short_run_has_nearly_every_fault_a_few_times() -> None:
    for seed in SEEDS:
        kinds = [f.kind for f in plan(seed, 60)]
        assert len(set(kinds)) >= len(Kind) - 3
        assert max(map(kinds.count, kinds)) <= 2


@pytest.mark.parametrize("seconds", [10, 50, 600])
def test_faults_are_in_order_and_end_with_the_load(seconds: float) -> None:
    for seed in SEEDS:
        faults = plan(seed, seconds)
        assert faults == sorted(faults, key=lambda f: f.at)
        assert all(f.at > 0 and f.at + f.seconds <= seconds + 0.01 for f in faults)


def test_zombie_sleeps_longer_than_its_session() -> None:
    zombies = [f for seed in SEEDS for f in plan(seed, 50) if f.kind in {Kind.ZOMBIE, Kind.USURPED}]
    assert all(f.seconds > SESSION_SECONDS + 1 for f in zombies)
