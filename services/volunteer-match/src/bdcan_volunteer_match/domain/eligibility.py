"""Whether a volunteer may be asked for a task, and in words why not.

Eligibility is hard: no weight outvotes it. The same checks hold for a pass and for an offer by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain.errors import NotAllowedError, NotSuitableError
from bdcan_volunteer_match.domain.profile import Slot
from bdcan_volunteer_match.domain.task import Task, TaskState
from bdcan_volunteer_match.domain.volunteer import Part, Volunteer, VolunteerState
from bdcan_volunteer_match.domain.weights import MOST_AT_ONCE

Want: TypeAlias = tuple[str, str]
"""What a volunteer can be asked for: a hub and a kind of task."""

WEEK = timedelta(days=7)
"""The budget of offers counts the last seven days."""


class Obstacle(StrEnum):
    """Why a volunteer is not asked for a task."""

    PAUSED = "paused"
    SUSPENDED = "suspended"
    OFF_DUTY = "off-duty"
    OTHER_HUB = "other-hub"
    OTHER_KIND = "kind-not-offered"
    CHECK_MISSING = "check-missing"
    NO_CAR = "no-car"
    FULL = "enough-in-hand"
    ASKED_ENOUGH = "asked-enough-this-week"
    ASKED_BEFORE = "asked-before"
    TOO_FAR = "too-far"


IN_WORDS: Mapping[Obstacle, tuple[str, str]] = MappingProxyType(
    {
        Obstacle.PAUSED: ("has paused", "have paused"),
        Obstacle.SUSPENDED: ("is suspended", "are suspended"),
        Obstacle.OFF_DUTY: ("is not on duty", "are not on duty"),
        Obstacle.OTHER_HUB: ("helps another hub", "help other hubs"),
        Obstacle.OTHER_KIND: ("does not do this kind of task", "do not do this kind of task"),
        Obstacle.CHECK_MISSING: (
            "has no check that this hub has seen",
            "have no check that this hub has seen",
        ),
        Obstacle.NO_CAR: ("has no car", "have no car"),
        Obstacle.FULL: ("has enough in hand", "have enough in hand"),
        Obstacle.ASKED_ENOUGH: ("was asked often enough this week", "were asked often enough this week"),
        Obstacle.ASKED_BEFORE: (
            "was asked for this task before",
            "were asked for this task before",
        ),
        Obstacle.TOO_FAR: ("lives farther away than they travel", "live farther away than they travel"),
    }
)
"""Obstacle → for one person, for several."""


class Ring(StrEnum):
    """How far a search goes. Each ring holds the one before."""

    OWN = "own-hub"
    NEIGHBOURS = "neighbours"
    BOROUGH = "borough"


WIDENS_AFTER: Mapping[Priority, Mapping[Ring, timedelta]] = MappingProxyType(
    {
        Priority.URGENT: {Ring.NEIGHBOURS: timedelta(minutes=15), Ring.BOROUGH: timedelta(minutes=45)},
        Priority.STANDARD: {Ring.NEIGHBOURS: timedelta(hours=2), Ring.BOROUGH: timedelta(hours=6)},
        Priority.ROUTINE: {Ring.NEIGHBOURS: timedelta(hours=6), Ring.BOROUGH: timedelta(hours=24)},
    }
)
"""How long a task is open before volunteers of the neighbour hubs, and of all hubs, are asked, too."""

TRAVELS_METRES: Mapping[str, int] = MappingProxyType({"on-foot": 2000, "bicycle": 5000, "car": 15000})
"""How far a volunteer travels who has named no radius: half an hour on foot, twenty minutes by bicycle, across the borough by car."""


class Candidate(Struct, frozen=True):
    """A volunteer who is active or has paused, as a pass sees them at `seen_at`. `held`: offers and accepted tasks in hand."""

    volunteer_id: UUID
    hub_ids: tuple[str, ...]
    task_kinds: tuple[str, ...]
    dbs_cleared: bool
    last_offered_at: datetime | None
    seen_at: datetime
    parts: tuple[Part, ...] = ()
    held: int = 0
    offers_this_week: int = 0
    weekly_offers: int | None = None
    paused: bool = False
    suspended: bool = False
    on_duty: bool = True
    sector: str | None = None
    travels: str | None = None
    radius_m: int | None = None
    availability: tuple[Slot, ...] = ()

    @property
    def room(self) -> int:
        """How many more offers they may get now."""
        room = MOST_AT_ONCE - self.held
        return room if self.weekly_offers is None else min(room, self.weekly_offers - self.offers_this_week)

    @property
    def reach(self) -> int | None:
        """How far they travel, in metres; None where they have not said."""
        return self.radius_m if self.radius_m is not None else TRAVELS_METRES.get(self.travels or "")

    def kinds_for(self, hub_id: str) -> tuple[str, ...]:
        """What they do for a hub. For a hub that they do not help: what they do for any."""
        return next((part.task_kinds for part in self.parts if part.hub_id == hub_id), self.task_kinds)

    def is_checked_for(self, hub_id: str) -> bool:
        """Whether that hub has seen a check that is in force. Another hub's look does not count."""
        if not self.parts:
            return self.dbs_cleared and hub_id in self.hub_ids
        return any(part.hub_id == hub_id and part.is_checked(self.seen_at) for part in self.parts)


