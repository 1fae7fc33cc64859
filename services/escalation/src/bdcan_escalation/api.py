"""Routes for the council's call-backs, and for people who look after escalations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Reason
from bdcan_chassis.http.guard import Routes, terms
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import InvalidError, NotFoundError, UnauthorizedError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_contracts.envelope import Problem
from bdcan_contracts.json_door import JsonLimitError, RepeatedKeyError, read_json
from bdcan_contracts.models import EscalationKind, EscalationStage, Lane, Priority
from bdcan_contracts.vocabulary import EscalationOutcome
from bdcan_escalation import store
from bdcan_escalation.books import Escalations
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.domain.errors import NotAllowedError
from bdcan_escalation.domain.escalation import CallBack, Escalation, Said, State
from bdcan_escalation.metrics import CALL_BACKS
from bdcan_escalation.settings import Settings
from bdcan_escalation.signature import is_genuine

Reader = Annotated[Caller, Depends(needs("escalations:read"))]


def _as_text(value: Any) -> Any:
    """A number counts as the text of its digits."""
    return str(value) if type(value) is int else value


def _as_code(value: Any) -> Any:
    """`NOT_REACHED` is `not-reached`."""
    return value.lower().replace("_", "-") if isinstance(value, str) else value


_Name = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=100)]
_Code = Annotated[Reason, BeforeValidator(_as_code)]


class CallBackBody(BaseModel):
    """A call-back about a case. Unknown fields are ignored, because the council decides what the body holds."""

    model_config = ConfigDict(extra="ignore")
    event_id: Annotated[
        _Name, Field(description="one event of a case keeps its id, however often the council sends it")
    ]
    escalation_id: UUID
    case_id: _Name
    event: Said
    reference: _Name
    reason: _Code | None = None
    outcome: Annotated[
        _Code | None,
        Field(examples=[str(o) for o in EscalationOutcome], description="an unknown one helped nobody"),
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.event is Said.DECLINED and self.reason is None:
            raise ValueError("a case that is declined needs a reason")
        if self.event is Said.CLOSED and self.outcome is None:
            raise ValueError("a case that is closed needs an outcome")
        return self


class CallBackTaken(BaseModel):
    """The escalation's state after the call-back. `repeated`: the call-back had counted before."""

    escalation_id: UUID
    state: State
    repeated: bool


class NeedView(BaseModel):
    """A need of an escalation."""

    need_id: UUID
    code: str
    lane: Lane


class EscalationView(BaseModel):
    """An escalation, without anything about the person."""

    escalation_id: UUID
    referral_id: UUID
    kind: EscalationKind
    needs: list[NeedView]
    hub_id: str | None = None
    priority: Priority
    state: State
    opened_at: datetime
    acknowledge_by: datetime
    due_at: datetime | None = None
    late: EscalationStage | None = None
    attempts: int
    problem: str | None = None
    next_attempt_at: datetime | None = None
    case_id: str | None = None
    reference: str | None = None
    forwarded_at: datetime | None = None
    acknowledged_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    outcome: str | None = None

    @classmethod
    def of(cls, e: Escalation) -> Self:
        """The view of an escalation."""
        return cls(
            escalation_id=e.escalation_id,
            referral_id=e.referral_id,
            kind=e.kind,
            needs=[NeedView(need_id=n.need_id, code=n.code, lane=n.lane) for n in e.needs],
            hub_id=e.hub_id,
            priority=e.priority,
            state=e.state,
            opened_at=e.opened_at,
            acknowledge_by=e.acknowledge_by,
            due_at=e.due_at,
            late=e.late,
            attempts=e.attempts,
            problem=e.problem,
            next_attempt_at=e.next_attempt_at if e.state in cases.UNSENT else None,
            case_id=e.case_id,
            reference=e.reference,
            forwarded_at=e.forwarded_at,
            acknowledged_at=e.acknowledged_at,
            accepted_at=e.accepted_at,
            ended_at=e.ended_at,
            reason=e.reason,
            outcome=e.outcome,
        )


class Summary(BaseModel):
    """The number of escalations by kind and state."""

    escalations: int
    by_state: dict[str, int]
    by_kind_and_state: dict[str, dict[str, int]]
    late: dict[str, int]


