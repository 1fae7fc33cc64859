"""The right to see what is held: every service answers with all that it has about some subjects, and who saw it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, Field, model_validator

from bdcan_chassis import audit
from bdcan_chassis.audit import Act
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import transactions_of
from bdcan_chassis.retention import Kept

MOST_SEEN = 1000
"""Rows of the audit about one subject that an export shows at most, the newest."""


class ExportAsked(Body):
    """Whom it is about, by every id that is theirs. `reason` goes to the audit."""

    referral_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    enquiry_ids: Annotated[tuple[UUID, ...], Field(max_length=10, description="of volunteers")] = ()
    volunteer_ids: Annotated[tuple[UUID, ...], Field(max_length=10)] = ()
    reason: Annotated[Text, Field(min_length=3, max_length=300)]

    @model_validator(mode="after")
    def _names_somebody(self) -> ExportAsked:
        if not (self.referral_ids or self.enquiry_ids or self.volunteer_ids):
            raise ValueError("name a referral, an enquiry or a volunteer")
        return self


class Seen(BaseModel):
    """Somebody saw or did something: `detail` says for which purpose, and which fields."""

    at: str
    actor: str
    act: str
    detail: dict[str, Any]
    reason: str


class Held(BaseModel):
    """What the service holds about one subject: rows by kind of record, as they are in its tables; and who saw it.

    The subject is a referral, an enquiry or a volunteer.
    """

    subject_id: UUID
    referral_id: Annotated[UUID | None, Field(description="the subject, where it is a referral")] = None
    records: dict[str, list[dict[str, Any]]]
    seen: list[Seen]


class Export(BaseModel):
    """All that one service holds."""

    service: str
    holds: list[Held]


def rights_router(
    service: str, kinds: Sequence[Kept], known_as: Callable[[UUID], UUID] | None = None
) -> Routes:
    """The route, the same in every service. `known_as`: the id under which it knows whoever sent an enquiry."""
    router = Routes(prefix="/v1/rights", tags=["rights"])

    @router.post("/exports")
    async def export(
        request: Request, body: ExportAsked, caller: Annotated[Caller, Depends(needs("rights:read"))]
    ) -> Export:
        # the answer is about a person and is kept nowhere: no Idempotency-Key
        holds = []
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            for subject_id in dict.fromkeys((*body.referral_ids, *body.enquiry_ids, *body.volunteer_ids)):
                subject_ids = [subject_id]
                if known_as and subject_id in body.enquiry_ids:
                    subject_ids.append(known_as(subject_id))
                records = {
                    kind.name: [orjson.loads(row["held"]) for row in found]
                    for kind in kinds
                    if kind.about
                    and (found := await kind.held.records(tx.connection, subject_ids=subject_ids))
                }
                seen = await audit.find(tx.connection, subject_id=subject_id, limit=MOST_SEEN)
                holds.append(
                    Held(
                        subject_id=subject_id,
                        referral_id=subject_id if subject_id in body.referral_ids else None,
                        records=records,
                        seen=[
                            Seen(
                                at=row.at.isoformat(),
                                actor=row.actor,
                                act=row.act,
                                detail=orjson.loads(row.detail),
                                reason=row.reason,
                            )
                            for row in seen
                        ],
                    )
                )
                tx.audit(Act.PERSON_EXPORTED, caller.name, subject_id, body.reason)
        return Export(service=service, holds=holds)

    return router
