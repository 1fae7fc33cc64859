"""How foodhub erases whoever a referral is about."""

from __future__ import annotations

from bdcan_chassis.erasure import Eraser
from bdcan_contracts.models import ErasedRows, ErasureAnswered
from bdcan_foodhub.store.retention import KEPT, OPEN_WORK

ERASER = Eraser(
    "foodhub",
    KEPT,
    answer=lambda said, rows: ErasureAnswered(
        **said, rows=tuple(ErasedRows(kind=kind, rows=count) for kind, count in rows.items())
    ),
    open_work=OPEN_WORK,
    keeps=("parcel-contents", "stock-movements"),
)
"""`keeps`: what was packed and when, because stock and recalls need it: no household is in it."""
