"""How intake erases whoever a referral is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from bdcan_chassis.erasure import Eraser
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import ErasedRows, ErasureAnswered
from bdcan_intake import store
from bdcan_intake.books import Referrals
from bdcan_intake.domain.rights import person_erased
from bdcan_intake.store.retention import KEPT, OPEN_WORK


async def _first(tx: Tx, referral_ids: Collection[UUID]) -> Sequence[bytes]:
    """Mark the referrals, and remember their references as hashes."""
    referrals = Referrals(tx)
    for referral in await referrals.lock_keys(referral_ids):
        referrals.put(person_erased(referral, tx.now))
    await referrals.save()
    keys = await store.erasures.RECORD_KEYS.records(tx.connection, referral_ids=referral_ids)
    await store.erasures.REMEMBER_REFERENCES.execute(tx.connection, referral_ids=referral_ids, now=tx.now)
    return [key for (key,) in keys]


ERASER = Eraser(
    "intake",
    KEPT,
    answer=lambda said, rows: ErasureAnswered(
        **said, rows=tuple(ErasedRows(kind=kind, rows=count) for kind, count in rows.items())
    ),
    open_work=OPEN_WORK,
    keeps=("referral", "needs", "disclosures"),
    first=_first,
)
"""`keeps`: codes and times for the borough's figures, and the audit of who was told what: no person is in them."""
