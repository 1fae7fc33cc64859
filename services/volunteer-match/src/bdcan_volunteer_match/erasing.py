"""How volunteer-match erases whoever a referral is about."""

from __future__ import annotations

from bdcan_chassis.erasure import Eraser
from bdcan_contracts.models import ErasedRows, ErasureAnswered
from bdcan_volunteer_match.domain.volunteer import volunteer_id_of
from bdcan_volunteer_match.store.retention import KEPT, OPEN_WORK

ERASER = Eraser(
    "volunteer-match",
    KEPT,
    answer=lambda said, rows: ErasureAnswered(
        **said, rows=tuple(ErasedRows(kind=kind, rows=count) for kind, count in rows.items())
    ),
    open_work=OPEN_WORK,
    known_as=volunteer_id_of,
    keeps=("calls", "tasks", "attempts", "decisions"),
)
"""`keeps`: when somebody rang and what was done, as ids, codes and times: no resident is in them."""
