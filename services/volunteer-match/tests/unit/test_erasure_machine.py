"""Whatever a volunteer has agreed with whichever hubs: once they asked to be erased, nothing is left and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bdcan_chassis.step import Step
from bdcan_contracts.models import VolunteerLeft
from bdcan_volunteer_match.domain import volunteer as v
from bdcan_volunteer_match.domain.errors import NotAllowedError

START = datetime(2020, 4, 23, 9, 0, tzinfo=UTC)
HUBS = ("thames", "heath", "park")
SOME_HUBS = st.sets(st.sampled_from(HUBS), min_size=1)


class Erasing(RuleBasedStateMachine):
    """People of three hubs work with a volunteer, who asks to be erased at some moment, and perhaps again."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.asked = START, 0
        self.volunteer = v.Volunteer(UUID(int=1))
        self.left: list[VolunteerLeft] = []
        self.deadlines: dict[str, datetime] = {}

    @rule(hubs=SOME_HUBS)
    def hub_welcomes(self, hubs: set[str]) -> None:
        offering = v.Offering(tuple(sorted(hubs)), ("errand",))
        self._take(lambda: v.activate(self.volunteer, offering, hubs, self.now))

    @rule(hubs=SOME_HUBS, days=st.integers(1, 400))
    def check_is_seen(self, hubs: set[str], days: int) -> None:
        self._take(lambda: v.record_check(self.volunteer, hubs, self.now + timedelta(days=days), self.now))

    @rule(days=st.one_of(st.none(), st.integers(1, 30)))
    def volunteer_pauses(self, days: int | None) -> None:
        until = None if days is None else self.now + timedelta(days=days)
        self._take(lambda: v.pause(self.volunteer, until, self.now))

    @rule(hubs=SOME_HUBS)
    def hub_has_a_concern(self, hubs: set[str]) -> None:
        self._take(lambda: v.suspend(self.volunteer, hubs, self.now))

    @rule(hubs=SOME_HUBS)
    def volunteer_leaves_hubs(self, hubs: set[str]) -> None:
        self._take(lambda: v.leave(self.volunteer, hubs, self.now))

    @rule(days=st.integers(1, 60))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)
        self._take(lambda: v.come_back(self.volunteer, self.now))
        self._take(lambda: v.lapse_check(self.volunteer, self.now))

    @rule()
    def volunteer_asks_to_be_erased(self) -> None:
        told = len(self.left)
        self._take(lambda: v.erase_on_request(self.volunteer, self.now))
        self.asked += 1
        assert len(self.left) == told + 1, "whoever asked is answered"

    @invariant()
    def nothing_is_left_of_whoever_asked(self) -> None:
        if self.asked:
            assert self.volunteer.state is v.VolunteerState.LEFT
            assert (self.volunteer.parts, self.volunteer.suspended_by, self.volunteer.welcome_by) == (
                (),
                (),
                None,
            )
            assert not self.volunteer.dbs_cleared
            assert not self.deadlines

    def _take(self, act: Callable[[], Step[v.Volunteer]]) -> None:
        before = self.volunteer
        try:
            step = act()
        except NotAllowedError:
            return
        self.volunteer = step.state
        assert self.volunteer.version >= before.version
        if before.state is v.VolunteerState.LEFT:
            assert self.volunteer == before, "somebody who left comes back with a new enquiry"
        self.left += [event for event in step.events if isinstance(event, VolunteerLeft)]
        for kind, due_at in step.deadlines.items():
            if due_at is None:
                self.deadlines.pop(kind, None)
            else:
                self.deadlines[kind] = due_at


TestErasing = Erasing.TestCase
TestErasing.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
