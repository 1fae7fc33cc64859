"""Checks that people of the hubs have seen: what the law requires for some tasks. Each counts for the hub that has seen it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import Body, Reason, Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.shared import sees_volunteer
from bdcan_volunteer_match.api.volunteers import (
    Reader,
    VolunteerView,
    Writer,
    locked_volunteer,
    save_volunteer,
)
from bdcan_volunteer_match.books import Volunteers
from bdcan_volunteer_match.domain import volunteer as volunteering
from bdcan_volunteer_match.domain.volunteer import Volunteer
from bdcan_volunteer_match.store.volunteers import Evidence

CheckKind = Literal["enhanced-dbs", "enhanced-dbs-with-barred-lists"]


class CheckBody(Body):
    """An enhanced DBS check that somebody of the hub has seen. It counts for the hubs that are named."""

    kind: CheckKind
    reference: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z]{0,10}[/-]?[0-9][0-9/-]{0,30}$",
            description="of the certificate or the file, such as DBS-001234567890; never a name",
        ),
    ]
    issued_on: date
    seen_on: date
    valid_until: AwareDatetime | None = Field(default=None, description="the check is in force until then")
    hub_ids: list[Slug] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="left out: all hubs of the volunteer that the caller sees",
    )


class CheckWithdrawal(Body):
    """Why the check does not count any more, as a code."""

    reason: Reason
    hub_ids: list[Slug] | None = Field(default=None, min_length=1, max_length=50)


class EvidenceView(BaseModel):
    """What was recorded of a check, by which account, and when."""

    model_config = ConfigDict(from_attributes=True)
    hub_id: str
    kind: str
    reference: str | None = None
    issued_on: date | None = None
    seen_on: date | None = None
    valid_until: datetime | None = None
    reason: str | None = None
    caller: str
    recorded_at: datetime


class Evidences(BaseModel):
    """The history of a volunteer's check at the caller's hubs, the newest last."""

    items: list[EvidenceView]


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/volunteers", tags=["volunteers"])

    @router.post("/{volunteer_id}/checks", status_code=201, response_model=VolunteerView)
    async def record_check(volunteer_id: UUID, body: CheckBody, caller: Writer, once: OnceOnly) -> Response:
        """Record a check that somebody of the hub has seen. It counts for these hubs alone."""

        async def work(tx: Tx) -> BaseModel:
            _must_be_seen(body, tx)
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            hubs = _hubs_of(volunteer, body.hub_ids, caller)
            step = volunteering.record_check(volunteer, hubs, body.valid_until, tx.now)
            rows = [
                Evidence(
                    volunteer_id,
                    hub_id,
                    body.kind,
                    caller.name,
                    body.reference,
                    body.issued_on,
                    body.seen_on,
                    body.valid_until,
                )
                for hub_id in hubs
            ]
            await store.volunteers.EVIDENCE.insert(tx.connection, rows, tx.now)
            return await save_volunteer(volunteers, step, caller)

        return await once(work, status=201)

    @router.post("/{volunteer_id}/checks/withdrawal", response_model=VolunteerView)
    async def withdraw_check(
        volunteer_id: UUID, body: CheckWithdrawal, caller: Writer, once: OnceOnly
    ) -> Response:
        """The check does not count any more for these hubs. What requires one goes to others at once."""

        async def work(tx: Tx) -> BaseModel:
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            hubs = _hubs_of(volunteer, body.hub_ids, caller)
            step = volunteering.withdraw_check(volunteer, hubs, tx.now)
            rows = [
                Evidence(volunteer_id, hub_id, "withdrawn", caller.name, reason=body.reason)
                for hub_id in hubs
            ]
            await store.volunteers.EVIDENCE.insert(tx.connection, rows, tx.now)
            return await save_volunteer(volunteers, step, caller)

        return await once(work)

    @router.get("/{volunteer_id}/checks", response_model_exclude_none=True)
    async def list_checks(volunteer_id: UUID, request: Request, caller: Reader) -> Evidences:
        """What people of the caller's hubs have recorded of a volunteer's check."""
        async with reading(request) as connection:
            found = await store.volunteers.VOLUNTEER.get.first(connection, keys=[volunteer_id])
            if not sees_volunteer(caller, found):
                raise NotFoundError
            rows = await store.volunteers.CHECKS_OF.all(
                connection, volunteer_id=volunteer_id, hubs=caller.visible_hubs
            )
        return Evidences(items=list(map(EvidenceView.model_validate, rows)))

    return router


def _must_be_seen(body: CheckBody, tx: Tx) -> None:
    """Raise InvalidError for a check that is over, or that somebody has seen before it was issued or in the future."""
    problems: list[Problem] = []
    if body.valid_until is not None and body.valid_until <= tx.now:
        problems.append(Problem("valid_until", "past", "must lie ahead"))
    if body.seen_on > tx.today:
        problems.append(Problem("seen_on", "future", "must not lie ahead"))
    if body.issued_on > body.seen_on:
        problems.append(
            Problem("issued_on", "too-late", "must not be later than the day on which it was seen")
        )
    if problems:
        raise InvalidError.of(*problems)


def _hubs_of(volunteer: Volunteer, asked: list[str] | None, caller: Caller) -> list[str]:
    """The volunteer's hubs that a check is about: those that the caller names, who must see them, or all that they see."""
    mine = [hub_id for hub_id in volunteer.hub_ids if caller.sees_hub(hub_id)]
    if asked is None:
        return mine
    problems = [
        Problem(f"hub_ids.{place}", "unknown", "is not a hub of yours that the volunteer helps")
        for place, hub_id in enumerate(asked)
        if hub_id not in mine
    ]
    if problems:
        raise InvalidError.of(*problems)
    return list(dict.fromkeys(asked))
