"""What escalation consumes: topic → event → handler."""

from __future__ import annotations

from bdcan_chassis.subscription import Consumer, On, with_bulk
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    CATALOGUE,
    REFERRALS,
    SAFEGUARDING,
    TASKS,
    WELFARE_CALLS,
)
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralErasureRequested,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    SafeguardingConcernRaised,
    TaskConcernRaised,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_escalation import handlers
from bdcan_escalation.erasing import ERASER

_MAIN = Consumer(
    "main",
    (
        On(ASSIGNMENTS, ReferralAssigned, handlers.on_assigned),
        On(ASSIGNMENTS, ReferralReassigned, handlers.on_reassigned),
        On(ASSIGNMENTS, ReferralOutOfArea, handlers.on_out_of_area),
        On(WELFARE_CALLS, WelfareCallCompleted, handlers.on_call_completed),
        On(WELFARE_CALLS, WelfareCallExhausted, handlers.on_call_exhausted),
        On(REFERRALS, ReferralAmended, handlers.on_amended),
        On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
        On(REFERRALS, ReferralClosed, handlers.on_closed),
        On(REFERRALS, ReferralErasureRequested, ERASER.on_requested),
    ),
    gathers=True,
)

CONSUMERS = (
    Consumer("safeguarding", (On(SAFEGUARDING, SafeguardingConcernRaised, handlers.on_concern_raised),)),
    Consumer("concerns", (On(TASKS, TaskConcernRaised, handlers.on_task_concern),)),
    *with_bulk(CATALOGUE, _MAIN, "bulk"),
)
"""Safeguarding and volunteers' concerns have consumers of their own: they wait behind nothing else."""
