"""What upstream systems change about the referrals that they sent: they amend one, or withdraw it, as they can by HTTP.

The rules are those of `domain/changes.py`. The sender's own reference names the referral: the one that answers to it now, or an
earlier one of that reference that `referral_id` names. What a rule refuses is a problem of the receipt, and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec import UNSET

from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.change import examine_amendment
from bdcan_contracts.inbound.problems import NOT_YOURS, UNKNOWN_REFERENCE
from bdcan_contracts.inbound.submission import Person
from bdcan_contracts.models import InboundReferralAmended, InboundReferralWithdrawn
from bdcan_contracts.typed import one_line
from bdcan_contracts.upstreams import Upstream
from bdcan_intake import store
from bdcan_intake.admission import ERASED, Accepted, Answer, Refused, take_note
from bdcan_intake.books import Referrals, Residents, Told
from bdcan_intake.domain import changes
from bdcan_intake.domain.audience import is_sensitive
from bdcan_intake.domain.changes import Amendment
from bdcan_intake.domain.errors import NotAllowedError, RefusedError, StaleError
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.rights import must_not_be_erased

Change: TypeAlias = InboundReferralAmended | InboundReferralWithdrawn


class Wanted(NamedTuple):
    """A change that a sender asks for."""

    sender: Upstream
    body: Change


class Answered(NamedTuple):
    """The answer to a request, and whom it is about, as far as anybody says.

    `name` is how earlier receipts name the referral, `told` what the sender hears after the answer.
    """

    answer: Answer
    person: Person = Person()
    name: str | None = None
    told: tuple[Told, ...] = ()


async def change(wanted: Sequence[Wanted], tx: Tx) -> list[Answered]:
    """Make the changes that the rules allow, in their order; returns an answer for each."""
    referral_ids = await _named(wanted, tx)
    erased = await _erased(wanted, referral_ids, tx)
    told: list[Told] = []
    referrals, residents = Referrals(tx, told), Residents(tx)
    await tx.write_added()  # the same batch may have brought the person a moment ago
    await referrals.lock_keys(referral_ids.values())
    await residents.lock_keys(referral_ids.values())
    answers: list[Answered] = []
    for place, one in enumerate(wanted):
        if one.body.source not in one.sender.sources:
            answers.append(Answered(Refused((NOT_YOURS,))))
        elif place in referral_ids:
            answers.append(await _change(one, referrals, residents, referral_ids[place]))
        else:
            unknown = ERASED if place in erased else UNKNOWN_REFERENCE
            answers.append(Answered(Refused((unknown, *_problems(one, tx)))))
    await residents.save()
    await referrals.save()
    return _with_news(answers, referral_ids, told)


def _with_news(
    answers: Sequence[Answered], referral_ids: Mapping[int, UUID], told: Sequence[Told]
) -> list[Answered]:
    """The answers, each with what its sender hears next: after the last change that a referral took in this unit."""
    last = {
        referral_ids[place]: place for place, one in enumerate(answers) if isinstance(one.answer, Accepted)
    }
    news = defaultdict[int, list[Told]](list)
    for one in told:
        news[last[one.receipt.referral_id]].append(one)
    return [one._replace(told=tuple(news[place])) for place, one in enumerate(answers)]


def _problems(wanted: Wanted, tx: Tx) -> tuple[Problem, ...]:
    if isinstance(wanted.body, InboundReferralAmended):
        return examine_amendment(wanted.body, wanted.sender, tx.today).problems
    return ()


async def _change(wanted: Wanted, referrals: Referrals, residents: Residents, referral_id: UUID) -> Answered:
    """Make one change. What a rule refuses has changed nothing."""
    known, name = residents[referral_id], referrals[referral_id].told_reference
    try:
        match wanted.body:
            case InboundReferralWithdrawn() as body:
                referrals.put(changes.withdraw(referrals[referral_id], body.reason, referrals.tx.now))
            case InboundReferralAmended() as body:
                await _amend(wanted.sender, body, referrals, residents, referral_id)
    except RefusedError as refused:
        return Answered(Refused(refused.errors), known, name)
    except (NotAllowedError, StaleError) as refused:
        return Answered(Refused((Problem("", refused.code, str(refused)),)), known, name)
    return Answered(Accepted(referrals[referral_id]), residents[referral_id], name)


async def _amend(
    sender: Upstream,
    body: InboundReferralAmended,
    referrals: Referrals,
    residents: Residents,
    referral_id: UUID,
) -> None:
    tx, referral = referrals.tx, referrals[referral_id]
    must_not_be_erased(referral)
    said = examine_amendment(body, sender, tx.today)
    if said.problems:
        raise RefusedError(said.problems)
    amendment = Amendment(
        version=body.version,
        add_needs=said.add_needs,
        withdraw_needs=_open_needs(referral, said.withdraw_needs),
        priority=body.priority,
        person=said.person,
        unclear=said.unclear,
        household=None if said.without_household else UNSET if body.household is None else body.household,
        diets=said.diets,
        flags=said.flags,
        notes=body.notes,
        consent=UNSET if body.consent is None else body.consent,
        by_sender=True,
    )
    amended = changes.amend_resident(residents[referral_id], amendment, tx.today)
    step = changes.amend(referral, amended.state, amendment, new_id, tx.now)
    residents.put(amended)
    referrals.put(step)
    await take_note(referrals, referral_id, body.notes, f"upstream:{sender.name}", None)


def _open_needs(referral: Referral, codes: Sequence[str]) -> tuple[UUID, ...]:
    """The open needs of these codes. Raises NotAllowedError for a code without one, or that the sender may not know of."""
    open_needs = [need for need in referral.needs if not need.ended and not is_sensitive(need)]
    if set(codes) - {need.code for need in open_needs}:
        raise NotAllowedError(changes.NOT_OPEN)
    return tuple(need.need_id for need in open_needs if need.code in codes)


async def _named(wanted: Sequence[Wanted], tx: Tx) -> dict[int, UUID]:
    """The referrals that requests name, by the place of the request. A request for another sender's names none."""
    places = [place for place, one in enumerate(wanted) if one.body.source in one.sender.sources]
    bodies = [wanted[place].body for place in places]
    found = await store.referrals.FIND_NAMED.all(
        tx.connection,
        places=places,
        sources=[body.source for body in bodies],
        references=[one_line(body.reference) for body in bodies],
        referral_ids=[body.referral_id for body in bodies],
    )
    return {one.place: one.referral_id for one in found}


async def _erased(wanted: Sequence[Wanted], known: Mapping[int, UUID], tx: Tx) -> set[int]:
    """The requests whose reference belonged to somebody who was erased."""
    places = [place for place in range(len(wanted)) if place not in known]
    if not places:
        return set()
    found = await store.erasures.ERASED_REFERENCES.records(
        tx.connection,
        places=places,
        sources=[wanted[place].body.source for place in places],
        references=[one_line(wanted[place].body.reference) for place in places],
    )
    return {place for (place,) in found}
