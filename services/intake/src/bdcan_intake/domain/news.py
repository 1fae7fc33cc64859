"""What whoever referred somebody is told of the referral, in words. Receipts and reads say the same.

Nothing here names a person, a volunteer, a hub or a member of staff, or repeats what somebody typed. Needs follow
`domain/audience.py`: a need that the sender may not know of has no words. Three rules keep somebody at risk safe from whoever
reads a sender's screen:

- A referral that its sender sent for safeguarding (`guarded`) has been passed to the right team, and no more is said.
- A concern that others raised leaves no trace: the sender is told what they would be told without it.
- Of a complex need the sender hears that the right team has it, and not which need.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import (
    InboundReferralClosed,
    InboundReferralProgressed,
    Lane,
    NeedState,
    NeedTold,
)
from bdcan_contracts.vocabulary import Flag, NeedCode, Reason, ReferralOutcome
from bdcan_intake.domain.audience import is_sensitive
from bdcan_intake.domain.progress import HELPED
from bdcan_intake.domain.referral import (
    COMMUNITY_SOLUTIONS,
    PARTLY,
    Need,
    Referral,
    ReferralState,
    nothing_to_come,
    outcome_of,
)

RECEIVED = "received"
ASSIGNED = "assigned"
IN_CONTACT = "in-contact"
BEING_HELPED = "being-helped"
WAITING = "waiting-for-council"
PASSED_ON = "passed-on"
CLOSED = "closed"
REOPENED = "reopened"
"""Only a receipt says so, once."""

_MOST_NEEDS = 100


class NeedNews(Struct, frozen=True):
    """One need that the sender may know of."""

    code: str
    lane: Lane
    state: str
    words: str


class News(Struct, frozen=True):
    """How far a referral is, for whoever sent it. `outcome`: of a closed one, as far as the sender may know it."""

    state: str
    words: str
    needs: tuple[NeedNews, ...] = ()
    outcome: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the sender is told that it is over."""
        return self.state == CLOSED


Receipt = InboundReferralProgressed | InboundReferralClosed


def receipt(before: Referral, after: Referral, now: datetime) -> Receipt | None:
    """What the sender is told of a change; None if it is no news for them, or if they are told nothing any more."""
    if after.told_reference is None or after.erased_at is not None:
        return None
    was, news = news_of(before), news_of(after)
    if was == news:
        return None
    needs = tuple(
        NeedTold(code=one.code, lane=one.lane, state=one.state, words=one.words) for one in news.needs
    )
    if news.closed:
        return InboundReferralClosed(
            source=after.source,
            reference=after.told_reference,
            referral_id=after.referral_id,
            outcome=news.outcome,
            words=news.words,
            needs=needs,
            correction=was.closed,
            closed_at=now,
        )
    again = was.closed and not after.guarded
    return InboundReferralProgressed(
        source=after.source,
        reference=after.told_reference,
        referral_id=after.referral_id,
        state=REOPENED if again else news.state,
        words=_OPEN_AGAIN if again else news.words,
        needs=needs,
        changed_at=now,
    )


def news_of(referral: Referral) -> News:
    """How far a referral is, in words for whoever sent it."""
    if referral.guarded:
        return _guarded(referral)
    counted = tuple(need for need in referral.needs if need.lane is not Lane.SAFEGUARDING)
    known = tuple(need for need in counted if not is_sensitive(need))
    needs = tuple(
        NeedNews(need.code, need.lane, need.state.value, _need_words(need, referral)) for need in known
    )[:_MOST_NEEDS]
    if _is_over(referral, counted):
        return _end(referral, counted, known, needs)
    state = _state(referral, counted, known)
    return News(state, _open_words(state, referral), needs)


def _guarded(referral: Referral) -> News:
    counted = tuple(need for need in referral.needs if need.lane is not Lane.SAFEGUARDING)
    if _is_over(referral, counted):
        return News(CLOSED, "Your referral was passed to the right team. Nothing is left for you to do.")
    if referral.state is ReferralState.RECEIVED and not referral.assignment_version:
        return News(RECEIVED, _WORDS[RECEIVED])
    return News(PASSED_ON, _WORDS[PASSED_ON])


def _is_over(referral: Referral, counted: tuple[Need, ...]) -> bool:
    """Whether it is closed, or would be without a concern that the sender may not know of."""
    if referral.state is ReferralState.CLOSED:
        return True
    hidden = len(counted) < len(referral.needs)
    return hidden and all(need.ended for need in counted) and nothing_to_come(referral)


def _state(referral: Referral, counted: tuple[Need, ...], known: tuple[Need, ...]) -> str:
    waiting = [need for need in counted if not need.ended and need.owner == COMMUNITY_SOLUTIONS]
    open_ = [need for need in known if not need.ended]
    if waiting and referral.unreached_after:
        return WAITING
    if open_ and all(need.owner == COMMUNITY_SOLUTIONS for need in open_):
        return WAITING
    if waiting and not open_:
        return PASSED_ON
    if any(need.rank >= HELPED and need.state is not NeedState.WITHDRAWN for need in known):
        return BEING_HELPED
    if referral.called and not referral.unreached_after:
        return IN_CONTACT
    return ASSIGNED if referral.hub_id else RECEIVED


