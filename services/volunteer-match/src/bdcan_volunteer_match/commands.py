"""Verbs of volunteer-match's command line beside those that every service has."""

from __future__ import annotations

import argparse
import getpass
import sys
from uuid import UUID

from bdcan_chassis.audit import Act
from bdcan_chassis.transaction import Transactions
from bdcan_volunteer_match import store
from bdcan_volunteer_match.books import Calls, Tasks
from bdcan_volunteer_match.domain import task as tasking


async def open_task(transactions: Transactions, arguments: list[str]) -> int:
    """Open the task of a need whose task was lost. 1: there is one, or nobody here must do anything for the need."""
    parser = argparse.ArgumentParser(
        prog="python -m bdcan_volunteer_match open-task",
        description="Open the task of a need whose task was lost: reconcile names it.",
    )
    parser.add_argument("referral", type=UUID, help="its id")
    parser.add_argument("need", type=UUID, help="its id")
    parser.add_argument("--reason", required=True, help="why; goes to the audit")
    parser.add_argument(
        "--actor", default=getpass.getuser(), help="who; goes to the audit (default: this user)"
    )
    options = parser.parse_args(arguments)
    async with transactions.begin() as tx:
        calls, tasks = Calls(tx), Tasks(tx)
        await calls.lock_keys([options.referral])
        call = calls.get(options.referral)
        await tasks.lock(store.tasks.LOCK_ALL_OF, referral_ids=[options.referral])
        step = call and tasking.lost(call, options.need, tasks.of(options.referral), tx.now)
        if step:
            opened = tasks.put(step)
            await tasks.save()
            tx.audit(
                Act.TASK_OPENED, options.actor, options.referral, options.reason, task_id=str(opened.task_id)
            )
    sys.stdout.write(f"open-task: {'opened' if step else 'nothing is missing here'}\n")
    return 0 if step else 1
