"""What doers must know, in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.instruction import Instruction

INSTRUCTION = Table("instruction", Instruction, key="subject_id", stamp=None)

# All words of a referral.
OF_REFERRAL = INSTRUCTION.query(
    "SELECT {columns} FROM instruction WHERE referral_id = :referral_id ORDER BY subject_id"
)
