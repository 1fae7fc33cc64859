"""The right to see what is held: every service answers with all that it has about some subjects, and who saw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, Field

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
    """Whom it is about. `reason` goes to the audit."""

    referral_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50)]
    reason: Annotated[Text, Field(min_length=3, max_length=300)]


class Seen(BaseModel):
    """Somebody saw or did something: `detail` says for which purpose, and which fields."""

    at: str
    actor: str
    act: str
    detail: dict[str, Any]
    reason: str


class Held(BaseModel):
    """What the service holds about one referral: rows by kind of record, as they are in its tables; and who saw it."""

    referral_id: UUID
    records: dict[str, list[dict[str, Any]]]
    seen: list[Seen]


class Export(BaseModel):
    """All that one service holds."""

    service: str
    holds: list[Held]


def rights_router(service: str, kinds: Sequence[Kept]) -> Routes:
    """The route, the same in every service."""
    router = Routes(prefix="/v1/rights", tags=["rights"])

    @router.post("/exports")
    async def export(
        request: Request, body: ExportAsked, caller: Annotated[Caller, Depends(needs("rights:read"))]
    ) -> Export:
        # the answer is about a person and is kept nowhere: no Idempotency-Key
        holds = []
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            for referral_id in dict.fromkeys(body.referral_ids):
                records = {
                    kind.name: [orjson.loads(row["held"]) for row in found]
                    for kind in kinds
                    if kind.about
                    and (found := await kind.held.records(tx.connection, subject_ids=[referral_id]))
                }
                seen = await audit.find(tx.connection, subject_id=referral_id, limit=MOST_SEEN)
                holds.append(
                    Held(
                        referral_id=referral_id,
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
                tx.audit(Act.PERSON_EXPORTED, caller.name, referral_id, body.reason)
        return Export(service=service, holds=holds)

    return router
