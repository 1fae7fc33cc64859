"""Writes down what the rules decided about tasks: row, deadline, events, and a nudge for the planner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_volunteer_match.domain.task import Decided, Task
from bdcan_volunteer_match.store import tasks

MATCH = "match"
"""Name of the planner that offers tasks."""


async def record_tasks(
    tx: Tx, before: Mapping[UUID, Task], decided: Iterable[tuple[Decided, Event[Any] | None]]
) -> None:
    """Save each task as it stands at last, and emit its events in order. `before`: the tasks as they were locked."""
    latest: dict[UUID, Task] = {}
    for (task, events), cause in decided:
        if task is not before.get(task.task_id):
            latest[task.task_id] = task
        for event in events:
            tx.emit(event, cause=cause)
    if latest:
        await tasks.save(tx, latest.values())
        tx.wake(MATCH)  # something is to be offered, or somebody has room again
