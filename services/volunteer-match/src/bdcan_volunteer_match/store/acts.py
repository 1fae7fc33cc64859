"""Who said what about a task, for which volunteer. Rows are only ever added."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Statement, Table
from bdcan_chassis.transaction import Tx


class Act(Struct, frozen=True):
    """`caller` said it for `volunteer_id`: the volunteer's own account, or that of somebody at the hub."""

    task_id: UUID
    act: str
    volunteer_id: UUID | None
    caller: str


ACT = Table("task_act", Act, key=(), stamp="acted_at")

# Whether a volunteer has ever said something about a task, or somebody for them.
HAS_ACTED = Statement(
    "SELECT EXISTS (SELECT FROM task_act WHERE task_id = :task_id AND volunteer_id = :volunteer_id)"
)


async def record(tx: Tx, task_id: UUID, act: str, volunteer_id: UUID | None, caller: str) -> None:
    """Write down who said what."""
    await ACT.insert(tx.connection, [Act(task_id, act, volunteer_id, caller)], tx.now)