_WORDS: Mapping[str, str] = {
    RECEIVED: "We have your referral and are finding the local hub that will help.",
    ASSIGNED: "A local hub has your referral. Somebody will ring them.",
    IN_CONTACT: "We have spoken to them about what they need.",
    BEING_HELPED: "Help is under way.",
    WAITING: "The council has been asked to help.",
    PASSED_ON: "Your referral is with the right team.",
}
_OPEN_AGAIN = "There is more to do for them. We have opened the referral again."
_LOOKING = "A local hub has your referral and is looking at it."
_STOPS_CALLS = frozenset({Flag.NO_CONSENT, Flag.DECEASED})


def _open_words(state: str, referral: Referral) -> str:
    if state == WAITING and (tries := referral.unreached_after):
        often = "one try" if tries == 1 else f"{tries} tries"
        return f"We could not reach them after {often}. The council has been asked to look."
    if state == ASSIGNED and not _STOPS_CALLS.isdisjoint(referral.flags):
        return _LOOKING
    return _WORDS[state]


_IN_HAND: Mapping[str, str] = {
    NeedCode.FOOD_PARCEL: "A food parcel is being prepared for them.",
    NeedCode.BABY_SUPPLIES: "Baby supplies are being prepared for them.",
    NeedCode.HYGIENE_SUPPLIES: "Hygiene supplies are being prepared for them.",
    NeedCode.SHOPPING: "A volunteer will shop for them.",
    NeedCode.PRESCRIPTION: "A volunteer will fetch their prescription.",
    NeedCode.BEFRIENDING_CALL: "A volunteer will ring them for a chat.",
    NeedCode.TRANSPORT: "A volunteer will drive them.",
    NeedCode.ERRAND: "A volunteer will run an errand for them.",
    NeedCode.LEAFLETTING: "A volunteer will bring the leaflets.",
}
_MET: Mapping[str, str] = {
    NeedCode.FOOD_PARCEL: "They have their food parcel.",
    NeedCode.BABY_SUPPLIES: "They have the baby supplies.",
    NeedCode.HYGIENE_SUPPLIES: "They have the hygiene supplies.",
    NeedCode.SHOPPING: "Somebody has shopped for them.",
    NeedCode.PRESCRIPTION: "They have their prescription.",
    NeedCode.BEFRIENDING_CALL: "Somebody has rung them for a chat.",
    NeedCode.TRANSPORT: "Somebody has driven them.",
    NeedCode.ERRAND: "Somebody has run the errand for them.",
    NeedCode.LEAFLETTING: "The leaflets are there.",
}
_OF_LANE: Mapping[Lane, str] = {
    Lane.FOOD: "Supplies are being prepared for them.",
    Lane.COMMUNITY: "A volunteer will help them.",
}
"""Of needs without words of their own."""


def _need_words(need: Need, referral: Referral) -> str:
    match need.state:
        case NeedState.OPEN | NeedState.IN_HAND if need.owner == COMMUNITY_SOLUTIONS:
            return "The council has been asked about this."
        case NeedState.OPEN if referral.called and not referral.unreached_after:
            return "We are looking for somebody who can help with this."
        case NeedState.OPEN if not _STOPS_CALLS.isdisjoint(referral.flags):
            return "The hub is looking at this."
        case NeedState.OPEN:
            return "Somebody will ask them about this."
        case NeedState.IN_HAND:
            return _IN_HAND.get(need.code) or _OF_LANE[need.lane]
        case NeedState.MET if need.reason == PARTLY:
            return "They had some of the help that they wanted."
        case NeedState.MET:
            return _MET.get(need.code, "They have had this help.")
        case NeedState.REFERRED_ON:
            return "The council helps them with this now."
        case NeedState.UNMET if need.reason == Reason.OUT_OF_AREA:
            return "They live outside the borough, so we cannot help with this."
        case NeedState.UNMET:
            return "Nobody could help with this."
        case NeedState.WITHDRAWN if need.reason == Reason.DECLINED_AT_CALL:
            return "They told us that they do not need this."
        case _:
            return "This was withdrawn."


_ENDS: Mapping[str, str] = {
    ReferralOutcome.HELPED: "They have had the help that they wanted.",
    ReferralOutcome.PARTLY_HELPED: "They have had some of the help that they wanted.",
    ReferralOutcome.DECLINED: "We spoke to them, and they do not want help now.",
    ReferralOutcome.REFERRED_ON: "The council helps them now.",
    ReferralOutcome.OUT_OF_AREA: "They live outside the borough. Please ask their own council to help them.",
    ReferralOutcome.WITHDRAWN: "The referral was withdrawn.",
}


def _end(
    referral: Referral, counted: tuple[Need, ...], known: tuple[Need, ...], needs: tuple[NeedNews, ...]
) -> News:
    more = len(known) < len(counted)
    if more and not known:
        return News(CLOSED, "It was passed to the right team. The referral is closed here.")
    outcome = outcome_of(replace(referral, needs=known))
    words = _ENDS[outcome]
    if more:
        words = f"{words} The right team has seen to the rest."
    return News(CLOSED, f"{words} The referral is closed.", needs, outcome)
