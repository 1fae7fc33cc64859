"""Which needs are handed to Community Solutions, given what they have had before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID, uuid5

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    EscalationKind,
    Lane,
    Need,
    Priority,
    WelfareCallExhausted,
)
from bdcan_escalation.domain.escalation import Escalation, open_escalation
from bdcan_escalation.domain.referral import Referral

HANDED_OVER: Mapping[Lane, EscalationKind] = MappingProxyType(
    {Lane.COMPLEX: EscalationKind.COMPLEX, Lane.SAFEGUARDING: EscalationKind.SAFEGUARDING}
)
"""Lanes whose needs are Community Solutions' business, and as what."""


def is_handed_over(said: CalledNeed) -> bool:
    """Whether what a call says about a need makes it Community Solutions' business."""
    return said.result is not CallNeedResult.DECLINED and said.lane in HANDED_OVER


def hand_over(
    referral: Referral,
    earlier: Sequence[Escalation],
    need: Need,
    priority: Priority,
    now: datetime,
    calendar: Calendar,
    *,
    call_id: UUID | None = None,
    respond_by: datetime | None = None,
) -> Step[Escalation] | None:
    """Hand one need over, unless Community Solutions has it or is done with it; None then.

    `earlier`: the referral's escalations. `call_id`: the call that reports the need. Only a call hands over again what was given
    back. Safeguarding is handed over even if the resident has withdrawn.
    """
    kind = HANDED_OVER[need.lane]
    of_need = _of_need(earlier, need.need_id)
    if any(
        (call_id is None or e.answers(call_id)) and (e.kind is kind or kind is EscalationKind.COMPLEX)
        for e in of_need
    ):
        return None
    if kind is not EscalationKind.SAFEGUARDING and not referral.wants(need):
        return None
    return open_escalation(
        _next_id(earlier, need.need_id),
        referral.referral_id,
        kind,
        (need,),
        referral.hub_id,
        priority,
        now,
        calendar,
        respond_by,
    )


def raise_concern(
    referral: Referral, earlier: Sequence[Escalation], concern: Need, now: datetime, calendar: Calendar
) -> Step[Escalation] | None:
    """Hand over what worried a volunteer, as a need of its own; None if it is handed over already."""
    escalation_id = _nth_id(concern.need_id, 1)
    if any(e.escalation_id == escalation_id for e in earlier):
        return None
    return open_escalation(
        escalation_id,
        referral.referral_id,
        EscalationKind.SAFEGUARDING,
        (concern,),
        referral.hub_id,
        Priority.URGENT,
        now,
        calendar,
    )


def raise_welfare_concern(
    referral: Referral,
    earlier: Sequence[Escalation],
    event: WelfareCallExhausted,
    now: datetime,
    calendar: Calendar,
) -> Step[Escalation] | None:
    """Nobody was reached: hand over every need that Community Solutions does not have; None where there is none."""
    escalation_id = uuid5(event.call_id, "escalation")
    needs = _unreached(referral, earlier, event)
    if (
        referral.withdrawn_at is not None
        or not needs
        or any(e.escalation_id == escalation_id for e in earlier)
    ):
        return None
    return open_escalation(
        escalation_id,
        referral.referral_id,
        EscalationKind.WELFARE_CONCERN,
        needs,
        referral.hub_id,
        referral.priority,
        now,
        calendar,
    )


def _unreached(
    referral: Referral, earlier: Sequence[Escalation], event: WelfareCallExhausted
) -> tuple[Need, ...]:
    """The needs of a welfare concern: those that Community Solutions does not have, or else, once, those that it has.

    A need whose refusal answers this call is not among them: the hub calls again.
    """
    needs = tuple(need for need in event.needs if need.need_id not in referral.withdrawn_needs)
    of_need = {need.need_id: _of_need(earlier, need.need_id) for need in needs}
    left = tuple(n for n in needs if not any(e.answers(event.call_id) for e in of_need[n.need_id]))
    if left:
        return left
    standing = {need_id: {e.kind for e in found if not e.given_back} for need_id, found in of_need.items()}
    return tuple(
        n for n in needs if standing[n.need_id] and EscalationKind.WELFARE_CONCERN not in standing[n.need_id]
    )


def _of_need(earlier: Sequence[Escalation], need_id: UUID) -> list[Escalation]:
    return [e for e in earlier if need_id in e.need_ids]


def _next_id(earlier: Sequence[Escalation], need_id: UUID) -> UUID:
    """The id of the need's first escalation, or, after those that ended, of the next."""
    taken = {e.escalation_id for e in earlier}
    place = 1
    while (found := _nth_id(need_id, place)) in taken:
        place += 1
    return found


def _nth_id(need_id: UUID, place: int) -> UUID:
    return uuid5(need_id, "escalation" if place == 1 else f"escalation-{place}")
