"""Whatever passes, volunteers and time do in whatever order: one acceptance a task, by somebody who may do it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace
from volunteer_match_story import CALENDAR, helper, packed

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import TaskAccepted, TaskCompleted, TaskFailed
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain.distance import Distances
from bdcan_volunteer_match.domain.eligibility import Candidate
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.matching import Known, match
from bdcan_volunteer_match.domain.task import (
    DEADLINE,
    ENDS,
    Task,
    TaskState,
    accept,
    complete,
    fail,
    follow_volunteer,
    for_parcel,
    offer,
    on_deadline,
    refuse,
)
from bdcan_volunteer_match.domain.volunteer import Part, Volunteer, VolunteerState
from bdcan_volunteer_match.domain.weights import MOST_AT_ONCE
from bdcan_volunteer_match.optimum import assign

PEOPLE = [UUID(int=number) for number in range(1, 4)]
WHO = st.sampled_from(PEOPLE)
HELD = (TaskState.OFFERED, TaskState.ACCEPTED)


class Matching(RuleBasedStateMachine):
    """Four deliveries at two hubs, and three volunteers who come and go."""

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.people = {
            who: helper(who, hub_ids=(("thames", "heath")[n % 2],)) for n, who in enumerate(PEOPLE)
        }
        self.tasks: dict[UUID, Task] = {}
        self.deadlines: dict[UUID, object] = {}
        self.accepted: dict[UUID, int] = {}
        for number in range(4):
            opened = for_parcel(None, None, packed(uuid4(), ("thames", "heath")[number % 2]), START)
            assert opened is not None
            self._put(Step(replace(opened.state, requires_dbs=number == 0), (), opened.deadlines))

    def _put(self, step: Step[Task]) -> None:
        task = step.state
        self.tasks[task.task_id] = task
        self.deadlines[task.task_id] = step.deadlines.get(DEADLINE, self.deadlines.get(task.task_id))
        for event in step.events:
            moves = {TaskAccepted: 1, TaskFailed: -1, TaskCompleted: 0}
            self.accepted[task.task_id] = self.accepted.get(task.task_id, 0) + moves.get(type(event), 0)

    def _held(self, who: UUID) -> int:
        return sum(task.volunteer_id == who and task.state in HELD for task in self.tasks.values())

    def _candidate(self, one: Volunteer) -> Candidate:
        return Candidate(
            one.volunteer_id,
            one.hub_ids,
            one.task_kinds,
            one.dbs_cleared,
            one.last_offered_at,
            self.now,
            parts=one.parts,
            held=self._held(one.volunteer_id),
            paused=one.state is VolunteerState.PAUSED,
        )

    def _fit(self, task: Task) -> bool:
        assert task.volunteer_id is not None
        one = self.people[task.volunteer_id]
        return one.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=self.now) is None

    @rule()
    def a_pass_runs(self) -> None:
        waiting = [task for task in self.tasks.values() if task.state is TaskState.OPEN]
        people = [self._candidate(one) for one in self.people.values()]
        for found in match(waiting, people, Known(Distances({}), CALENDAR), self.now, assign):
            self._put(offer(found.task, self.people[found.volunteer_id], self.now, CALENDAR))

    @rule(number=st.integers(0, 3), who=WHO)
    def somebody_accepts(self, number: int, who: UUID) -> None:
        task = list(self.tasks.values())[number]
        mine = task.volunteer_id == who and task.state in HELD
        try:
            self._put(accept(task, self.people[who], self.now))
        except NotAllowedError:
            assert not (mine and self._fit(task))
        else:
            assert mine
            assert self._fit(self.tasks[task.task_id])

    @rule(number=st.integers(0, 3), what=st.sampled_from([refuse, complete]))
    def the_holder_answers(self, number: int, what: object) -> None:
        task = list(self.tasks.values())[number]
        wanted = TaskState.OFFERED if what is refuse else TaskState.ACCEPTED
        if task.state is wanted and task.volunteer_id is not None:
            act = refuse if what is refuse else complete
            self._put(act(task, task.volunteer_id, self.now))

    @rule(number=st.integers(0, 3))
    def the_holder_hands_it_back(self, number: int) -> None:
        task = list(self.tasks.values())[number]
        if task.state is TaskState.ACCEPTED and task.volunteer_id is not None:
            self._put(fail(task, task.volunteer_id, "nobody-home", self.now))

    @rule(
        who=WHO,
        paused=st.booleans(),
        checked=st.booleans(),
        kind=st.sampled_from([TaskKind.PARCEL_DELIVERY, TaskKind.ERRAND]),
    )
    def a_volunteer_changes(self, who: UUID, *, paused: bool, checked: bool, kind: TaskKind) -> None:
        before = self.people[who]
        part = Part(before.hub_ids[0], (kind,), checked)
        after = replace(
            before,
            state=VolunteerState.PAUSED if paused else VolunteerState.ACTIVE,
            task_kinds=(kind,),
            dbs_cleared=checked,
            parts=(part,),
        )
        self.people[who] = after
        for task in [one for one in self.tasks.values() if one.volunteer_id == who and one.state in HELD]:
            self._put(follow_volunteer(task, before, after, self.now))

    @rule(hours=st.integers(1, 40))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for task in list(self.tasks.values()):
            if task.deadline_at is not None and task.deadline_at <= self.now:
                self._put(on_deadline(task, self.now))

    @invariant()
    def nobody_has_a_task_that_they_may_not_do(self) -> None:
        for task in self.tasks.values():
            assert task.state not in HELD or self._fit(task)

    @invariant()
    def each_task_is_accepted_once(self) -> None:
        for task_id, task in self.tasks.items():
            taken = task.state in (TaskState.ACCEPTED, TaskState.DONE)
            assert self.accepted.get(task_id, 0) == int(taken)

    @invariant()
    def nobody_has_more_than_they_have_room_for(self) -> None:
        assert all(self._held(who) <= MOST_AT_ONCE for who in self.people)

    @invariant()
    def every_task_that_has_not_ended_has_a_deadline(self) -> None:
        for task_id, task in self.tasks.items():
            assert (self.deadlines[task_id] is None) == (task.state in ENDS)
            assert self.deadlines[task_id] == task.deadline_at


TestMatching = Matching.TestCase
TestMatching.settings = settings(deadline=None, max_examples=60)
