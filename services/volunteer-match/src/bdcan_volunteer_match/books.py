"""What a unit of work locks of calls, tasks, volunteers and hubs, and what a change of them brings with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bdcan_chassis.book import Book, Change
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import store
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.hub import Hub
from bdcan_volunteer_match.domain.task import Task, TaskState, lose_volunteer
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState

MATCH = "match"
"""The planner that offers tasks."""


class Calls(Book[WelfareCall]):
    """Welfare calls, one row for each referral."""

    table = store.calls.CALL


class Tasks(Book[Task]):
    """Tasks. One that is open, or whose volunteer has room again, wakes the planner."""

    table = store.tasks.TASK
    parent = "referral_id"

    def wakes(self, change: Change[Task]) -> Iterable[str]:
        """The planner, where it has something to offer or somebody to ask."""
        freed = _holder(change.before) is not None and _holder(change.after) is None
        return (MATCH,) if freed or change.after.state is TaskState.OPEN else ()


class Volunteers(Book[Volunteer]):
    """Volunteers. A volunteer who pauses or leaves gives tasks back. Of one who leaves, the person is erased."""

    table = store.volunteers.VOLUNTEER

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self._away: list[Volunteer] = []

    async def follow(self, changes: Sequence[Change[Volunteer]]) -> None:
        """Delete the names and telephone numbers of those who left."""
        away = {VolunteerState.PAUSED, VolunteerState.LEFT}
        self._away = [change.after for change in changes if change.after.state in away]
        left = [one.volunteer_id for one in self._away if one.state is VolunteerState.LEFT]
        if left:
            await store.volunteers.FORGET_PERSONS.execute(self.tx.connection, volunteer_ids=left)

    def wakes(self, change: Change[Volunteer]) -> Iterable[str]:
        """The planner, where somebody may be asked from now on."""
        news = change.before is None or change.before.version != change.after.version
        return (MATCH,) if news and change.after.state is VolunteerState.ACTIVE else ()

    async def save(self) -> None:
        """Write what changed, and then the tasks that nobody has in hand any more."""
        await super().save()
        if not self._away:
            return
        tasks = Tasks(self.tx)
        await tasks.lock(
            store.tasks.LOCK_IN_HAND, volunteer_ids=[volunteer.volunteer_id for volunteer in self._away]
        )
        for task in tasks:
            if task.volunteer_id is not None:
                tasks.put(lose_volunteer(task, self[task.volunteer_id], self.tx.now))
        await tasks.save()


class Hubs(Book[Hub]):
    """Hubs."""

    table = store.hubs.HUB


def _holder(task: Task | None) -> object:
    held = task is not None and task.state in {TaskState.OFFERED, TaskState.ACCEPTED}
    return task.volunteer_id if task is not None and held else None
