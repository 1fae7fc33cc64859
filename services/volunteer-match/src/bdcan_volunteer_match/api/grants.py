"""The grant with which whoever has a task in hand reads at intake for whom it is, where, and what there is to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from bdcan_chassis.grants import Grant
from bdcan_chassis.http.auth import Caller
from bdcan_volunteer_match.domain.task import Task, TaskState
from bdcan_volunteer_match.settings import Settings

OPEN_FOR = timedelta(minutes=15)
"""How long a grant opens the address. Intake closes it as soon as it hears that the task has ended; this is the longest that
an address stays open where intake hears nothing."""


def granted(task: Task, caller: Caller, settings: Settings, now: datetime) -> str | None:
    """The caller's grant for a task that is in the hands of whoever they speak for; None for any other task."""
    if task.state is not TaskState.ACCEPTED:
        return None
    grant = Grant(
        holder=caller.name,
        purpose="task",
        subjects=(task.task_id,),
        granted_at=now,
        expires_at=now + OPEN_FOR,
    )
    return settings.grant_keys.sign(grant)
