"""What people decided about referrals, when and why. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Table
from bdcan_chassis.transaction import Tx


class Decision(Struct, frozen=True):
    """A decision about a referral. `caller` is the name of an account, as the access log has it; `reason` is a code."""

    referral_id: UUID
    decision: str
    caller: str
    reason: str


class Made(Decision, frozen=True):
    """A decision, and when it was made."""

    decided_at: datetime


DECISION = Table("decision", Decision, key=(), stamp="decided_at")


class Placed(Made, frozen=True):
    """A decision with its place among all of them."""

    seq: int


# The newest decisions about a referral, the newest first.
NEWEST = Query(
    "SELECT {columns} FROM decision WHERE referral_id = :referral_id ORDER BY seq DESC LIMIT :limit", Made
)

# A page of the decisions about a referral, the oldest first.
OF_REFERRAL = Query(
    """
    SELECT {columns} FROM decision
    WHERE referral_id = :referral_id AND (:seq::bigint IS NULL OR seq > :seq) ORDER BY seq LIMIT :limit
    """,
    Placed,
)


async def record(tx: Tx, referral_id: UUID, decision: str, caller: str, reason: str) -> None:
    """Write down what somebody decided."""
    await DECISION.insert(tx.connection, [Decision(referral_id, decision, caller, reason)], tx.now)
