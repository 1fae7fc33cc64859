"""Requests for help: hand one in, see what became of it, withdraw it, amend it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import ConflictError, NotFoundError
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts import models
from bdcan_contracts.typed import free_text, one_line
from bdcan_intake import forms, journal
from bdcan_intake.admission import ASSIGNMENT_DUE, Accepted, Duplicate, Refused, take_on
from bdcan_intake.api.common import Reader, Writer, described, form_of, must_see, transactions_of
from bdcan_intake.domain import changes
from bdcan_intake.domain.errors import RefusedError
from bdcan_intake.domain.referral import Referral, concerns, contract_needs, settle
from bdcan_intake.domain.submission import Person, examine, flags_for, tidy_person
from bdcan_intake.store import referrals, residents, timeline, views


class NeedShown(BaseModel):
    """A need: whose it is, how it stands, when something must happen."""

    need_id: UUID
    code: str
    lane: str
    state: str
    reason: str | None = None
    owner: str | None = None
    due_at: datetime | None = None


class EntryShown(BaseModel):
    """A line of the referral's story."""

    at: datetime
    kind: str
    need_id: UUID | None = None
    detail: dict[str, Any]


class ReferralListed(BaseModel):
    """A referral as lists show it: nothing personal."""

    model_config = ConfigDict(from_attributes=True)
    referral_id: UUID
    source: str
    reference: str | None
    channel: str
    priority: str
    outreach: bool
    state: str
    version: int
    hub_id: str | None
    outcome: str | None
    owner: str | None
    due_at: datetime | None
    received_at: datetime
    contact_due_at: datetime
    closed_at: datetime | None
    flags: list[str]


class ReferralShown(ReferralListed):
    """A referral with its needs and its story, newest last."""

    needs: list[NeedShown]
    timeline: list[EntryShown]


class ReferralPage(BaseModel):
    """A page of referrals; `next` is the `after` of the next page."""

    items: list[ReferralListed]
    next: UUID | None


