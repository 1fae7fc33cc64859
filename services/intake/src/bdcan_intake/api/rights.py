"""The right to be erased: an officer asks once, and sees what each service answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from bdcan_chassis.audit import Act
from bdcan_chassis.erasure import Erasure as Requested
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import Reason
from bdcan_intake import store
from bdcan_intake.books import Enquiries, Erasures, Referrals
from bdcan_intake.domain import changes, rights
from bdcan_intake.domain.referral import Referral
from bdcan_intake.erasing import ERASER

Officer = Annotated[Caller, Depends(needs("rights:write"))]
Looker = Annotated[Caller, Depends(needs("rights:read"))]


class ErasureAsked(Body):
    """Whom it is about, by every id that is theirs. Other referrals that may be theirs are listed in the answer, and are not erased."""

    referral_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    enquiry_ids: Annotated[tuple[UUID, ...], Field(max_length=10)] = ()
    volunteer_ids: Annotated[
        tuple[UUID, ...], Field(max_length=10, description="as volunteer-match's list has them")
    ] = ()
    reason: Annotated[Slug, Field(description="a code, such as resident-asked or court-order")]

    @model_validator(mode="after")
    def _names_somebody(self) -> ErasureAsked:
        if not (self.referral_ids or self.enquiry_ids or self.volunteer_ids):
            raise ValueError("name a referral, an enquiry or a volunteer")
        return self


class AnswerView(BaseModel):
    """What a service has said: `rows` went, by kind of record; `keeps` stays without the person; it `waits_for` open work."""

    referral_id: UUID
    service: str
    erased: bool
    answered_at: datetime
    waits_for: list[str]
    rows: dict[str, int]
    keeps: list[str]


class MissingView(BaseModel):
    """A service that has not erased a referral yet."""

    referral_id: UUID
    service: str


class ErasureView(BaseModel):
    """A request to be erased: the receipt, once it is `done`."""

    erasure_id: UUID
    state: rights.State
    overdue: bool
    reason: str
    asked_by: str
    referral_ids: list[UUID]
    waits_for_enquiries: list[UUID]
    waits_for_volunteers: list[UUID]
    unknown_volunteers: Annotated[
        list[UUID], Field(description="nobody of that id is known: there was nothing to erase")
    ]
    requested_at: datetime
    erase_by: Annotated[datetime, Field(description="open work is waited for until then")]
    due_at: Annotated[datetime, Field(description="all services must have answered by then")]
    ended_at: datetime | None = None
    answers: list[AnswerView]
    missing: list[MissingView]

    @classmethod
    def of(cls, erasure: rights.Erasure) -> ErasureView:
        """The view of a request."""
        return cls(
            erasure_id=erasure.erasure_id,
            state=erasure.state,
            overdue=erasure.overdue,
            reason=erasure.reason,
            asked_by=erasure.asked_by,
            referral_ids=list(erasure.referral_ids),
            waits_for_enquiries=list(erasure.enquiry_ids),
            waits_for_volunteers=list(erasure.volunteer_ids),
            unknown_volunteers=list(erasure.unknown_ids),
            requested_at=erasure.requested_at,
            erase_by=erasure.erase_by,
            due_at=erasure.due_at,
            ended_at=erasure.ended_at,
            answers=[
                AnswerView(
                    referral_id=one.referral_id,
                    service=one.service,
                    erased=one.erased,
                    answered_at=one.answered_at,
                    waits_for=list(one.waits_for),
                    rows=one.rows,
                    keeps=list(one.keeps),
                )
                for one in erasure.answers
            ],
            missing=[MissingView(referral_id=i, service=service) for i, service in erasure.missing],
        )


class ErasureTaken(BaseModel):
    """The request is on record. `may_be_theirs`: referrals that may be about the same person, and that it does not cover."""

    erasure: ErasureView
    may_be_theirs: list[UUID]


def router() -> Routes:
    """The routes."""
    routes = Routes(prefix="/v1/rights/erasures", tags=["rights"])

    @routes.post("", status_code=201, response_model=ErasureTaken)
    async def ask(body: ErasureAsked, caller: Officer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> BaseModel:
            referrals, enquiries, erasures = Referrals(tx), Enquiries(tx), Erasures(tx)
            found = await referrals.lock_keys(body.referral_ids)
            known = await store.enquiries.IDS_OF_VOLUNTEERS.pairs(
                tx.connection, volunteer_ids=body.volunteer_ids
            )
            enquired = await enquiries.lock(
                store.enquiries.ENQUIRY.lock, keys={*body.enquiry_ids, *known.values()}
            )
            if len(found) < len(set(body.referral_ids)) or len(enquired) < len(
                {*body.enquiry_ids, *known.values()}
            ):
                raise NotFoundError
            for one in (*body.referral_ids, *body.enquiry_ids, *body.volunteer_ids):
                tx.audit(Act.PERSON_ERASED, caller.name, one, body.reason)
            strangers = set(body.volunteer_ids) - known.keys()
            erasure = erasures.put(
                rights.ask(new_id(), found, enquired, body.reason, caller.name, tx.now, strangers)
            )
            for referral in found:
                if referral.open and not referral.withdrawn_reason:
                    referrals.put(changes.withdraw(referral, Reason.PERSON_ERASED, tx.now))
                referrals.put(rights.ask_of(referrals[referral.referral_id], erasure))
            for enquiry in enquired:
                if enquiry.erased_at is None:
                    enquiries.put(rights.ask_of_enquiry(enquiry, erasure))
            await erasures.save()
            await referrals.save()
            await enquiries.save()
            await ERASER.request(
                tx,
                [
                    Requested(i, erasure.erasure_id, erasure.requested_at, erasure.erase_by)
                    for i in erasure.referral_ids
                ],
            )
            return ErasureTaken(erasure=ErasureView.of(erasure), may_be_theirs=_others(found))

        return await once(work, status=201)

    @routes.get("")
    async def listed(
        request: Request, _caller: Looker, paging: PageAsked, state: rights.State | None = None
    ) -> Page[ErasureView]:
        due_at, erasure_id = paging.after(datetime, UUID)
        async with reading(request) as connection:
            found = await store.erasures.FIND.all(
                connection, state=state, due_at=due_at, erasure_id=erasure_id, limit=paging.rows
            )
        return paging.page(found, ErasureView.of, lambda one: (one.due_at, one.erasure_id))

    @routes.get("/{erasure_id}")
    async def receipt(request: Request, erasure_id: UUID, _caller: Looker) -> ErasureView:
        async with reading(request) as connection:
            found = await store.erasures.ERASURE.get.first(connection, keys=[erasure_id])
        if found is None:
            raise NotFoundError
        return ErasureView.of(found)

    return routes


def _others(referrals: list[Referral]) -> list[UUID]:
    """Referrals that are linked to these, and are none of them."""
    linked = {
        other
        for one in referrals
        for other in (
            *one.same_person_ids,
            *one.earlier_referral_ids,
            one.previous_referral_id,
            one.next_referral_id,
        )
        if other is not None
    }
    return sorted(linked - {one.referral_id for one in referrals})
