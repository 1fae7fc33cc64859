"""Who is asked next, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from volunteer_match_story import CALENDAR

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import sectors
from bdcan_volunteer_match.domain.distance import Centre, Distances
from bdcan_volunteer_match.domain.eligibility import (
    WIDENS_AFTER,
    Candidate,
    Obstacle,
    Ring,
    counted_in_words,
    hubs_of,
    obstacles,
    widest_ring,
)
from bdcan_volunteer_match.domain.matching import Known, Match, Visit, free_from, match, rank
from bdcan_volunteer_match.domain.profile import Slot
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.volunteer import Part
from bdcan_volunteer_match.domain.weights import MOST_AT_ONCE
from bdcan_volunteer_match.optimum import assign

ERRAND, TRANSPORT = TaskKind.ERRAND, TaskKind.TRANSPORT
SOON, LATER = (START + after for after in WIDENS_AFTER[Priority.STANDARD].values())
DISTANCES = Distances(
    {"RM10 8": Centre(0, 0, 400), "RM10 9": Centre(1000, 0, 400), "IG11 0": Centre(9000, 0, 900)}
)


def open_task(hub: str = "thames", kind: TaskKind = ERRAND, due: datetime = START, **more: Any) -> Task:
    usual: dict[str, Any] = {
        "task_id": uuid4(),
        "referral_id": uuid4(),
        "priority": Priority.STANDARD,
        "requires_dbs": kind is TRANSPORT,
        "alarm_at": due,
        "opened_at": START,
    }
    return Task(kind=kind, hub_id=hub, due_at=due, **(usual | more))


def person(*hubs: str, kinds: tuple[TaskKind, ...] = (ERRAND,), dbs: bool = False, **more: Any) -> Candidate:
    return Candidate(
        more.pop("volunteer_id", uuid4()),
        hubs or ("thames",),
        kinds,
        dbs,
        more.pop("last", None),
        more.pop("seen_at", START),
        **more,
    )


def matched(
    tasks: Sequence[Task],
    people: Sequence[Candidate],
    now: datetime = START,
    visits: dict[UUID, list[Visit]] | None = None,
    neighbours: dict[str, tuple[str, ...]] | None = None,
) -> list[Match]:
    return match(tasks, people, Known(DISTANCES, CALENDAR, visits or {}, neighbours or {}), now, assign)


def who_gets(*args: Any, **more: Any) -> dict[UUID, UUID]:
    return {m.task.task_id: m.volunteer_id for m in matched(*args, **more)}


def test_a_task_goes_only_to_somebody_of_its_hub_and_kind() -> None:
    task, fits = open_task(), person()
    others = [person("heath"), person(kinds=(TRANSPORT,))]
    assert who_gets([task], [*others, fits]) == {task.task_id: fits.volunteer_id}


def test_a_regulated_task_waits_for_somebody_with_a_dbs_check() -> None:
    task = open_task(kind=TRANSPORT)
    assert who_gets([task], [person(kinds=(TRANSPORT,))]) == {}
    cleared = person(kinds=(TRANSPORT,), dbs=True)
    assert who_gets([task], [cleared]) == {task.task_id: cleared.volunteer_id}


def test_whoever_let_a_task_go_is_passed_over_for_that_task() -> None:
    only = person()
    shunned, other = open_task(asked=(only.volunteer_id,)), open_task(due=START + timedelta(hours=1))
    assert who_gets([shunned, other], [only]) == {other.task_id: only.volunteer_id}


def test_nobody_who_is_paused_suspended_or_off_duty_is_asked() -> None:
    away = [person(paused=True), person(paused=True, suspended=True), person(on_duty=False)]
    assert who_gets([open_task()], away) == {}


def test_nobody_is_asked_more_often_than_their_week_allows() -> None:
    tasks = [open_task() for _ in range(3)]
    assert len(who_gets(tasks, [person(weekly_offers=7, offers_this_week=6)])) == 1
    assert who_gets(tasks, [person(weekly_offers=7, offers_this_week=7)]) == {}


def test_nobody_is_asked_for_a_way_that_is_too_far_for_them() -> None:
    task = open_task(sector="IG11 0")
    on_foot = person(sector="RM10 8", travels="on-foot")
    assert who_gets([task], [on_foot]) == {}
    assert who_gets([task], [person(sector="RM10 8", travels="on-foot", radius_m=9000)])
    assert who_gets([task], [person(sector=None, travels="on-foot")]), "an unknown way excludes nobody"


def test_whoever_goes_on_foot_drives_nobody() -> None:
    task = open_task(kind=TRANSPORT)
    assert who_gets([task], [person(kinds=(TRANSPORT,), dbs=True, travels="bicycle")]) == {}


def test_whoever_was_asked_the_longest_ago_is_next() -> None:
    recent, long_ago, never = (
        person(last=START),
        person(last=START - timedelta(days=1)),
        person(),
    )
    task = open_task()
    assert who_gets([task], [recent, long_ago]) == {task.task_id: long_ago.volunteer_id}
    assert who_gets([task], [recent, long_ago, never]) == {task.task_id: never.volunteer_id}


def test_the_nearest_is_asked_where_all_else_is_equal() -> None:
    task = open_task(sector="RM10 8")
    near, far = person(sector="RM10 9"), person(sector="IG11 0")
    [found] = matched([task], [far, near])
    assert (found.volunteer_id, found.chosen.metres) == (near.volunteer_id, 1000)


def test_the_face_that_a_resident_knows_outweighs_some_way() -> None:
    task = open_task(sector="RM10 8")
    near, friend = person(sector="RM10 8"), person(sector="RM10 9")
    days = [START - timedelta(days=n) for n in (1, 8)]
    visits = {task.referral_id: [Visit(task.referral_id, friend.volunteer_id, day) for day in days]}
    [found] = matched([task], [near, friend], visits=visits)
    assert found.volunteer_id == friend.volunteer_id
    assert any("helped this household on" in words for words in found.chosen.because)


def test_whoever_has_time_before_the_task_is_due_comes_first() -> None:
    monday = Slot(1, time(18), time(20))  # START is a Monday morning
    tuesday = Slot(2, time(9), time(12))
    task = open_task(sector="RM10 8", due=START + timedelta(hours=12))
    near, far = (
        person(sector="RM10 8", availability=(tuesday,)),
        person(sector="IG11 0", availability=(monday,)),
    )
    assert who_gets([task], [near, far]) == {task.task_id: far.volunteer_id}
    assert who_gets([task], [near]) == {task.task_id: near.volunteer_id}, "late help is better than none"


def test_weekly_hours_begin_next_in_this_week_or_the_following_one() -> None:
    morning = person(availability=(Slot(1, time(8), time(12)),))
    assert free_from(morning, CALENDAR) is None
    earlier = person(availability=(Slot(1, time(6), time(7)),))
    assert free_from(earlier, CALENDAR) == CALENDAR.instant(date(2020, 3, 30), time(6))


def test_an_earlier_visit_counts_beside_the_last_one() -> None:
    task = open_task()
    last, often = person(), person()
    visits = [Visit(task.referral_id, last.volunteer_id, START)]
    visits += [Visit(task.referral_id, often.volunteer_id, START - timedelta(days=n)) for n in range(1, 4)]
    assert who_gets([task], [last, often], visits={task.referral_id: visits}) == {
        task.task_id: often.volunteer_id
    }


def test_work_is_spread_over_many_hands() -> None:
    tasks = [open_task(sector="RM10 8") for _ in range(3)]
    people = [person(sector="RM10 8"), person(sector="RM10 9"), person(sector="RM10 9")]
    assert len(set(who_gets(tasks, people).values())) == 3


def test_soonest_due_tasks_go_first_and_nobody_gets_too_many() -> None:
    late, soon, sooner = (open_task(due=START + timedelta(hours=h)) for h in (3, 2, 1))
    only = person(held=MOST_AT_ONCE - 2)
    assert set(who_gets([late, soon, sooner], [only])) == {sooner.task_id, soon.task_id}


def test_somebody_of_two_hubs_is_counted_once() -> None:
    both = person("thames", "heath", held=MOST_AT_ONCE - 1)
    assert len(who_gets([open_task(), open_task("heath")], [both])) == 1


def test_another_hub_is_asked_only_after_a_while() -> None:
    task, other = open_task(), person("heath")
    assert who_gets([task], [other], now=LATER - timedelta(seconds=1)) == {}
    [found] = matched([task], [other], now=LATER)
    assert (found.volunteer_id, found.chosen.ring) == (other.volunteer_id, Ring.BOROUGH)
    assert "helps another hub, because nobody of this hub was free" in found.chosen.because


def test_neighbours_are_asked_before_the_borough() -> None:
    task, near, far = open_task(), person("heath"), person("river")
    beside = {"thames": ("heath",)}
    early = SOON - timedelta(seconds=1)
    assert who_gets([task], [near, far], now=early, neighbours=beside) == {}
    assert who_gets([task], [near, far], now=SOON, neighbours=beside) == {task.task_id: near.volunteer_id}
    assert who_gets([task], [far], now=SOON, neighbours=beside) == {}
    assert who_gets([task], [far], now=LATER, neighbours=beside) == {task.task_id: far.volunteer_id}


def test_a_check_counts_for_the_hub_that_has_seen_it() -> None:
    old = open_task(kind=TRANSPORT)
    checked = Part("heath", (TRANSPORT,), checked=True)
    other = person("heath", kinds=(TRANSPORT,), dbs=True, parts=(checked,))
    assert who_gets([old], [other], now=LATER) == {}
    seen = person(
        "heath", kinds=(TRANSPORT,), dbs=True, parts=(checked, Part("thames", (TRANSPORT,), checked=True))
    )
    assert who_gets([old], [seen], now=LATER)


def test_no_hub_takes_a_volunteer_whom_a_task_of_their_own_hub_needs() -> None:
    overdue, own = open_task("thames", due=START - timedelta(days=3)), open_task("heath")
    only = person("heath", held=MOST_AT_ONCE - 1)
    assert who_gets([overdue, own], [only], now=LATER) == {own.task_id: only.volunteer_id}


def test_it_says_how_many_are_not_asked_and_why() -> None:
    task = open_task(sector="RM10 8", kind=TRANSPORT)
    fits = person(kinds=(TRANSPORT,), dbs=True)
    others = [person(kinds=(TRANSPORT,), on_duty=False) for _ in range(2)]
    others += [
        person(kinds=(TRANSPORT,)),
        person(kinds=(TRANSPORT,), dbs=True, sector="IG11 0", radius_m=100),
    ]
    [found] = matched([task], [fits, *others, person("heath")])
    assert found.chosen.not_asked == {"off-duty": 2, "check-missing": 1, "too-far": 1}
    words = counted_in_words({Obstacle(why): number for why, number in found.chosen.not_asked.items()})
    assert words == [
        "2 are not on duty",
        "1 has no check that this hub has seen",
        "1 lives farther away than they travel",
    ]


def test_a_ranking_names_the_best_first_and_what_is_missing() -> None:
    task = open_task(sector="RM10 8")
    near, far, full = person(sector="RM10 8"), person(sector="IG11 0"), person(held=MOST_AT_ONCE)
    ranked, missing = rank(task, [far, full, near], Ring.OWN, Known(DISTANCES, CALENDAR))
    assert [one.candidate for one in ranked] == [near, far]
    assert missing == {Obstacle.FULL: 1}


def test_the_shipped_centres_know_the_borough() -> None:
    shipped = sectors.load()
    assert 300 < (shipped.metres("RM10 8", "RM10 8") or 0) < 1500
    assert 3000 < (shipped.metres("RM10 8", "IG11 0") or 0) < 9000
    assert shipped.metres("RM10 8", "ZZ1 1") is None


HUBS = st.sampled_from(["thames", "heath"])
PLACES = st.sampled_from(["RM10 8", "RM10 9", "IG11 0", None])
TASKS = st.builds(
    open_task,
    hub=HUBS,
    kind=st.sampled_from([ERRAND, TRANSPORT]),
    due=st.integers(0, 48).map(lambda h: START + timedelta(hours=h)),
    opened_at=st.sampled_from([START, START - (LATER - START)]),
    sector=PLACES,
)
PEOPLE = st.builds(
    lambda hubs, kinds, dbs, **more: person(*hubs, kinds=tuple(kinds), dbs=dbs, **more),
    st.lists(HUBS, min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from([ERRAND, TRANSPORT]), min_size=1, max_size=2, unique=True),
    st.booleans(),
    held=st.integers(0, MOST_AT_ONCE),
    sector=PLACES,
    travels=st.sampled_from(["on-foot", "car", None]),
    on_duty=st.booleans(),
    weekly_offers=st.sampled_from([None, 1, 7]),
    offers_this_week=st.integers(0, 7),
)


def _searched(task: Task) -> frozenset[str] | None:
    return hubs_of(widest_ring(task, START), task.hub_id, {})


@given(st.lists(TASKS, max_size=12), st.lists(PEOPLE, max_size=6))
def test_every_pair_is_allowed_and_no_pair_is_left_out(tasks: list[Task], people: list[Candidate]) -> None:
    room = {p.volunteer_id: p.room for p in people}
    by_id = {p.volunteer_id: p for p in people}

    matches = matched(tasks, people)

    done = {m.task.task_id for m in matches}
    assert len(done) == len(matches), "a task is offered once"
    for found in matches:
        who = by_id[found.volunteer_id]
        metres = DISTANCES.metres(who.sector, found.task.sector)
        assert obstacles(who, found.task, _searched(found.task), metres) == []
        room[found.volunteer_id] -= 1
    assert all(left >= 0 or by_id[who].room < 0 for who, left in room.items())
    for task in tasks:
        if task.task_id not in done:
            for p in people:
                metres = DISTANCES.metres(p.sector, task.sector)
                may = not obstacles(p, task, _searched(task), metres)
                assert not may or room[p.volunteer_id] <= 0, "a task waits although somebody has room"
