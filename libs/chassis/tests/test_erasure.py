"""A request to erase, as each of the five services goes through with it: it waits, it erases, and it is told of each change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import BaseModel

from bdcan_chassis.erasure import LOOK, LOOK_EVERY, Erasure, erased, is_ripe, waiting
from bdcan_chassis.step import Step

START = datetime(2020, 4, 23, 9, 0, tzinfo=UTC)
ERASE_BY = START + timedelta(days=21)


class Said(BaseModel):
    """What whoever asked hears."""

    waits_for: tuple[str, ...]
    erased: bool


def tell(erasure: Erasure) -> Said:
    return Said(waits_for=erasure.waits_for, erased=erasure.erased_at is not None)


class Erasing(RuleBasedStateMachine):
    """Work of a service opens and ends, time passes, and the service looks when its deadline says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.due: datetime | None = START
        self.open: set[str] = set()
        self.heard: list[Said] = []
        self.erasure = Erasure(UUID(int=1), UUID(int=2), START, ERASE_BY)

    @rule(codes=st.sets(st.sampled_from(["task-in-hand", "parcel-under-way", "case-open"])))
    def work_changes(self, codes: set[str]) -> None:
        self.open = codes

    @rule(minutes=st.integers(1, 60 * 24 * 3))
    def time_passes(self, minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        while self.due is not None and self.due <= until:
            self.now, self.due = self.due, None
            if not self.erasure.erased_at:
                self.service_looks()
        self.now = until

    @rule()
    def service_looks(self) -> None:
        if self.erasure.erased_at or is_ripe(self.erasure, tuple(self.open), self.now):
            self._take(erased(self.erasure, self.now, tell))
        else:
            self._take(waiting(self.erasure, [*self.open, *self.open], self.now, tell))

    @precondition(lambda self: self.heard)
    @invariant()
    def whoever_asked_has_heard_where_it_stands(self) -> None:
        assert self.heard[-1] == tell(self.erasure)

    @invariant()
    def nothing_is_told_twice_while_it_waits(self) -> None:
        waits = [said for said in self.heard if not said.erased]
        assert all(one != two for one, two in pairwise(waits))

    @invariant()
    def it_is_never_undone_and_waits_for_nothing_then(self) -> None:
        told = [said.erased for said in self.heard]
        assert told == sorted(told)
        if self.erasure.erased_at:
            assert self.erasure.waits_for == ()
            assert self.erasure.erased_at <= ERASE_BY

    @invariant()
    def service_looks_within_the_hour_and_by_the_last_day(self) -> None:
        if not self.erasure.erased_at:
            assert self.due is not None, "nobody would look again"
            assert self.due <= min(self.now + LOOK_EVERY, ERASE_BY)

    def _take(self, step: Step[Erasure]) -> None:
        self.erasure = step.state
        self.heard += [event for event in step.events if isinstance(event, Said)]
        self.due = step.deadlines[LOOK]


TestErasing = Erasing.TestCase
TestErasing.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
