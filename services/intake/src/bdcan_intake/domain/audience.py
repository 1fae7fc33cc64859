"""Who sees which need. The vocabulary's `audience` is the one rule.

A need whose audience is `hub-and-council` is shown to the people of the referral's hub and to those who work for the whole
borough. All others, the sender of the referral included, see that something is in hand: not its code, its lane, its owner,
its times or its outcome, nor what follows from them for the referral as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from msgspec.structs import replace

from bdcan_contracts import vocabulary
from bdcan_contracts.vocabulary import help_for
from bdcan_contracts.words import Audience
from bdcan_intake.domain.referral import Need, Referral, ReferralState, outcome_of, with_next_step
from bdcan_intake.domain.timeline import Entry

IN_HAND = "something-is-in-hand"
"""What others see in place of the state of a sensitive need."""

OPEN_LANES = frozenset(
    lane for lane, help_ in vocabulary.LANES.items() if help_.audience is Audience.EVERYONE
)
"""The lanes whose figures may be shown to everyone."""

LEAST_SHOWN = 5
"""A smaller count may be about somebody whom the reader knows: it is left out."""

_LINKS = ("referral.linked",)
_AUTHOR = frozenset({"by"})
_HIDDEN_KINDS = (
    *_LINKS,
    "escalation.",
    "safeguarding-concern.",
    "referral.reopened",
    "welfare-call.exhausted",
    "welfare-call.held",
    "welfare-call.overdue",
    "welfare-call.reopened",
)
_HIDDEN_DETAILS = _AUTHOR | {"priority", "outcome", "needs", "contact_due_at"}


def is_sensitive(need: Need) -> bool:
    """Whether only the hub's and the council's people may see the need."""
    return help_for(need.code, need.lane).audience is not Audience.EVERYONE


def may_not_know(referral: Referral, need_ids: Iterable[UUID]) -> bool:
    """Whether one of these needs is sensitive: an outsider must not learn so from an answer about it."""
    hidden = {need.need_id for need in referral.needs if is_sensitive(need)}
    return not hidden.isdisjoint(need_ids)


def without_sensitive(referral: Referral) -> Referral:
    """The referral as everyone may see it. Owner, time and outcome follow from the needs that are left."""
    needs = tuple(need for need in referral.needs if not is_sensitive(need))
    if len(needs) == len(referral.needs):
        return referral
    left = replace(referral, needs=needs)
    if referral.state is ReferralState.CLOSED:
        return replace(left, outcome=outcome_of(left) if needs else None)
    if all(need.ended for need in needs):
        return replace(left, owner=referral.placed_with, due_at=None)
    return with_next_step(left)


def entries_for_others(referral: Referral, entries: Iterable[Entry]) -> list[Entry]:
    """The timeline as everyone may see it: no link to another referral, no author, and nothing of a sensitive need."""
    hidden = {need.need_id for need in referral.needs if is_sensitive(need)}
    kinds, details = (_HIDDEN_KINDS, _HIDDEN_DETAILS) if hidden else (_LINKS, _AUTHOR)
    return [
        replace(entry, detail={name: value for name, value in entry.detail.items() if name not in details})
        for entry in entries
        if entry.need_id not in hidden and not entry.kind.startswith(kinds)
    ]
