"""Promises of volunteer-match that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match.books import Calls, Tasks, Volunteers
from bdcan_volunteer_match.domain.call import CALL, CLAIM, REVIEW, fall_overdue, lapse, nobody_called
from bdcan_volunteer_match.domain.task import DEADLINE, on_deadline
from bdcan_volunteer_match.domain.volunteer import CHECK, RETURN, come_back, lapse_check


async def on_claim_over(due: Sequence[Due], tx: Tx) -> None:
    """A call was claimed and not reported: it is on the hub's list again."""
    await Calls(tx).handle_due(due, lapse)


async def on_task_due(due: Sequence[Due], tx: Tx) -> None:
    """An offer ran out, nobody was found in time, or an accepted task is long overdue."""
    await Tasks(tx).handle_due(due, on_deadline)


async def on_pause_over(due: Sequence[Due], tx: Tx) -> None:
    """A volunteer may be asked again."""
    await Volunteers(tx).handle_due(due, come_back)


async def on_check_over(due: Sequence[Due], tx: Tx) -> None:
    """A volunteer's DBS check has run out: they give back what requires one."""
    await Volunteers(tx).handle_due(due, lapse_check)


async def on_review_due(due: Sequence[Due], tx: Tx) -> None:
    """Nobody has looked at a referral in time."""
    await Calls(tx).handle_due(due, fall_overdue)


async def on_nobody_called(due: Sequence[Due], tx: Tx) -> None:
    """Nobody has rung in time."""
    await Calls(tx).handle_due(due, nobody_called)


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType(
    {
        CALL: on_nobody_called,
        CLAIM: on_claim_over,
        REVIEW: on_review_due,
        DEADLINE: on_task_due,
        RETURN: on_pause_over,
        CHECK: on_check_over,
    }
)
"""Handlers by kind."""
