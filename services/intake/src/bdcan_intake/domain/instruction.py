"""What whoever does a task must know: what to buy or fetch, how to get in, what to say at the door.

The words are about a resident. They are kept here alone, and whoever has the task in hand reads them through a disclosure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.step import Step
from bdcan_contracts.typed import free_text
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import Referral, ReferralState


class Instruction(Struct, frozen=True):
    """Words for a doer. `subject_id`: a need; or the referral, for what holds at every visit. The texts are personal data."""

    subject_id: UUID
    referral_id: UUID
    author: str
    written_at: datetime
    what: str | None = None
    access: str | None = None
    say: str | None = None


def instruct(
    referral: Referral, need_id: UUID | None, typed: Mapping[str, str | None], author: str, now: datetime
) -> Step[Instruction]:
    """New words in the place of earlier ones. Raises NotAllowedError where nobody comes any more."""
    if referral.state is ReferralState.CLOSED:
        raise NotAllowedError(
            "The referral is closed: nobody comes any more. Hand in a new request for help."
        )
    need = next((need for need in referral.needs if need.need_id == need_id), None)
    if need_id is not None and (need is None or need.ended):
        raise NotAllowedError(
            "The referral has no open need of this id. Read the referral for those that it has."
        )
    words = {name: free_text(text) for name, text in typed.items()}
    return Step(Instruction(need_id or referral.referral_id, referral.referral_id, author, now, **words))


def words_for(
    written: Mapping[UUID, Instruction], referral_id: UUID, need_id: UUID | None
) -> dict[str, str | None]:
    """What the doer of a need's task reads: the need's own words, and those for every visit where it has none."""
    own, usual = written.get(need_id) if need_id else None, written.get(referral_id)

    def word(name: str) -> str | None:
        return next((text for one in (own, usual) if one and (text := getattr(one, name))), None)

    return {name: word(name) for name in ("what", "access", "say")}
