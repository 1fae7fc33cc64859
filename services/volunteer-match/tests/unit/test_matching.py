"""Who is asked next."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain.matching import MOST_AT_ONCE, Candidate, match
from bdcan_volunteer_match.domain.task import Task

ERRAND, TRANSPORT = TaskKind.ERRAND, TaskKind.TRANSPORT


def open_task(
    hub: str = "thames",
    kind: TaskKind = ERRAND,
    due: datetime = START,
    asked: tuple[UUID, ...] = (),
    dbs: bool | None = None,
) -> Task:
    return Task(
        task_id=uuid4(),
        referral_id=uuid4(),
        kind=kind,
        hub_id=hub,
        priority=Priority.STANDARD,
        requires_dbs=kind is TRANSPORT if dbs is None else dbs,
        due_at=due,
        alarm_at=due,
        opened_at=START,
        asked=asked,
    )


def person(
    *hubs: str,
    kinds: tuple[TaskKind, ...] = (ERRAND,),
    dbs: bool = False,
    free: int = MOST_AT_ONCE,
    last: datetime | None = None,
) -> Candidate:
    return Candidate(uuid4(), hubs or ("thames",), kinds, dbs, free, last)


def test_a_task_goes_only_to_somebody_of_its_hub_and_kind() -> None:
    fits = person()
    others = [person("heath"), person(kinds=(TRANSPORT,))]
    assert [m.volunteer_id for m in match([open_task()], [*others, fits], START)] == [fits.volunteer_id]


def test_a_regulated_task_waits_for_somebody_with_a_dbs_check() -> None:
    task = open_task(kind=TRANSPORT)
    assert match([task], [person(kinds=(TRANSPORT,))], START) == []
    cleared = person(kinds=(TRANSPORT,), dbs=True)
    assert [m.volunteer_id for m in match([task], [cleared], START)] == [cleared.volunteer_id]


def test_whoever_let_a_task_go_is_passed_over_for_that_task() -> None:
    only = person()
    shunned, other = open_task(asked=(only.volunteer_id,)), open_task(due=START + timedelta(hours=1))
    assert [m.task for m in match([shunned, other], [only], START)] == [other]


def test_whoever_was_asked_the_longest_ago_is_next() -> None:
    recent, long_ago, never = (
        person(last=START),
        person(last=START - timedelta(days=1)),
        person(),
    )
    tasks = [open_task(due=START + timedelta(hours=i)) for i in range(3)]
    asked = [m.volunteer_id for m in match(tasks, [recent, long_ago, never], START + timedelta(minutes=1))]
    assert asked == [never.volunteer_id, long_ago.volunteer_id, recent.volunteer_id]


def test_soonest_due_tasks_go_first_and_nobody_gets_too_many() -> None:
    late, soon, sooner = (open_task(due=START + timedelta(hours=h)) for h in (3, 2, 1))
    assert [m.task for m in match([late, soon, sooner], [person(free=2)], START)] == [sooner, soon]


def test_somebody_of_two_hubs_is_counted_once() -> None:
    both = person("thames", "heath", free=1)
    assert len(match([open_task(), open_task("heath")], [both], START)) == 1


HUBS = st.sampled_from(["thames", "heath"])
TASKS = st.builds(
    open_task,
    hub=HUBS,
    kind=st.sampled_from([ERRAND, TRANSPORT]),
    due=st.integers(0, 48).map(lambda h: START + timedelta(hours=h)),
)
PEOPLE = st.builds(
    lambda hubs, kinds, dbs, free: person(*hubs, kinds=tuple(kinds), dbs=dbs, free=free),
    st.lists(HUBS, min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from([ERRAND, TRANSPORT]), min_size=1, max_size=2, unique=True),
    st.booleans(),
    st.integers(0, MOST_AT_ONCE),
)


@given(st.lists(TASKS, max_size=25), st.lists(PEOPLE, max_size=8))
def test_every_pair_is_allowed_and_no_pair_is_left_out(tasks: list[Task], people: list[Candidate]) -> None:
    room = {p.volunteer_id: p.free for p in people}
    by_id = {p.volunteer_id: p for p in people}

    matches = match(tasks, people, START)

    matched = {m.task.task_id for m in matches}
    assert len(matched) == len(matches), "a task is offered once"
    for found in matches:
        who = by_id[found.volunteer_id]
        assert found.task.hub_id in who.hub_ids
        assert found.task.kind in who.task_kinds
        assert who.dbs_cleared or not found.task.requires_dbs
        room[found.volunteer_id] -= 1
    assert all(left >= 0 for left in room.values())
    for task in tasks:
        if task.task_id not in matched:
            assert not any(
                room[p.volunteer_id] > 0
                and task.hub_id in p.hub_ids
                and task.kind in p.task_kinds
                and p.suits(task)
                for p in people
            ), "a task waits although somebody suitable has room"


@given(st.integers(1, 30), st.integers(1, 10))
def test_offers_are_spread_evenly(number: int, helpers: int) -> None:
    people = [replace(person(), free=100) for _ in range(helpers)]
    count = dict.fromkeys((p.volunteer_id for p in people), 0)
    tasks = [open_task(due=START + timedelta(hours=i)) for i in range(number)]
    for step, task in enumerate(tasks):
        for found in match([task], people, START + timedelta(seconds=step)):
            count[found.volunteer_id] += 1
    assert max(count.values()) - min(count.values()) <= 1
