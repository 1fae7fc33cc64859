"""What a unit of work locks of calls, tasks, volunteers and hubs, and what a change of them brings with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from bdcan_chassis.book import Book, Change
from bdcan_chassis.erasure import Erasures, forgotten
from bdcan_chassis.housekeeping import of_promise
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_volunteer_match import store
from bdcan_volunteer_match.domain.call import WelfareCall, rung_in_time
from bdcan_volunteer_match.domain.following import follow
from bdcan_volunteer_match.domain.hub import Hub
from bdcan_volunteer_match.domain.offers import Offer, begins, ended_as, plain_offer, returns
from bdcan_volunteer_match.domain.rounds import Round
from bdcan_volunteer_match.domain.task import Task, TaskState, done_in_time, follow_volunteer
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState, welcomed_in_time
from bdcan_volunteer_match.erasing import ERASER

MATCH = "match"
"""The planner that offers tasks."""


class Calls(Book[WelfareCall]):
    """Welfare calls, one row for each referral."""

    table = store.calls.CALL

    def counts(self, change: Change[WelfareCall]) -> Iterable[Counter]:
        """A call that was made, in time or late."""
        before, after = change
        in_time = rung_in_time(before, after, self.tx.now)
        return of_promise("calls", None if before is None or in_time is None else (before.hub_id, in_time))


class Tasks(Book[Task]):
    """Tasks. One that is open, or whose volunteer has room again, wakes the planner."""

    table = store.tasks.TASK
    parent = "referral_id"

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self._chosen: dict[UUID, Offer] = {}

    def put_offer(self, step: Step[Task], offer: Offer) -> Task:
        """Accept a step that offers a task. `offer` says why this volunteer."""
        self._chosen[offer.task_id] = offer
        return self.put(step)

    async def follow(self, changes: Sequence[Change[Task]]) -> None:
        """Keep who was asked, and how each offer ended."""
        now, connection = self.tx.now, self.tx.connection
        ended = [
            (before, state) for before, after in changes if before and (state := ended_as(before, after))
        ]
        if ended:
            await store.offers.END.execute(
                connection,
                task_ids=[task.task_id for task, _ in ended],
                volunteer_ids=[task.volunteer_id for task, _ in ended],
                states=[state.value for _, state in ended],
                now=now,
            )
        for before, after in changes:
            if not returns(before, after):
                continue
            await store.offers.RETURN.execute(
                connection,
                task_id=after.task_id,
                volunteer_id=after.volunteer_id,
                expires_at=after.offer_expires_at,
            )
        begun = [after for before, after in changes if begins(before, after)]
        offers = [self._chosen.get(task.task_id) or plain_offer(task, now) for task in begun]
        await store.offers.OFFER.insert(connection, offers, now)

    def wakes(self, change: Change[Task]) -> Iterable[str]:
        """The planner, where it has something to offer or somebody to ask."""
        freed = _holder(change.before) is not None and _holder(change.after) is None
        return (MATCH,) if freed or change.after.state is TaskState.OPEN else ()

    def counts(self, change: Change[Task]) -> Iterable[Counter]:
        """A task that was done, in time or late."""
        in_time = done_in_time(change.before, change.after)
        return of_promise("tasks", None if in_time is None else (change.after.hub_id, in_time))


class Volunteers(Book[Volunteer]):
    """Volunteers. Whoever may not do a task any more gives it back; of one who leaves, the person is erased."""

    table = store.volunteers.VOLUNTEER

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self._changed: dict[UUID, Change[Volunteer]] = {}

    async def follow(self, changes: Sequence[Change[Volunteer]]) -> None:
        """Erase those who left: who they are, the numbers of their checks, and why somebody looked at them."""
        news = [c for c in changes if c.before is not None and c.before.version != c.after.version]
        self._changed = {change.after.volunteer_id: change for change in news}
        left = [key for key, change in self._changed.items() if change.after.state is VolunteerState.LEFT]
        if left:
            tombstones = Erasures(self.tx)
            await tombstones.put_missing(forgotten(volunteer_id, self.tx.now) for volunteer_id in left)
            await tombstones.save()
            await ERASER.erase(self.tx, left)

    def wakes(self, change: Change[Volunteer]) -> Iterable[str]:
        """The planner, where somebody may be asked from now on."""
        news = change.before is None or change.before.version != change.after.version
        return (MATCH,) if news and change.after.state is VolunteerState.ACTIVE else ()

    def counts(self, change: Change[Volunteer]) -> Iterable[Counter]:
        """An enquiry that was answered, in time or late."""
        in_time = welcomed_in_time(change.before, change.after, self.tx.now)
        return of_promise("welcome", None if in_time is None else (None, in_time))

    async def save(self) -> None:
        """Write what changed, and then the tasks that nobody has in hand any more."""
        await super().save()
        if not self._changed:
            return
        tasks = Tasks(self.tx)
        await tasks.lock(store.tasks.LOCK_IN_HAND, volunteer_ids=list(self._changed))
        for task in tasks:
            if task.volunteer_id is not None:
                change = self._changed[task.volunteer_id]
                tasks.put(follow_volunteer(task, change.before or change.after, change.after, self.tx.now))
        await tasks.save()


class Rounds(Book[Round]):
    """Rounds."""

    table = store.rounds.ROUND


class Hubs(Book[Hub]):
    """Hubs."""

    table = store.hubs.HUB


async def follow_facts(
    tx: Tx,
    before: Mapping[UUID, WelfareCall],
    after: Mapping[UUID, WelfareCall],
    causes: Mapping[UUID, Event[Any]],
) -> None:
    """Let the live tasks of these referrals follow the facts. Their volunteers are read once the tasks are locked.

    `causes`: the event of each referral that changed them.
    """
    if not after:
        return
    tasks = Tasks(tx)
    await tasks.lock(store.tasks.LOCK_LIVE_OF, referral_ids=list(after))
    holders = await holders_of(tx, tasks)
    for task in tasks:
        key = task.referral_id
        step = follow(task, before.get(key), after[key], holders.get(task.volunteer_id), tx.now)
        tasks.put(step, causes.get(key))
    await tasks.save()


async def holders_of(tx: Tx, tasks: Iterable[Task]) -> dict[UUID | None, Volunteer]:
    """Whoever has one of these locked tasks in hand, as they are now."""
    held = {task.volunteer_id for task in tasks if task.volunteer_id is not None}
    found = await store.volunteers.VOLUNTEER.get.all(tx.connection, keys=held) if held else []
    return {volunteer.volunteer_id: volunteer for volunteer in found}


def _holder(task: Task | None) -> object:
    held = task is not None and task.state in {TaskState.OFFERED, TaskState.ACCEPTED}
    return task.volunteer_id if task is not None and held else None
