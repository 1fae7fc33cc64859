"""What the foodhub consumes: topic → event → handler."""

from __future__ import annotations

from functools import partial

from bdcan_chassis.subscription import Consumer, On, with_bulk
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    CATALOGUE,
    REFERRALS,
    TASKS,
    WELFARE_CALLS,
)
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralAssigned,
    ReferralErasureRequested,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    WelfareCallCompleted,
)
from bdcan_foodhub import handlers
from bdcan_foodhub.erasing import ERASER
from bdcan_foodhub.settings import Settings


def consumers(settings: Settings) -> tuple[Consumer, ...]:
    """Bulk lists have their own consumer, so that they delay nothing else."""
    on_call_completed = partial(handlers.on_call_completed, settings.site_of)
    on_reassigned = partial(handlers.on_reassigned, settings.site_of)
    main = Consumer(
        "main",
        (
            On(WELFARE_CALLS, WelfareCallCompleted, on_call_completed),
            On(TASKS, TaskAccepted, handlers.on_task_accepted),
            On(TASKS, TaskCompleted, handlers.on_task_completed),
            On(TASKS, TaskFailed, handlers.on_task_failed),
            On(TASKS, TaskCancelled, handlers.on_task_cancelled),
            On(REFERRALS, ReferralAmended, handlers.on_amended),
            On(REFERRALS, ReferralLinked, handlers.on_linked),
            On(REFERRALS, ReferralErasureRequested, ERASER.on_requested),
            On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
            On(ASSIGNMENTS, ReferralAssigned, handlers.on_assigned),
            On(ASSIGNMENTS, ReferralReassigned, on_reassigned),
            On(ASSIGNMENTS, ReferralOutOfArea, handlers.on_out_of_area),
        ),
        gathers=True,
    )
    return with_bulk(CATALOGUE, main, "bulk")
