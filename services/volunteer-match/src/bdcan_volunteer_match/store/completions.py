"""What volunteers reported of tasks that they did. Rows are only ever added."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_volunteer_match.domain.completion import Completion

COMPLETION = Table("completion", Completion, key=(), stamp="reported_at")

# The reports of a task, the newest first.
OF_TASK = COMPLETION.query(
    "SELECT {columns} FROM completion WHERE task_id = :task_id ORDER BY reported_at DESC LIMIT 100"
)
