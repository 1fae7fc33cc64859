"""One household stays with one hub.

Intake links referrals that may be about the same household. The referral that came first decides which hub that is.
The others go there, unless a person placed them, or their homes lie in another ward.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import AssignmentMethod
from bdcan_contracts.vocabulary import Reason
from bdcan_routing.domain.assignment import Assignment, State, move
from bdcan_routing.domain.hubs import Coverage
from bdcan_routing.domain.placement import ToHub


def gather(household: Iterable[Assignment], coverage: Coverage, now: datetime) -> list[Step[Assignment]]:
    """Move the later referrals of a household to the hub of the first open one, if that hub takes referrals."""
    settled = sorted(
        (one for one in household if one.state is State.ASSIGNED and isinstance(one.verdict, ToHub)),
        key=lambda one: one.referral_id,  # the ids are in the order in which the referrals came
    )
    if not settled:
        return []
    first = settled[0]
    hub = coverage.by_id.get(first.hub_id or "")
    if hub is None or hub.paused:
        return []
    return [
        move(
            one,
            replace(
                verdict,
                hub_id=hub.hub_id,
                because=str(Reason.SAME_HOUSEHOLD),
                explanation=f"{hub.name} looks after this household already: another request came first.",
            ),
            Reason.SAME_HOUSEHOLD,
            now,
        )
        for one in settled[1:]
        if isinstance(verdict := one.verdict, ToHub)
        and one.hub_id != hub.hub_id
        and verdict.method is not AssignmentMethod.MANUAL
        and _same_home(verdict, first.verdict)
    ]


def _same_home(one: ToHub, other: object) -> bool:
    """Whether both homes may be one. Without a ward (a person placed it) nothing speaks against it."""
    ward = other.ward if isinstance(other, ToHub) else None
    return one.ward is None or ward is None or one.ward == ward
