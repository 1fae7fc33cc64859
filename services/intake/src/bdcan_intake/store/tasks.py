"""Who has which task in hand, in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.doer import TaskInHand

TASK = Table("task_in_hand", TaskInHand, key="task_id", stamp=None)
