"""What people decided, when and why. Rows are only ever added."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Table
from bdcan_chassis.transaction import Tx


class Decision(Struct, frozen=True):
    """A decision about a task or a call. `caller` is the name of an account, as the access log has it."""

    subject_id: UUID
    decision: str
    caller: str
    reason: str


DECISION = Table("decision", Decision, key=(), stamp="decided_at")


async def record(tx: Tx, subject_id: UUID, decision: str, caller: str, reason: str) -> None:
    """Write down what somebody decided."""
    await DECISION.insert(tx.connection, [Decision(subject_id, decision, caller, reason)], tx.now)
