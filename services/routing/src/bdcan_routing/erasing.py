"""How routing erases whoever a referral is about."""

from __future__ import annotations

from bdcan_chassis.erasure import Eraser
from bdcan_contracts.models import ErasedRows, ErasureAnswered
from bdcan_routing.store.retention import KEPT

ERASER = Eraser(
    "routing",
    KEPT,
    answer=lambda said, rows: ErasureAnswered(
        **said, rows=tuple(ErasedRows(kind=kind, rows=count) for kind, count in rows.items())
    ),
    keeps=("assignment", "decisions"),
)
"""`keeps`: which hub had the referral and who decided, as ids, codes and times: no person is in them."""
