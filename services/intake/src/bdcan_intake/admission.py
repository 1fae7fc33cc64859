"""Taking on requests for help, many at a time, through whichever door they come.

A referral, its resident, its needs, its events and its first deadline commit together. A source and a reference identify a
request. The same request again gets the same referral as its answer while that is open. The same reference with other content
is refused then: the person is being helped already, and nothing may be lost in silence. Once the referral is closed, the person
needs help again: a new referral is linked to the closed one and answers to the reference from now on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Cause
from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.submission import Examined
from bdcan_intake import store
from bdcan_intake.books import Notes, Referrals, Residents
from bdcan_intake.domain import timeline
from bdcan_intake.domain.note import Note, add_note
from bdcan_intake.domain.referral import Referral, ReferralState, followed_by, open_referral
from bdcan_intake.domain.rights import must_not_be_erased
from bdcan_intake.domain.submission import resident_of


class Accepted(Struct, frozen=True):
    """A new referral."""

    referral: Referral


class Duplicate(Struct, frozen=True):
    """The same request again: the referral that answers it. It is open."""

    referral_id: UUID
    received_at: datetime
    state: ReferralState
    told_reference: str | None
    """How its receipts name it."""


class Refused(Struct, frozen=True):
    """Not taken on; all problems at once. `told_reference`: how receipts name the referral that is known already."""

    problems: tuple[Problem, ...]
    told_reference: str | None = None


Answer = Accepted | Duplicate | Refused


async def take_on(
    referrals: Referrals, examined: Sequence[Examined], causes: Sequence[Cause | None] = ()
) -> list[Answer]:
    """Take on what can be taken on; returns an answer for each, in order. It takes a handful of statements, however many.

    `causes`: what each follows from, where many came together.
    """
    answers: dict[int, Answer] = {
        place: Refused(one.problems) for place, one in enumerate(examined) if one.problems
    }
    good = {place: one for place, one in enumerate(examined) if place not in answers}
    of_place = dict(enumerate(causes))
    answers |= await _open(referrals, {place: (one, new_id(), None) for place, one in good.items()}, of_place)
    answers |= await _said_again(referrals, {p: one for p, one in good.items() if p not in answers}, of_place)
    return [answers[place] for place in range(len(examined))]


async def take_note(
    referrals: Referrals,
    referral_id: UUID,
    typed: str | None,
    author: str,
    call_id: UUID | None,
    *,
    for_doer: bool = False,
) -> Note | None:
    """Add a note about a locked referral's resident, with its entry in the timeline; None if there is nothing new."""
    if typed is None:
        return None
    if referral := referrals.get(referral_id):
        must_not_be_erased(referral)
    tx, notes = referrals.tx, Notes(referrals.tx)
    earlier = await store.notes.OF_REFERRAL.all(tx.connection, referral_id=referral_id)
    step = add_note(typed, earlier, new_id(), referral_id, author, tx.now, call_id, for_doer=for_doer)
    if step is None:
        return None
    referrals.enter([timeline.noted(step.state)])
    noted = notes.put(step)
    await notes.save()
    return noted


async def _open(
    referrals: Referrals,
    wanted: dict[int, tuple[Examined, UUID, Referral | None]],
    causes: Mapping[int, Cause | None],
) -> dict[int, Answer]:
    """Open referrals with these ids, each behind the closed one that it follows. A request that is known already has no answer."""
    tx, residents = referrals.tx, Residents(referrals.tx)
    opened: dict[int, Step[Referral]] = {}
    async for place, (one, referral_id, previous) in in_turns(wanted.items()):
        need_ids = tuple(new_id() for _ in one.submission.needs)
        opened[place] = open_referral(one.submission, referral_id, need_ids, tx.now, previous=previous)
    of_referral = {step.state.referral_id: causes.get(place) for place, step in opened.items()}
    new = await referrals.put_missing(opened.values(), store.referrals.SAME_REQUEST, of_referral)
    accepted = {referral.referral_id: Accepted(referral) for referral in new}
    answers: dict[int, Answer] = {}
    for place, step in opened.items():
        if answer := accepted.get(step.state.referral_id):
            residents.put(resident_of(wanted[place][0], step.state.referral_id))
            answers[place] = answer
    await residents.save()
    await referrals.save()
    return answers


async def _said_again(
    referrals: Referrals, examined: dict[int, Examined], causes: Mapping[int, Cause | None]
) -> dict[int, Answer]:
    """Answer requests that are known: with the referral that is open, or with a new one if the known one is closed."""
    if not examined:
        return {}
    tx = referrals.tx
    await tx.write_added()  # the same list may have said it a moment ago
    known = await store.referrals.FIND_KNOWN.all(
        tx.connection,
        sources=[one.submission.source for one in examined.values()],
        references=[one.submission.reference for one in examined.values()],
    )
    tx.not_before(*[one.received_at for one in known])
    await referrals.lock_keys(one.referral_id for one in known if one.closed)
    first = {(one.source, one.reference): one for one in known}
    answers: dict[int, Answer] = {}
    later: dict[int, Examined] = {}
    following: dict[int, tuple[Examined, UUID, Referral | None]] = {}
    for place, one in examined.items():
        earlier = first.get((one.submission.source, one.submission.reference or ""))
        if earlier is None:
            answers[place] = Refused((ERASED,))
            continue
        closed = referrals.get(earlier.referral_id) if earlier.closed else None
        if closed is None or closed.state is not ReferralState.CLOSED:
            same = earlier.content_hash == one.content_hash
            state = closed.state if closed else earlier.state
            answers[place] = (
                Duplicate(earlier.referral_id, earlier.received_at, state, earlier.told_reference)
                if same
                else Refused((_reused(earlier.referral_id, state),), earlier.told_reference)
            )
        elif closed.next_referral_id is not None:  # a request before this one has opened the next referral
            later[place] = one
        else:
            step = followed_by(closed, new_id())
            following[place] = (one, step.state.next_referral_id or closed.referral_id, closed)
            referrals.put(step, causes.get(place))
    await referrals.save()  # the reference must be free
    answers |= await _open(referrals, following, causes)
    return answers | await _said_again(referrals, later, causes)


ERASED = Problem(
    "reference",
    "reference-erased",
    "whoever this reference was about has been erased: send a new request under another reference",
)
"""A request under the reference of somebody who was erased."""


def _reused(referral_id: UUID, state: ReferralState) -> Problem:
    return Problem(
        "reference",
        "reference-reused",
        f"this reference was taken on before with other content: amend referral {referral_id}, which is {state}, instead",
    )
