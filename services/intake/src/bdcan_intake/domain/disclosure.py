"""Who may be told what about a resident: a purpose opens a fixed set of fields, while there is a live reason.

Whoever asks has the work in hand themselves (a claim), or an open piece of work of their team needs the answer. The audit names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from bdcan_contracts.models import Lane, NeedState
from bdcan_contracts.vocabulary import Flag
from bdcan_intake.domain.doer import TaskInHand, is_wanted
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import INTAKE, Referral, ReferralState
from bdcan_intake.domain.timeline import Entry


class Purpose(StrEnum):
    """Why somebody must see a name or an address."""

    TRIAGE = "triage"
    WELFARE_CALL = "welfare_call"
    DELIVERY_LABEL = "delivery_label"
    DELIVERY = "delivery"
    TASK = "task"
    ESCALATION = "escalation"
    VOLUNTEER_INDUCTION = "volunteer_induction"


class Opens(Struct, frozen=True):
    """What a purpose opens, and the open piece of work that justifies it. `hub_only`: to the hub's own people alone."""

    fields: tuple[str, ...]
    hub_only: bool
    work: str


OPENS = {
    Purpose.TRIAGE: Opens(
        ("name", "phone", "phone_e164", "address", "postcode", "notes", "unclear"),
        hub_only=True,
        work="routing has put the referral into triage, or has not answered in time",
    ),
    Purpose.WELFARE_CALL: Opens(
        (
            "name",
            "phone",
            "phone_e164",
            "email",
            "address",
            "postcode",
            "flags",
            "notes",
            "consent",
            "unclear",
        ),
        hub_only=True,
        work="the asker has claimed the call; or nobody may ring, and a person of the hub looks",
    ),
    Purpose.DELIVERY_LABEL: Opens(
        ("name", "address", "postcode"), hub_only=True, work="the asker picks or packs the parcel"
    ),
    Purpose.DELIVERY: Opens(
        ("name", "phone", "phone_e164", "address", "postcode", "flags"),
        hub_only=True,
        work="a volunteer of the hub has accepted a task of the referral that is still wanted",
    ),
    Purpose.TASK: Opens(
        (
            "kind",
            "name",
            "phone",
            "phone_e164",
            "address",
            "postcode",
            "flags",
            "what",
            "access",
            "say",
            "notes",
            "notes_withheld",
        ),
        hub_only=True,
        work="the volunteer has accepted the task, and it is still wanted; whoever only rings learns no address",
    ),
    Purpose.ESCALATION: Opens(
        (
            "name",
            "phone",
            "phone_e164",
            "email",
            "birth_date",
            "nhs_number",
            "address",
            "postcode",
            "household",
            "flags",
            "notes",
            "consent",
            "unclear",
        ),
        hub_only=False,
        work="Community Solutions has an open case or a concern; the program that hands cases over may ask at once",
    ),
    Purpose.VOLUNTEER_INDUCTION: Opens(
        ("name", "phone", "phone_e164", "email", "postcode", "notes"),
        hub_only=False,
        work="the enquiry waits for a hub, or the hub has welcomed the volunteer",
    ),
}
"""The fields of each purpose. All but volunteer_induction are about a referral; `task` is for who has that task in hand."""


CALL_ENDS = (
    "welfare-call.completed",
    "welfare-call.unanswered",
    "welfare-call.exhausted",
    "welfare-call.reopened",
    "welfare-call.held",
)
"""Entries of the timeline that end whatever claim of the referral's call there was before."""

LABEL_ENDS = ("parcel.dispatched", "parcel.delivered", "parcel.returned", "parcel.cancelled")
"""Entries of the timeline after which nobody packs the parcel that they were packing."""


class Claim(Struct, frozen=True):
    """What the asker must have in hand. Such an entry of the timeline ends it. `how` says how to get it."""

    work: str
    ends: tuple[str, ...]
    how: str


_A_PERSON_LOOKS = frozenset({Flag.NO_CONSENT, Flag.DECEASED})


def claim_for(referral: Referral, purpose: Purpose) -> Claim | None:
    """What only whoever has it in hand may be told.

    Nobody claims the call of a resident who must not be rung. A person of the hub must look, and may read.
    """
    match purpose:
        case Purpose.WELFARE_CALL if _A_PERSON_LOOKS.isdisjoint(referral.flags):
            return Claim("call", CALL_ENDS, "Claim the welfare call first, and send the grant that you get.")
        case Purpose.DELIVERY_LABEL:
            return Claim(
                "parcel", LABEL_ENDS, "Start picking the parcel first, and send the grant that you get."
            )
        case _:
            return None


ABOUT_CASES = (
    "safeguarding-concern.raised",
    "escalation.opened",
    "escalation.closed",
    "escalation.declined",
)
"""Entries of the timeline that tell whether Community Solutions has something to look into."""


def open_case(entries: Sequence[Entry]) -> str:
    """The case that Community Solutions looks into, or the concern that becomes one. Raises NotAllowedError without any."""
    ended = {one.detail["escalation_id"] for one in entries if one.kind in ABOUT_CASES[2:]}
    opened = [one.detail["escalation_id"] for one in entries if one.kind == "escalation.opened"]
    if live := [case for case in opened if case not in ended]:
        return f"escalation:{live[-1]}"
    if not opened and any(one.kind == "safeguarding-concern.raised" for one in entries):
        return "safeguarding-concern"
    raise NotAllowedError("Community Solutions has no open case of this referral: nobody needs the person.")


def task_under_way(referral: Referral, tasks: Iterable[TaskInHand]) -> str:
    """A task that a volunteer has accepted, and that is still wanted. Raises NotAllowedError without any."""
    wanted = (task for task in tasks if task.volunteer_id is not None and is_wanted(task, referral))
    if task := next(wanted, None):
        return f"task:{task.task_id}"
    raise NotAllowedError("Nobody has accepted a task of this referral: nobody needs the address yet.")


def _in_triage(referral: Referral) -> bool:
    """Whether routing has said that a person must decide, or routing has not answered and intake looks."""
    held = referral.assignment_version > 0 and not referral.out_of_area
    return referral.hub_id is None and (held or referral.owner == INTAKE)


def must_be_live(referral: Referral, purpose: Purpose) -> None:
    """Raise NotAllowedError unless the referral's state gives the purpose a reason now."""
    # a concern may come up with the last visit: Community Solutions must learn of whom, even if all else is settled
    if referral.state is ReferralState.CLOSED and purpose is not Purpose.ESCALATION:
        raise NotAllowedError("The referral is closed: there is no reason any more.")
    match purpose:
        case Purpose.TRIAGE:
            live = _in_triage(referral)
        case Purpose.WELFARE_CALL:
            live = referral.hub_id is not None and not referral.withdrawn_reason
        case Purpose.DELIVERY_LABEL:
            live = _in_hand(referral, Lane.FOOD)
        case Purpose.DELIVERY:
            live = _in_hand(referral, Lane.FOOD, Lane.COMMUNITY)
        case Purpose.TASK:
            live = not referral.withdrawn_reason  # whose the task is, `doer` decides
        case Purpose.ESCALATION:
            live = True  # escalation asks as soon as it knows, which may be before intake has heard of it
        case Purpose.VOLUNTEER_INDUCTION:
            live = False
        case _:
            assert_never(purpose)
    if not live:
        raise NotAllowedError("The referral's present state gives no reason for this purpose.")


def _in_hand(referral: Referral, *lanes: Lane) -> bool:
    return any(n.state is NeedState.IN_HAND and n.lane in lanes for n in referral.needs)
