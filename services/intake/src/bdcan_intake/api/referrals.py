"""Requests for help: hand one in, see what became of it, withdraw it, amend it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from bdcan_chassis.database import Connection
from bdcan_chassis.http import bodies
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import ConflictError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.typed import one_line
from bdcan_intake import forms, store
from bdcan_intake.admission import Accepted, Duplicate, Refused, take_on
from bdcan_intake.api.common import Reader, Unread, Writer, filled_in, must_see
from bdcan_intake.books import Referrals, Residents
from bdcan_intake.domain import changes
from bdcan_intake.domain.errors import RefusedError
from bdcan_intake.domain.referral import Referral, ReferralState
from bdcan_intake.domain.submission import examine
from bdcan_intake.domain.timeline import Entry


class NeedShown(BaseModel):
    """A need: whose it is, its state, when something must happen."""

    model_config = ConfigDict(from_attributes=True)
    need_id: UUID
    code: str
    lane: str
    state: str
    reason: str | None = None
    owner: str | None = None
    due_at: datetime | None = None


class EntryShown(BaseModel):
    """An entry of the referral's timeline."""

    model_config = ConfigDict(from_attributes=True)
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
    """A referral with its needs and its timeline, the newest entry last."""

    needs: list[NeedShown]
    timeline: list[EntryShown]


class Withdrawal(bodies.Body):
    """Why, as a code: `no-longer-needed`, `moved-away`, `made-in-error`."""

    reason: bodies.Reason


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/referrals", tags=["referrals"])

    @routes.post(
        "",
        status_code=201,
        response_model=ReferralShown,
        responses={200: {"model": ReferralShown, "description": "The same was handed in before"}},
    )
    async def hand_in(
        request: Request,
        caller: Writer,
        once: OnceOnly,
        body: Annotated[Any, Unread(forms.ReferralForm), Body()],
    ) -> Response:
        form = filled_in(request, forms.read_referral, body)
        known = False

        async def work(tx: Tx) -> BaseModel:
            nonlocal known
            referrals = Referrals(tx)
            [answer] = await take_on(referrals, [examine(form.submission(caller.name), tx.now.date())])
            match answer:
                case Refused(problems) if problems[0].code == "reference-reused":
                    raise ConflictError(
                        "This reference was taken on before with other content: amend that referral instead.",
                        code="reference-reused",
                    )
                case Refused(problems):
                    raise RefusedError(problems)
                case Accepted(referral):
                    return _shown(referral, referrals.entered(referral.referral_id))
                case Duplicate(referral_id):
                    known = True
                    return await _found(tx.connection, referral_id, caller)

        response = await once(work, status=201)
        if known:
            response.status_code = 200
        return response

    @routes.get("")
    async def find(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        state: ReferralState | None = None,
        hub: bodies.Slug | None = None,
        source: Annotated[str | None, Query(max_length=200)] = None,
        reference: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Page[ReferralListed]:
        [referral_id] = paging.after(UUID)
        async with reading(request) as connection:
            found = await store.referrals.FIND.all(
                connection,
                state=state,
                hub=hub,
                source=source,
                reference=one_line(reference),
                hubs=caller.visible_hubs,
                caller=caller.name,
                referral_id=referral_id,
                limit=paging.rows,
            )
        return paging.page(found, ReferralListed.model_validate, lambda referral: (referral.referral_id,))

    @routes.get("/{referral_id}")
    async def show(request: Request, referral_id: UUID, caller: Reader) -> ReferralShown:
        async with reading(request) as connection:
            return await _found(connection, referral_id, caller)

    @routes.post("/{referral_id}/withdrawal", response_model=ReferralShown)
    async def withdraw(referral_id: UUID, body: Withdrawal, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> BaseModel:
            referrals = Referrals(tx)
            referral = await _locked(referrals, referral_id, caller)
            return await _changed(referrals, changes.withdraw(referral, body.reason, tx.now))

        return await once(work)

    @routes.post("/{referral_id}/amendments", response_model=ReferralShown)
    async def amend(
        request: Request,
        referral_id: UUID,
        caller: Writer,
        once: OnceOnly,
        body: Annotated[Any, Unread(forms.AmendmentForm), Body()],
    ) -> Response:
        amendment = filled_in(request, forms.read_amendment, body).amendment()

        async def work(tx: Tx) -> BaseModel:
            referrals, residents = Referrals(tx), Residents(tx)
            referral = await _locked(referrals, referral_id, caller)
            [known] = await residents.lock_keys([referral_id])
            resident = residents.put(changes.amend_resident(known, amendment, tx.now.date()))
            await residents.save()
            step = changes.amend(referral, resident, amendment, new_id, tx.now)
            return await _changed(referrals, step)

        return await once(work)

    return routes


async def _locked(referrals: Referrals, referral_id: UUID, caller: Caller) -> Referral:
    await referrals.lock_keys([referral_id])
    return must_see(caller, referrals.get(referral_id))


async def _changed(referrals: Referrals, step: Step[Referral]) -> ReferralShown:
    """Save a change and answer with the referral as it is now."""
    after = referrals.put(step)
    await referrals.save()
    return _shown(after, await _timeline(referrals.tx.connection, after.referral_id))


async def _found(connection: Connection, referral_id: UUID, caller: Caller) -> ReferralShown:
    found = await store.referrals.REFERRAL.find(connection, [referral_id])
    referral = must_see(caller, found[0] if found else None)
    return _shown(referral, await _timeline(connection, referral_id))


async def _timeline(connection: Connection, referral_id: UUID) -> list[Entry]:
    return await store.timeline.OF_REFERRAL.all(connection, referral_id=referral_id)


def _shown(referral: Referral, entries: Iterable[Entry]) -> ReferralShown:
    listed = {name: getattr(referral, name) for name in ReferralListed.model_fields}
    return ReferralShown.model_validate(
        {**listed, "needs": referral.needs, "timeline": list(entries)}, from_attributes=True
    )
