"""Whatever volunteers do in whatever order, a task is never forgotten and never done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from volunteer_match_story import CALENDAR, assigned, helper, packed

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    Priority,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskOpened,
    TaskUnfilled,
)
from bdcan_volunteer_match.domain.call import assign
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.following import follow
from bdcan_volunteer_match.domain.task import (
    DEADLINE,
    ENDS,
    OFFERS_BEFORE_ALARM,
    Task,
    TaskState,
    accept,
    cancel,
    complete,
    fail,
    for_parcel,
    offer,
    on_deadline,
    refuse,
    take_back,
)
from bdcan_volunteer_match.domain.volunteer import Volunteer

VOLUNTEERS = [uuid4() for _ in range(3)]
WHO = st.sampled_from([*VOLUNTEERS, None, None, None])
"""Somebody, or whoever has the task: left to chance alone, hardly anything would be accepted and then done."""


class Tasks(RuleBasedStateMachine):
    """One task, three volunteers, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        opened = for_parcel(None, None, packed(uuid4()), START)
        assert opened is not None
        self.task, self.told = opened.state, list(opened.events)
        self.deadline = opened.deadlines[DEADLINE]
        self.offers_since_alarm = 0
        self.facts = assign(None, assigned(self.task.referral_id)).state

    def _decide(self, decide: Callable[[], Step[Task]]) -> bool:
        before = self.task
        try:
            step = decide()
        except NotAllowedError:
            assert self.task == before
            return False
        self.task = step.state
        self.told += step.events
        self.deadline = step.deadlines.get(DEADLINE, self.deadline)
        if any(isinstance(e, TaskUnfilled | TaskAccepted) for e in step.events):
            self.offers_since_alarm = 0
        if before.state in ENDS:
            assert step == Step(before), "the end is the end"
        return True

    def _helper(self, volunteer_id: UUID) -> Volunteer:
        return helper(
            volunteer_id, hub_ids=(self.task.hub_id,)
        )  # a check counts for the hub that has seen it

    def _somebody(self, who: UUID | None) -> UUID:
        return who or self.task.volunteer_id or VOLUNTEERS[0]

    @rule(who=WHO)
    def it_is_offered(self, who: UUID | None) -> None:
        volunteer = self._somebody(who)
        was_open = self.task.state is TaskState.OPEN and not self.task.stopped_by
        assert self._decide(lambda: offer(self.task, self._helper(volunteer), self.now, CALENDAR)) == was_open
        self.offers_since_alarm += was_open

    @rule(who=WHO)
    def a_volunteer_accepts(self, who: UUID | None) -> None:
        volunteer = self._somebody(who)
        mine = self.task.volunteer_id == volunteer and self.task.state in (
            TaskState.OFFERED,
            TaskState.ACCEPTED,
        )
        assert self._decide(lambda: accept(self.task, self._helper(volunteer), self.now)) == mine

    @rule(who=WHO)
    def a_volunteer_refuses(self, who: UUID | None) -> None:
        volunteer = self._somebody(who)
        self._decide(lambda: refuse(self.task, volunteer, self.now))

    @rule(who=WHO)
    def a_volunteer_completes(self, who: UUID | None) -> None:
        volunteer = self._somebody(who)
        mine = self.task.volunteer_id == volunteer and self.task.state in (TaskState.ACCEPTED, TaskState.DONE)
        assert self._decide(lambda: complete(self.task, volunteer, self.now)) == mine

    @rule(who=WHO)
    def a_volunteer_fails(self, who: UUID | None) -> None:
        volunteer = self._somebody(who)
        if self._decide(lambda: fail(self.task, volunteer, "nobody-home", self.now)):
            assert self.task.state is TaskState.OPEN
            assert volunteer in self.task.asked

    @rule()
    def the_volunteer_leaves(self) -> None:
        self._decide(lambda: take_back(self.task, "volunteer-left", self.now))

    @precondition(lambda self: len(self.told) > 4)
    @rule()
    def it_is_not_wanted_any_more(self) -> None:
        self._decide(lambda: cancel(self.task, "referral-withdrawn", self.now))

    @rule(
        flags=st.sets(st.sampled_from(["shielding", "no-consent", "dialysis", "lives-alone"])),
        priority=st.sampled_from(Priority),
        hub_id=st.sampled_from(["thames", "heath"]),
        checked=st.booleans(),
    )
    def a_fact_changes(self, flags: set[str], priority: Priority, hub_id: str, checked: bool) -> None:
        facts = assigned(self.task.referral_id, flags=tuple(sorted(flags)), priority=priority, hub_id=hub_id)
        before, self.facts = self.facts, assign(None, facts).state
        holder = helper(self.task.volunteer_id, dbs_cleared=checked) if self.task.volunteer_id else None
        self._decide(lambda: follow(self.task, before, self.facts, holder, self.now))
        if self.task.state not in ENDS:
            assert self.task.requires_dbs == ("dialysis" in flags)
            held = self.task.state in (TaskState.OFFERED, TaskState.ACCEPTED)
            assert not held or (checked or not self.task.requires_dbs)
            assert not held or "no-consent" not in flags

    @rule(minutes=st.integers(1, 3000))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for _ in range(100):
            if self.task.deadline_at is None or self.task.deadline_at > self.now:
                return
            before = self.task
            self._decide(lambda: on_deadline(self.task, self.now))
            assert self.task != before, "a deadline that is due moves something on"
        raise AssertionError("a deadline fires for ever")

    @invariant()
    def what_is_not_at_its_end_has_a_deadline(self) -> None:
        assert (self.task.deadline_at is None) == (self.task.state in ENDS)
        assert self.deadline == self.task.deadline_at

    @invariant()
    def somebody_has_it_exactly_when_it_is_offered_accepted_or_done(self) -> None:
        held = self.task.state in (TaskState.OFFERED, TaskState.ACCEPTED, TaskState.DONE)
        assert (self.task.volunteer_id is not None) == held

    @invariant()
    def the_alarm_comes_after_three_offers_that_came_to_nothing(self) -> None:
        assert self.offers_since_alarm <= OFFERS_BEFORE_ALARM

    @invariant()
    def the_world_hears_of_one_beginning_and_one_end(self) -> None:
        kinds = [type(e) for e in self.told]
        assert kinds.count(TaskOpened) == 1
        ended = kinds.count(TaskCompleted) + kinds.count(TaskCancelled)
        assert ended == (self.task.state in ENDS)


TestTasks = Tasks.TestCase