def router(settings: Settings) -> Routes:
    """All routes of escalation."""
    routes = Routes(prefix="/v1")
    _call_back_routes(routes, settings)

    @routes.get("/escalations", tags=["escalations"])
    async def list_escalations(
        request: Request, caller: Reader, paging: PageAsked, state: State | None = None
    ) -> Page[EscalationView]:
        """Escalations in the order in which they were opened."""
        opened_at, escalation_id = paging.after(datetime, UUID)
        async with reading(request) as connection:
            found = await store.escalations.FIND.all(
                connection,
                state=state,
                hubs=caller.visible_hubs,
                opened_at=opened_at,
                escalation_id=escalation_id,
                limit=paging.rows,
            )
        return paging.page(found, EscalationView.of, lambda e: (e.opened_at, e.escalation_id))

    @routes.get("/escalations/{escalation_id}", tags=["escalations"])
    async def get_escalation(request: Request, escalation_id: UUID, caller: Reader) -> EscalationView:
        """One escalation."""
        async with reading(request) as connection:
            found = await store.escalations.ESCALATION.get.first(connection, keys=[escalation_id])
        return EscalationView.of(caller.must_see(found))

    @routes.get("/summary", tags=["overview"])
    async def summary(request: Request, caller: Reader) -> Summary:
        """Escalation at a glance. A hub counts its own escalations only."""
        hubs = caller.visible_hubs
        async with reading(request) as connection:
            rows = await store.escalations.SUM_UP.records(connection, hubs=hubs)
            late = await store.escalations.SUM_UP_LATE.pairs(connection, hubs=hubs)
        by_state: dict[str, int] = {}
        by_kind: dict[str, dict[str, int]] = {}
        for kind, state, count in rows:
            by_state[state] = by_state.get(state, 0) + count
            by_kind.setdefault(kind, {})[state] = count
        return Summary(
            escalations=sum(by_state.values()), by_state=by_state, by_kind_and_state=by_kind, late=late
        )

    return routes


def _call_back_routes(routes: Routes, settings: Settings) -> None:
    secrets = settings.callback_secrets

    @routes.post(
        "/call-backs",
        tags=["council"],
        openapi_extra=terms(body=16_000, urgent=True, signed_by="X-Signature")
        | {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": CallBackBody.model_json_schema()}},
            },
            "parameters": [
                {
                    "name": "X-Signature",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "string"},
                    "description": "t=<unix seconds>,v1=<hex HMAC-SHA256 of '<t>.<body>'>",
                }
            ],
        },
    )
    async def call_back(request: Request) -> CallBackTaken:
        """Accept a call-back. Its signature is its only credential. To send the same event again changes nothing."""
        body = await request.body()
        header = ",".join(request.headers.getlist("X-Signature"))
        # real time, not domain time: the tolerance limits how long a recorded call-back could be replayed
        if not is_genuine(header, body, secrets.get(), datetime.now(UTC), settings.callback_tolerance):
            CALL_BACKS.labels("unknown", "unsigned").inc()
            raise UnauthorizedError("The signature is missing, wrong, or too old.")
        try:
            said = _read(body)
        except InvalidError:
            CALL_BACKS.labels("unknown", "unreadable").inc()
            raise
        try:
            taken = await take(request, said)
        except (NotFoundError, NotAllowedError) as error:
            answer = "unknown-case" if isinstance(error, NotFoundError) else "contradiction"
            CALL_BACKS.labels(said.event, answer).inc()
            raise
        CALL_BACKS.labels(said.event, "repeated" if taken.repeated else "taken").inc()
        return taken

    async def take(request: Request, said: CallBackBody) -> CallBackTaken:
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            escalations = Escalations(tx)
            of_case = await escalations.lock(
                store.escalations.LOCK_OF_CASE, escalation_id=said.escalation_id, case_id=said.case_id
            )
            escalation = escalations.get(said.escalation_id)
            if escalation is None:
                raise NotFoundError("There is no such escalation yet. Send the call-back again.")
            known = {
                "case_id": said.case_id,
                "event_id": said.event_id,
                "escalation_id": said.escalation_id,
                "said": said.event,
                "content": said.model_dump_json(),
            }
            first = await store.call_backs.TAKE.value(tx.connection, **known, heard_at=tx.now)
            if first:
                heard = CallBack(said.event, said.case_id, said.reference, said.reason, said.outcome)
                escalation = escalations.put(cases.hear(escalation, heard, tx.now, tx.calendar))
                for other in of_case:
                    if other.escalation_id != said.escalation_id:
                        escalations.put(cases.overhear(other, heard, tx.now, tx.calendar))
                await escalations.save()
            elif not await store.call_backs.SAYS_THE_SAME.value(tx.connection, **known):
                raise NotAllowedError(
                    "Your case had another call-back with this event_id. Give each event an id of its own."
                )
        return CallBackTaken(
            escalation_id=escalation.escalation_id, state=escalation.state, repeated=not first
        )


def _read(body: bytes) -> CallBackBody:
    try:
        content = read_json(body)
    except RepeatedKeyError as error:
        raise InvalidError.of(error.problem_among(CallBackBody.model_fields)) from error
    except JsonLimitError as error:
        raise InvalidError.of(error.problem) from error
    except ValueError as error:
        raise InvalidError.of(Problem("body", "json-invalid", "This is not JSON.")) from error
    try:
        return CallBackBody.model_validate(content)
    except ValidationError as error:
        problems = [
            Problem(".".join(map(str, e["loc"])) or "body", e["type"].replace("_", "-"), e["msg"])
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidError.of(*problems) from error
