"""How escalation erases whoever a referral is about."""

from __future__ import annotations

from bdcan_chassis.erasure import Eraser
from bdcan_contracts.models import ErasedRows, ErasureAnswered
from bdcan_escalation.store.retention import KEPT, OPEN_WORK

ERASER = Eraser(
    "escalation",
    KEPT,
    answer=lambda said, rows: ErasureAnswered(
        **said, rows=tuple(ErasedRows(kind=kind, rows=count) for kind, count in rows.items())
    ),
    open_work=OPEN_WORK,
    keeps=("case-numbers", "call-backs"),
)
"""`keeps`: the proof that the council has the case, in its own numbers and codes. A safeguarding case must stay (Care Act 2014, s. 42)."""