def standing(
    candidate: Candidate, hub_id: str, kind: str, searched: Collection[str] | None, *, requires_dbs: bool
) -> Iterator[Obstacle]:
    """What speaks against asking the volunteer for any task of this kind and hub. `searched`: whose volunteers are asked (None: all)."""
    if candidate.suspended:
        yield Obstacle.SUSPENDED
    elif candidate.paused:
        yield Obstacle.PAUSED
    if not candidate.on_duty:
        yield Obstacle.OFF_DUTY
    if searched is not None and not any(helped in searched for helped in candidate.hub_ids):
        yield Obstacle.OTHER_HUB
    if kind not in candidate.kinds_for(hub_id):
        yield Obstacle.OTHER_KIND
    if requires_dbs and not candidate.is_checked_for(hub_id):
        yield Obstacle.CHECK_MISSING
    if kind == TaskKind.TRANSPORT and candidate.travels in ("on-foot", "bicycle"):
        yield Obstacle.NO_CAR
    if candidate.held >= MOST_AT_ONCE:
        yield Obstacle.FULL
    if candidate.weekly_offers is not None and candidate.offers_this_week >= candidate.weekly_offers:
        yield Obstacle.ASKED_ENOUGH


def of_this_task(candidate: Candidate, task: Task, metres: int | None) -> Iterator[Obstacle]:
    """What else speaks against asking the volunteer for this very task. `metres`: the way there, if it is known."""
    if candidate.volunteer_id in task.asked:
        yield Obstacle.ASKED_BEFORE
    if is_too_far(candidate, metres):
        yield Obstacle.TOO_FAR


def is_too_far(candidate: Candidate, metres: int | None) -> bool:
    """Whether the way is longer than the volunteer travels. An unknown way is not."""
    reach = candidate.reach
    return reach is not None and metres is not None and metres > reach


def obstacles(
    candidate: Candidate, task: Task, searched: Collection[str] | None, metres: int | None
) -> list[Obstacle]:
    """All that speaks against asking this volunteer for this task. `searched`: whose volunteers are asked (None: all)."""
    return [
        *standing(candidate, task.hub_id, task.kind, searched, requires_dbs=task.requires_dbs),
        *of_this_task(candidate, task, metres),
    ]


def widest_ring(task: Task, now: datetime) -> Ring:
    """How far the search for this task goes by now."""
    waited = now - task.opened_at
    reached = [ring for ring, after in WIDENS_AFTER[task.priority].items() if waited >= after]
    return reached[-1] if reached else Ring.OWN


def hubs_of(ring: Ring, hub_id: str, neighbours: Mapping[str, Collection[str]]) -> frozenset[str] | None:
    """The hubs whose volunteers are asked in a ring; None: all."""
    match ring:
        case Ring.OWN:
            return frozenset((hub_id,))
        case Ring.NEIGHBOURS:
            return frozenset((hub_id, *neighbours.get(hub_id, ())))
        case Ring.BOROUGH:
            return None


_WHOSE = {
    Ring.OWN: "of this hub",
    Ring.NEIGHBOURS: "of this hub and its neighbours",
    Ring.BOROUGH: "of the borough",
}


def counted_in_words(counts: Mapping[Obstacle, int]) -> list[str]:
    """Who is not asked, by reason, the most first: "14 are not on duty"."""
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{number} {IN_WORDS[why][number != 1]}" for why, number in most_first if number]


def places_by_want(
    wants: Collection[Want], candidates: Sequence[Candidate]
) -> Counter[tuple[str, str, bool]]:
    """How many more offers there may be, by hub, kind, and whether they are for tasks that require a check.

    Volunteers of other hubs count: they may be asked for older tasks.
    """
    places: Counter[tuple[str, str, bool]] = Counter()
    for hub_id, kind in wants:
        for candidate in candidates:
            if candidate.room <= 0:
                continue
            for requires_dbs in (False, True):
                if not any(standing(candidate, hub_id, kind, None, requires_dbs=requires_dbs)):
                    places[hub_id, kind, requires_dbs] += candidate.room
    return places


def must_be_there(task: Task, volunteer: Volunteer) -> None:
    """Raise NotAllowedError where the task is not open, or the volunteer has not started or has left."""
    if task.state is not TaskState.OPEN or task.stopped_by:
        raise NotAllowedError(
            "task-not-open",
            f"Only an open task can be offered: this one is {task.stopped_by or task.state.value}. Look at it again.",
        )
    if volunteer.state not in (VolunteerState.ACTIVE, VolunteerState.PAUSED):
        raise NotAllowedError(
            "not-active", f"This volunteer is {volunteer.state.value}: choose one who is active."
        )


def must_be_suitable(candidate: Candidate, task: Task, metres: int | None) -> None:
    """Raise NotSuitableError, with everything that speaks against it. A person may choose somebody of any hub."""
    found = obstacles(candidate, task, None, metres)
    if found:
        raise NotSuitableError(
            [Problem("volunteer_id", why.value, f"This volunteer {IN_WORDS[why][0]}.") for why in found]
        )


def what_is_missing(task: Task, counts: Mapping[Obstacle, int], ring: Ring) -> str:
    """Why nobody is asked for a task, and what a coordinator can do."""
    if task.stopped_by:
        return f"Nobody may go there ({task.stopped_by}): decide about the referral first."
    checked = " with an enhanced DBS check" if task.requires_dbs else ""
    where = _WHOSE[ring]
    if not counts:
        return f"No volunteer {where} does this kind of task: activate one{checked}."
    because = ", ".join(counted_in_words(counts))
    return f"Nobody {where} may be asked now: {because}. Ask one of them yourself, or activate another one{checked}."
