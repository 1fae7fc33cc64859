"""What is wrong, about whom, and the command that repairs it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "assignment-missing": "routing does not know a referral that is open",
        "case-differs": "the council says something else about a case than escalation",
        "case-missing": "the council does not have a case that escalation counts on",
        "case-twice": "the council has two cases for one escalation",
        "case-unknown": "the council has a case that escalation does not know",
        "closed-with-open-need": "a referral is closed, and one of its needs is open",
        "deadline-forgotten": "a deadline is long past or fails: its service did not act on it",
        "deadline-missing": "something is open, and nothing makes its service look at it again",
        "delivery-differs": "foodhub and volunteer-match disagree whether a parcel was delivered",
        "delivery-without-parcel": "a volunteer is asked to bring a parcel that is not there",
        "end-differs": "the services disagree about what became of a need",
        "ended-early": "routing has ended a referral that is open",
        "event-parked": "an event was set aside, and its service does not act on it",
        "events-stuck": "events wait in an outbox, and nobody hears them",
        "goes-on-after-end": "a referral is closed, and somebody still works for it",
        "hub-differs": "two services name different hubs",
        "need-unknown": "somebody works for a need that intake does not have",
        "need-without-owner": "an open need has no owner or no time",
        "nobody-has-it": "a need is open, and its owner does not have it",
        "nobody-rings": "a resident waits for a welfare call that nobody will make",
        "not-closed": "all needs have ended, nothing is to come, and the referral stays open",
        "parcel-without-delivery": "a parcel is packed, and no volunteer is asked to bring it",
        "referral-unknown": "a service works for a referral that intake does not have",
        "served-twice": "a need is served twice",
        "two-hands": "a need is in two hands at once",
    }
)
"""Each kind of fault, and what it means."""


class Culprit(Struct, frozen=True):
    """One fault. `about` names the thing; `services` are those whose rows disagree.

    `referral_id` is None where it is about no single referral.
    """

    kind: str
    referral_id: UUID | None
    about: str
    says: str
    services: tuple[str, ...]
    repair: str

    @property
    def key(self) -> tuple[str, UUID | None, str]:
        """What makes it the same fault in another reading."""
        return self.kind, self.referral_id, self.about


def again(referral_id: UUID, service: str) -> str:
    """The command that has a service hear all events about a referral once more."""
    return f"bdcan service {service} redeliver {referral_id} --reason REASON"


def look(service: str, kind: str, subject: UUID, at: object) -> str:
    """The command that sets a deadline which is missing."""
    return f"bdcan service {service} deadline set {kind} {subject} {at} --reason REASON"


def open_task(referral_id: UUID, need_id: UUID) -> str:
    """The command that opens the task of a need again whose row is gone."""
    return f"bdcan service volunteer-match open-task {referral_id} {need_id} --reason REASON"


def decide(referral_id: UUID) -> str:
    """What to do where a person must decide: see the whole story first."""
    return f"bdcan case {referral_id}"
