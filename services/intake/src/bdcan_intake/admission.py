"""Taking on requests for help, many at a time, through whichever door they come.

A referral, its resident, its needs, its events and its first deadline commit together. A source and a reference identify a
request. The same request again gets the same referral as its answer. The same reference with other content is refused:
the person is being helped already, and nothing may be lost in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import new_id
from bdcan_contracts.envelope import Problem
from bdcan_intake import store
from bdcan_intake.books import Referrals, Residents
from bdcan_intake.domain.referral import Referral, open_referral
from bdcan_intake.domain.submission import Examined, resident_of

_REUSED = Problem(
    "reference",
    "reference-reused",
    "this reference was taken on before with other content; amend that referral instead",
)


class Accepted(Struct, frozen=True):
    """A new referral."""

    referral: Referral


class Duplicate(Struct, frozen=True):
    """The same request again: the referral that answers it."""

    referral_id: UUID
    received_at: datetime


class Refused(Struct, frozen=True):
    """Not taken on; all problems at once."""

    problems: tuple[Problem, ...]


Answer = Accepted | Duplicate | Refused


async def take_on(referrals: Referrals, examined: Sequence[Examined]) -> list[Answer]:
    """Take on what can be taken on; returns an answer for each, in order. It takes a handful of statements, however many."""
    tx, residents = referrals.tx, Residents(referrals.tx)
    opened = {}
    async for place, one in in_turns(enumerate(examined)):
        if not one.problems:
            need_ids = tuple(new_id() for _ in one.submission.needs)
            opened[place] = open_referral(one.submission, new_id(), need_ids, tx.now)
    new = await referrals.put_missing(opened.values(), store.referrals.SAME_REQUEST)
    accepted = {referral.referral_id: Accepted(referral) for referral in new}
    for place, step in opened.items():
        if step.state.referral_id in accepted:
            residents.put(resident_of(examined[place], step.state.referral_id))
    await residents.save()
    await referrals.save()
    said_again = [place for place, step in opened.items() if step.state.referral_id not in accepted]
    answers = await _said_again(referrals, {place: examined[place] for place in said_again})
    for place, one in enumerate(examined):
        if one.problems:
            answers[place] = Refused(one.problems)
        elif place not in answers:
            answers[place] = accepted[opened[place].state.referral_id]
    return [answers[place] for place in range(len(examined))]


async def _said_again(referrals: Referrals, examined: dict[int, Examined]) -> dict[int, Answer]:
    if not examined:
        return {}
    tx = referrals.tx
    known = await store.referrals.FIND_KNOWN.all(
        tx.connection,
        sources=[one.submission.source for one in examined.values()],
        references=[one.submission.reference for one in examined.values()],
    )
    tx.not_before(*[one.received_at for one in known])
    first = {(one.source, one.reference): one for one in known}
    answers: dict[int, Answer] = {}
    for place, one in examined.items():
        earlier = first[one.submission.source, one.submission.reference or ""]
        same = earlier.content_hash == one.content_hash
        answers[place] = Duplicate(earlier.referral_id, earlier.received_at) if same else Refused((_REUSED,))
    return answers
