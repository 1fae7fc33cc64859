"""Who has which task in hand, in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.doer import TaskInHand

TASK = Table("task_in_hand", TaskInHand, key="task_id", stamp=None)

# The tasks of a referral that somebody has accepted, and has now; the one that was accepted last comes first.
IN_HAND = TASK.query(
    """
    SELECT {columns} FROM task_in_hand WHERE referral_id = :referral_id AND volunteer_id IS NOT NULL
    ORDER BY told_at DESC, task_id
    """
)
