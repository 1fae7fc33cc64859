"""What the foodhub consumes: topic → event → handler."""

from __future__ import annotations

from functools import partial

from bdcan_chassis.subscription import Loop, On
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    OUTREACH_ASSIGNMENTS,
    OUTREACH_REFERRALS,
    REFERRALS,
    TASKS,
    WELFARE_CALLS,
)
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralReassigned,
    ReferralWithdrawn,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    WelfareCallCompleted,
)
from bdcan_foodhub import handlers
from bdcan_foodhub.settings import Settings


def loops(settings: Settings) -> tuple[Loop, ...]:
    """Bulk lists have a loop of their own, so that they hold up nothing else."""
    on_reassigned = partial(handlers.on_reassigned, settings.site_of)
    return (
        Loop(
            "main",
            (
                On(
                    WELFARE_CALLS, WelfareCallCompleted, partial(handlers.on_call_completed, settings.site_of)
                ),
                On(TASKS, TaskAccepted, handlers.on_task_accepted),
                On(TASKS, TaskCompleted, handlers.on_task_completed),
                On(TASKS, TaskFailed, handlers.on_task_failed),
                On(TASKS, TaskCancelled, handlers.on_task_cancelled),
                On(REFERRALS, ReferralAmended, handlers.on_amended),
                On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
                On(ASSIGNMENTS, ReferralReassigned, on_reassigned),
            ),
        ),
        Loop(
            "bulk",
            (
                On(OUTREACH_REFERRALS, ReferralAmended, handlers.on_amended),
                On(OUTREACH_REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
                On(OUTREACH_ASSIGNMENTS, ReferralReassigned, on_reassigned),
            ),
        ),
    )
