"""Who is asked next: a fair greedy pass over open tasks and the volunteers who have time.

Tasks go in order of their due time. Each is put to the suitable volunteer who was asked the longest ago; nobody holds
more than MOST_AT_ONCE offers and accepted tasks together. In 2020 two thirds of the volunteers were never asked:
fairness here is a promise to them, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from itertools import product
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct

from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.volunteer import Part

MOST_AT_ONCE = 3
"""Offers and accepted tasks of one volunteer at the same time."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Want: TypeAlias = tuple[str, str]
"""What a volunteer can be asked for: a hub and a kind of task."""


class Candidate(Struct):
    """An active volunteer with `free` places for offers. Changes during a pass."""

    volunteer_id: UUID
    hub_ids: tuple[str, ...]
    task_kinds: tuple[str, ...]
    dbs_cleared: bool
    free: int
    last_offered_at: datetime | None
    parts: tuple[Part, ...] = ()
    seen_at: datetime = _NEVER

    @property
    def turn(self) -> tuple[datetime, UUID]:
        """Whose turn it is: the lowest."""
        return (self.last_offered_at or _NEVER, self.volunteer_id)

    def wants(self, among: Collection[Want]) -> Iterator[Want]:
        """Which of these this volunteer can be asked for."""
        wants = (
            ((part.hub_id, kind) for part in self.parts for kind in part.task_kinds)
            if self.parts
            else product(self.hub_ids, self.task_kinds)
        )
        return (want for want in wants if want in among)

    def is_checked_for(self, hub_id: str) -> bool:
        """Whether that hub has seen a check that is in force."""
        if not self.parts:
            return self.dbs_cleared
        return any(part.hub_id == hub_id and part.is_checked(self.seen_at) for part in self.parts)

    def suits(self, task: Task) -> bool:
        """Whether this volunteer may be asked for this task, hub and kind apart."""
        checked = not task.requires_dbs or self.is_checked_for(task.hub_id)
        return checked and self.volunteer_id not in task.asked


class Match(NamedTuple):
    """A task and who is asked."""

    task: Task
    volunteer_id: UUID


def match(tasks: Iterable[Task], candidates: Sequence[Candidate], now: datetime) -> list[Match]:
    """Pair tasks with volunteers. The candidates' `free` and `last_offered_at` move on with each pair."""
    in_order = sorted(tasks, key=lambda t: (t.due_at, t.task_id))
    queues = _queues(candidates, {(task.hub_id, task.kind) for task in in_order})
    matches: list[Match] = []
    for task in in_order:
        found = _next_for(task, queues[task.hub_id, task.kind])
        if found is not None:
            found.free -= 1
            found.last_offered_at = now
            matches.append(Match(task, found.volunteer_id))
    return matches


class _Turn(NamedTuple):
    turn: tuple[datetime, UUID]
    candidate: Candidate


def _queues(candidates: Sequence[Candidate], wants: set[Want]) -> dict[Want, list[_Turn]]:
    queues: dict[Want, list[_Turn]] = {want: [] for want in wants}
    for candidate in candidates:
        turn = _Turn(candidate.turn, candidate)
        for want in candidate.wants(wants):
            queues[want].append(turn)
    for queue in queues.values():
        heapify(queue)
    return queues


def _next_for(task: Task, queue: list[_Turn]) -> Candidate | None:
    passed_over: list[_Turn] = []
    found = None
    while queue and found is None:
        entry = heappop(queue)
        candidate = entry.candidate
        if candidate.free <= 0:
            continue  # full, and stays so for the rest of the pass
        if entry.turn != candidate.turn:
            heappush(queue, _Turn(candidate.turn, candidate))  # was asked through another queue since
        elif candidate.suits(task):
            found = candidate
        else:
            passed_over.append(entry)
    for entry in passed_over:
        heappush(queue, entry)
    if found is not None and found.free > 1:
        heappush(queue, _Turn(found.turn, found))  # stale by design: sorted in again when it comes up
    return found
