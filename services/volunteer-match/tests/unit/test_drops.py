"""What goes on a round: each stop once at most, nobody late, nobody with more than they can carry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain.drops import (
    ANY_TIME,
    MEANS,
    WORDS,
    Asked,
    Doer,
    Means,
    Point,
    Problem,
    WhyLeftOut,
    Window,
    nearest_first,
    scheduled,
    screened,
    settled,
    worth_of,
)
from bdcan_volunteer_match.solving import solve

HERE = Point(548000, 185000)
SECONDS = timedelta(seconds=20)


def doer(number: int = 1, means: Means = Means.CAR, hours: float = 3, room: int | None = None) -> Doer:
    return Doer(UUID(int=number), means, START, START + timedelta(hours=hours), room or MEANS[means].room)


def asked(number: int, may: set[int] | None = None, **more: Any) -> Asked:
    usual: dict[str, Any] = {
        "kind": TaskKind.PRESCRIPTION,
        "priority": Priority.STANDARD,
        "due_at": START + timedelta(hours=30),
    }
    who = {UUID(int=one) for one in ({1} if may is None else may)}
    return Asked(UUID(int=1000 + number), may=who, **(usual | more))


def east(metres: int) -> Point:
    return Point(HERE.easting + metres, HERE.northing)


def why(one: Asked, at: Point | None = HERE, *doers: Doer) -> WhyLeftOut | None:
    """Why a stop is left out; None where it is not."""
    positions = {one.task_id: at} if at else {}
    _, left_out = screened([one], positions, HERE, doers or (doer(),), START)
    return left_out[0].reason if left_out else None


@pytest.mark.parametrize(
    ("one", "at", "doers", "reason"),
    [
        (asked(1), east(500), (), None),
        (asked(1, refusal=WhyLeftOut.TAKEN), east(500), (), WhyLeftOut.TAKEN),
        (asked(1, kind=TaskKind.SHOPPING), east(500), (), WhyLeftOut.NO_DELIVERY),
        (asked(1), None, (), WhyLeftOut.NO_POSITION),
        (asked(1, may=set()), east(500), (), WhyLeftOut.NOBODY_MAY),
        (asked(1), east(3000), (doer(means=Means.FOOT),), WhyLeftOut.TOO_FAR),
        (asked(1, may={1}), east(3000), (doer(1, Means.FOOT), doer(2)), WhyLeftOut.TOO_FAR),
        (asked(1, kind=TaskKind.PARCEL_DELIVERY), east(500), (doer(room=5),), WhyLeftOut.TOO_MUCH),
        (asked(1, window=Window(latest=START)), east(500), (), WhyLeftOut.WINDOW),
        (asked(1, window=Window(earliest=START + timedelta(hours=4))), east(500), (), WhyLeftOut.WINDOW),
    ],
)
def test_stop_that_nobody_can_make_is_left_out_with_its_reason(
    one: Asked, at: Point | None, doers: tuple[Doer, ...], reason: WhyLeftOut | None
) -> None:
    assert why(one, at, *doers) == reason


def test_every_reason_has_words_for_a_person() -> None:
    assert set(WORDS) == set(WhyLeftOut)


def test_overdue_stop_is_never_left_out_for_being_late() -> None:
    late = asked(1, due_at=START - timedelta(days=2))
    problem, left_out = screened(
        [late, asked(2)], {late.task_id: HERE, asked(2).task_id: HERE}, HERE, [doer()], START
    )
    assert left_out == ()
    assert [drop.worth for drop in problem.drops] == [4, 2]


def test_whoever_comes_early_waits() -> None:
    one = asked(1, window=Window(earliest=START + timedelta(hours=1)))
    problem, _ = screened([one], {one.task_id: east(500)}, HERE, [doer()], START)
    course = scheduled(HERE, doer(), problem.drops)
    assert course.stops[0].arrive_at == START + timedelta(hours=1)
    assert course.metres == 1300
    assert course.back_at == START + timedelta(hours=1, minutes=4, seconds=119)


def test_orders_that_break_a_limit_are_cut() -> None:
    many = [asked(number, kind=TaskKind.PARCEL_DELIVERY) for number in range(3)]
    problem, _ = screened(
        many, dict.fromkeys([one.task_id for one in many], HERE), HERE, [doer(room=12)], START
    )
    courses, left_out = settled(problem, [[many[0].task_id, many[0].task_id, *(one.task_id for one in many)]])
    assert [stop.task_id for stop in courses[0].stops] == [many[0].task_id, many[1].task_id]
    assert [(one.task_id, one.reason) for one in left_out] == [(many[2].task_id, WhyLeftOut.NO_ROOM)]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    numbers = range(draw(st.integers(1, 4)))
    doers = [
        doer(
            number,
            draw(st.sampled_from(Means)),
            draw(st.sampled_from([0.5, 1, 3])),
            draw(st.sampled_from([None, 1, 7])),
        )
        for number in numbers
    ]
    stops, positions = [], {}
    for number in range(draw(st.integers(0, 12))):
        begin = draw(st.one_of(st.none(), st.integers(0, 180)))
        window = Window(
            None if begin is None else START + timedelta(minutes=begin),
            None if begin is None else START + timedelta(minutes=begin + draw(st.integers(0, 60))),
        )
        one = asked(
            number,
            set(draw(st.lists(st.sampled_from(numbers), unique=True))),
            kind=draw(st.sampled_from([TaskKind.PRESCRIPTION, TaskKind.PARCEL_DELIVERY])),
            priority=draw(st.sampled_from(Priority)),
            window=draw(st.sampled_from([window, ANY_TIME])),
        )
        stops.append(one)
        positions[one.task_id] = Point(
            HERE.easting + draw(st.integers(-4000, 4000)), HERE.northing + draw(st.integers(-4000, 4000))
        )
    problem, left_out = screened(stops, positions, HERE, doers, START)
    assert len(problem.drops) + len(left_out) == len(stops)
    return problem


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_stop_is_in_one_round_or_left_out_and_every_limit_is_kept(problem: Problem) -> None:
    orders = solve(problem, SECONDS)
    courses, left_out = settled(problem, orders)

    stops = [stop.task_id for course in courses for stop in course.stops]
    assert sorted([*stops, *(one.task_id for one in left_out)]) == sorted(d.task_id for d in problem.drops)
    loads = {drop.task_id: drop.load for drop in problem.drops}
    for someone, course in zip(problem.doers, courses, strict=True):
        assert sum(loads[stop.task_id] for stop in course.stops) <= someone.room
        assert course.back_at <= someone.back_by
        for stop in course.stops:
            assert someone.volunteer_id in problem.may[stop.task_id]
            assert not stop.late
            assert stop.earliest is None or stop.arrive_at >= stop.earliest
    assert worth_of(problem, [stops]) >= worth_of(problem, nearest_first(problem))


@settings(max_examples=10, deadline=None)
@given(problems())
def test_same_question_has_the_same_answer(problem: Problem) -> None:
    assert solve(problem, SECONDS) == solve(problem, SECONDS)
