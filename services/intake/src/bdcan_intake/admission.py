"""Taking on requests for help, many at a time, through whichever door they come.

A referral, who it is about, its needs, its events and its first deadline commit together. The same source and
reference is the same request: said again it is answered with the same referral, said differently it is refused,
because the person is being helped already and nothing may be lost in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import FieldProblem
from bdcan_intake import journal
from bdcan_intake.domain.referral import ASSIGNED_WITHIN, Referral, concerns, open_referral, received_event
from bdcan_intake.domain.submission import Examined, Submission
from bdcan_intake.store import referrals, residents, timeline

ASSIGNMENT_DUE = "assignment-due"
"""The deadline by which routing must have answered."""

_CHANGED = FieldProblem(
    field="reference",
    code="reference-reused",
    message="this reference was taken on before with other content; amend that referral instead",
)


class Accepted(Struct, frozen=True):
    """A new referral."""

    referral: Referral


class Duplicate(Struct, frozen=True):
    """The same was said before: the referral that answers it."""

    referral_id: UUID
    received_at: datetime


class Refused(Struct, frozen=True):
    """Not taken on; all problems at once."""

    problems: tuple[FieldProblem, ...]


Answer = Accepted | Duplicate | Refused


async def take_on(tx: Tx, examined: Sequence[Examined]) -> list[Answer]:
    """Take on what can be taken on; returns an answer for each, in order. Handful of statements, however many."""
    answers: list[Answer | None] = [Refused(e.problems) if e.problems else None for e in examined]
    open_now = {
        place: _open(e, tx.now) async for place, e in in_turns(enumerate(examined)) if answers[place] is None
    }
    new_ids = await referrals.insert(tx.connection, list(open_now.values()), tx.now)
    for place, (_, referral) in open_now.items():
        if referral.referral_id in new_ids:
            answers[place] = Accepted(referral)
    await _write(
        tx,
        [
            (*open_now[place], examined[place].content_hash)
            for place, answer in enumerate(answers)
            if isinstance(answer, Accepted)
        ],
    )
    left = [place for place, answer in enumerate(answers) if answer is None]
    known = await residents.known(
        tx.connection, [(s.source, s.reference or "") for s, _ in (open_now[p] for p in left)]
    )
    for place in left:
        submission = open_now[place][0]
        before = known[submission.source, submission.reference or ""]
        tx.not_before(before.received_at)
        same = before.content_hash == examined[place].content_hash
        answers[place] = Duplicate(before.referral_id, before.received_at) if same else Refused((_CHANGED,))
    return [answer for answer in answers if answer is not None]


def _open(examined: Examined, now: datetime) -> tuple[Submission, Referral]:
    submission = examined.submission
    if submission.import_id is not None and submission.reference is None:
        # a list without references can still be handed in twice: what a row says is then its reference
        submission = replace(submission, reference=f"row-{examined.content_hash.hex()[:40]}")
    need_ids = tuple(new_id() for _ in submission.needs)
    return submission, open_referral(submission, new_id(), need_ids, now)


async def _write(tx: Tx, new: Sequence[tuple[Submission, Referral, bytes]]) -> None:
    if not new:
        return
    await residents.insert(tx.connection, [(r.referral_id, s, digest) for s, r, digest in new])
    await referrals.add_needs(tx.connection, [(r.referral_id, n) for _, r, _ in new for n in r.needs])
    entries = []
    async for submission, referral, _ in in_turns(new):
        received = received_event(referral, submission, tx.now)
        entries.append(journal.tell(tx, received, lane=referral.lane))
        entries.extend(
            journal.tell(tx, concern) for concern in concerns(referral.referral_id, referral.needs, tx.now)
        )
        tx.set_deadline(ASSIGNMENT_DUE, referral.referral_id, tx.now + ASSIGNED_WITHIN)
    await timeline.add(tx.connection, entries)
