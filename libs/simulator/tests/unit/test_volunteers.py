"""Volunteers: there are enough, for every kind of task at every hub, and their decisions survive a retry."""

from __future__ import annotations

from bdcan_contracts.vocabulary import TaskKind
from bdcan_simulator.volunteers import chance, how_many, volunteers

HUBS = tuple(f"hub-{n}" for n in range(9))


def test_every_hub_has_somebody_for_each_kind_of_task():
    people = list(volunteers(1, how_many(10), HUBS))
    for hub in HUBS:
        kinds = {kind for v in people if hub in v.hub_ids for kind in v.task_kinds}
        assert kinds == set(TaskKind)


def test_regulated_task_is_not_offered_without_clearance():
    people = list(volunteers(1, 400, HUBS))
    assert any(not v.dbs_cleared for v in people)
    assert all(
        v.dbs_cleared
        or not {TaskKind.SHOPPING, TaskKind.PRESCRIPTION, TaskKind.TRANSPORT} & set(v.task_kinds)
        for v in people
    )


def test_same_parts_give_the_same_chance():
    assert chance("task", 1) == chance("task", 1) != chance("task", 2)
    accepted = sum(chance("offer", n) < 0.85 for n in range(4000)) / 4000
    assert 0.83 < accepted < 0.87


def test_number_of_volunteers_matches_april_2020():
    assert 330 < how_many(1260) < 370
    assert how_many(12_000) == 900
