"""Who may be told what about a resident: a purpose opens a fixed set of fields, while there is a live reason."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from bdcan_contracts.models import Lane, NeedState
from bdcan_contracts.vocabulary import Flag
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import Referral, ReferralState


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
    """What a purpose opens. `hub_only`: to the hub's own people alone."""

    fields: tuple[str, ...]
    hub_only: bool


OPENS = {
    Purpose.TRIAGE: Opens(
        ("name", "phone", "phone_e164", "address", "postcode", "notes", "unclear"), hub_only=True
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
    ),
    Purpose.DELIVERY_LABEL: Opens(("name", "address", "postcode"), hub_only=True),
    Purpose.DELIVERY: Opens(("name", "phone", "phone_e164", "address", "postcode", "flags"), hub_only=True),
    Purpose.TASK: Opens(
        ("kind", "name", "phone", "phone_e164", "address", "postcode", "flags", "notes", "notes_withheld"),
        hub_only=True,
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
    ),
    Purpose.VOLUNTEER_INDUCTION: Opens(
        ("name", "phone", "phone_e164", "email", "postcode", "notes"), hub_only=False
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

    ends: tuple[str, ...]
    how: str


_A_PERSON_LOOKS = frozenset({Flag.NO_CONSENT, Flag.DECEASED})


def claim_for(referral: Referral, purpose: Purpose) -> Claim | None:
    """What only whoever has it in hand may be told.

    Nobody claims the call of a resident who must not be rung. A person of the hub must look, and may read.
    """
    match purpose:
        case Purpose.WELFARE_CALL if _A_PERSON_LOOKS.isdisjoint(referral.flags):
            return Claim(CALL_ENDS, "Claim the welfare call first, and send the grant that you get.")
        case Purpose.DELIVERY_LABEL:
            return Claim(LABEL_ENDS, "Start picking the parcel first, and send the grant that you get.")
        case _:
            return None


def must_be_live(referral: Referral, purpose: Purpose) -> None:
    """Raise NotAllowedError unless the referral's state gives the purpose a reason now."""
    # a concern may come up with the last visit: Community Solutions must learn of whom, even if all else is settled
    if referral.state is ReferralState.CLOSED and purpose is not Purpose.ESCALATION:
        raise NotAllowedError("The referral is closed: there is no reason any more.")
    match purpose:
        case Purpose.TRIAGE:
            live = referral.hub_id is None
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
