"""Who has which task in hand, in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_intake.domain.doer import TaskInHand

TASK = Table("task_in_hand", TaskInHand, key="task_id", stamp=None)

# Whether somebody has accepted a task of a referral, and has it now.
ANY_IN_HAND = Statement(
    """
    SELECT EXISTS (
        SELECT FROM task_in_hand WHERE referral_id = :referral_id AND volunteer_id IS NOT NULL
    )
    """
)