class Withdrawal(BaseModel):
    """Why, as a code: `no-longer-needed`, `moved-away`, `made-in-error`."""

    model_config = ConfigDict(extra="forbid")
    reason: forms.Reason


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/referrals", tags=["referrals"])

    @routes.post(
        "",
        status_code=201,
        response_model=ReferralShown,
        responses={200: {"model": ReferralShown, "description": "The same was handed in before"}},
        openapi_extra=described(forms.ReferralForm),
    )
    async def hand_in(request: Request, caller: Writer, once: OnceOnly) -> Response:
        form = await form_of(request, forms.read_referral)
        known = False

        async def work(tx: Tx) -> BaseModel:
            nonlocal known
            [answer] = await take_on(tx, [examine(form.submission(caller.name), tx.now.date())])
            match answer:
                case Refused(problems) if problems[0].code == "reference-reused":
                    raise ConflictError(
                        "This reference was taken on before with other content: amend that referral instead.",
                        code="reference-reused",
                    )
                case Refused(problems):
                    raise RefusedError(problems)
                case Accepted(referral):
                    return await _shown(tx, referral.referral_id)
                case Duplicate(referral_id):
                    known = True
                    return await _shown(tx, referral_id)

        response = await once(work, status=201)
        if known:
            response.status_code = 200
        return response

    @routes.get("")
    async def list_referrals(
        request: Request,
        caller: Reader,
        state: Literal["received", "assigned", "in-contact", "being-helped", "closed"] | None = None,
        hub: Annotated[str | None, Query(max_length=60)] = None,
        source: Annotated[str | None, Query(max_length=200)] = None,
        reference: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: UUID | None = None,
    ) -> ReferralPage:
        async with transactions_of(request).pool.acquire() as connection:
            found = await views.referrals(
                connection,
                state=state,
                hub=hub,
                source=source,
                reference=one_line(reference),
                hubs=caller.visible_hubs,
                caller=caller.name,
                after=after,
                limit=limit,
            )
        return ReferralPage(
            items=[ReferralListed.model_validate(row) for row in found],
            next=found[-1].referral_id if len(found) == limit else None,
        )

    @routes.get("/{referral_id}")
    async def show(request: Request, referral_id: UUID, caller: Reader) -> ReferralShown:
        async with transactions_of(request).begin() as tx:
            must_see(caller, await views.referral(tx.connection, referral_id))
            return await _shown(tx, referral_id)

    @routes.post("/{referral_id}/withdrawal", response_model=ReferralShown)
    async def withdraw(referral_id: UUID, body: Withdrawal, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> BaseModel:
            before = await _locked(tx, referral_id, caller)
            withdrawn = models.ReferralWithdrawn(
                referral_id=referral_id, reason=body.reason, withdrawn_at=tx.now
            )
            after = changes.withdraw(before, body.reason, tx.now)
            await _save(tx, before, after, [journal.tell(tx, withdrawn, lane=before.lane)])
            return await _shown(tx, referral_id)

        return await once(work)

    @routes.post(
        "/{referral_id}/amendments",
        response_model=ReferralShown,
        openapi_extra=described(forms.AmendmentForm),
    )
    async def amend(request: Request, referral_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        form = await form_of(request, lambda raw, today: forms.read(forms.AmendmentForm, raw, today))

        async def work(tx: Tx) -> BaseModel:
            await _amend(tx, await _locked(tx, referral_id, caller), form)
            return await _shown(tx, referral_id)

        return await once(work)

    return routes


async def _amend(tx: Tx, before: Referral, form: forms.AmendmentForm) -> None:
    referral_id = before.referral_id
    amendment = changes.Amendment(form.version, form.add_needs, form.withdraw_needs, form.priority)
    after, added = changes.amend(before, amendment, new_id, tx.now)
    given = form.model_fields_set
    resident = await residents.get(tx.connection, referral_id)
    person = _amended_person(resident.person, form.person)
    notes = free_text(form.notes) if "notes" in given else resident.notes
    consent = form.consent if "consent" in given else resident.consent
    await residents.update(tx.connection, referral_id, residents.Resident(person, notes, consent))
    household, diets, flags = await referrals.particulars(tx.connection, referral_id)
    if "household" in given:
        household = form.household and form.household.household()
    diets = tuple(dict.fromkeys(form.diets)) if form.diets is not None else diets
    flags = flags_for(person, form.flags if form.flags is not None else flags)
    await referrals.save_particulars(tx.connection, referral_id, household, diets, flags)
    amended = models.ReferralAmended(
        referral_id=referral_id,
        version=after.version,
        priority=after.priority,
        postcode=person.sent_postcode,
        household=household,
        needs=contract_needs(after),
        withdrawn_need_ids=amendment.withdraw_needs,
        diets=diets,
        flags=flags,
        amended_at=tx.now,
    )
    entries = [journal.tell(tx, amended, lane=before.lane)]
    entries += [journal.tell(tx, concern) for concern in concerns(referral_id, added, tx.now)]
    await _save(tx, before, after, entries)


def _amended_person(person: Person, form: forms.PersonForm | None) -> Person:
    if form is None:
        return person
    changed = {name: getattr(form, name) for name in form.model_fields_set}
    return tidy_person(replace(person, **changed))


async def _locked(tx: Tx, referral_id: UUID, caller: Caller) -> Referral:
    found = await referrals.lock(tx, [referral_id])
    must_see(caller, await views.referral(tx.connection, referral_id))
    return found[referral_id]


async def _save(tx: Tx, before: Referral, after: Referral, entries: list[Any]) -> None:
    settled, turn = settle(after, tx.now)
    if turn:
        entries.append(journal.tell(tx, turn, lane=before.lane))
        tx.cancel_deadline(ASSIGNMENT_DUE, before.referral_id)
    await timeline.add(tx.connection, entries)
    await referrals.save(tx.connection, {before.referral_id: before}, {before.referral_id: settled}, tx.now)


async def _shown(tx: Tx, referral_id: UUID) -> ReferralShown:
    row = await views.referral(tx.connection, referral_id)
    if row is None:
        raise NotFoundError("There is no such thing.")
    return ReferralShown(
        **row._asdict(),
        needs=[NeedShown(**n._asdict()) for n in await views.needs(tx.connection, referral_id)],
        timeline=[EntryShown(**e._asdict()) for e in await timeline.of_referral(tx.connection, referral_id)],
    )
