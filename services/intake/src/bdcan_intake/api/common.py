"""What several routes share: who may call, reading a form by the local date, and whose referral it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from bdcan_chassis.http.auth import Authentication, Caller, needs
from bdcan_chassis.http.bodies import SLUG
from bdcan_chassis.http.document import FORM
from bdcan_chassis.http.problems import ForbiddenError, InvalidError, NotFoundError
from bdcan_chassis.http.reading import transactions_of
from bdcan_contracts.envelope import Problem
from bdcan_intake.domain.audience import may_not_know
from bdcan_intake.domain.changes import NOT_OPEN
from bdcan_intake.domain.errors import NotAllowedError
from bdcan_intake.domain.referral import Referral

F = TypeVar("F", bound=BaseModel)

Reader = Annotated[Caller, Depends(needs("referrals:read"))]
Writer = Annotated[Caller, Depends(needs("referrals:write"))]


Amender = Annotated[Caller, Depends(needs("referrals:write", "referrals:amend"))]
"""Who may correct what a referral says and add notes; a hub's people may, without handing in referrals."""


DryRun = Annotated[bool, Query(description="answer as if, and store nothing")]


class _Submitting(Authentication):
    async def __call__(self, request: Request) -> Caller:
        """Who calls. Raises ForbiddenError for a source that is none of theirs, before the body is read."""
        caller = await super().__call__(request)
        asked = request.query_params.get("source")
        if not asked or re.fullmatch(SLUG, asked):  # the route names what is wrong with any other
            source_of(request, caller, asked)
        return caller


Sender = Annotated[Caller, Depends(_Submitting("referrals:write"))]
"""Who may submit as the source that the query names."""


@dataclass(frozen=True)
class Unread:
    """Marks a body that is documented as a form, and that the route reads itself, because a form needs today's date."""

    form: type[BaseModel]

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Any JSON. Bytes are what FastAPI hands over of another media type."""
        return core_schema.no_info_plain_validator_function(_json)

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The form's."""
        return {**handler(self.form.__pydantic_core_schema__), FORM: self.form.__name__}


def filled_in(request: Request, read: Callable[[Any, date], F | list[Problem]], body: Any) -> F:
    """The body as a form. Raises InvalidError with every field at fault."""
    form = read(body, transactions_of(request).today)
    if isinstance(form, list):
        raise InvalidError.of(*form)
    return form


def source_of(request: Request, caller: Caller, asked: str | None) -> str:
    """Whom a caller submits as: the source that they name, or the first of theirs.

    Raises ForbiddenError for any other, and for a source of a revoked upstream system. A source's references are its own:
    whoever could submit as another would learn what it has sent, and block it.
    """
    source = asked or next(iter(caller.sources), None)
    if source is None:
        raise ForbiddenError("This account submits for no source. Whoever gave it out must name its source.")
    if source not in caller.sources:
        own = f" Name one of its own, or none: {', '.join(caller.sources)}." if caller.sources else ""
        raise ForbiddenError(f"This account does not submit for that source.{own}")
    upstream = transactions_of(request).upstreams().of_source(source)
    if upstream is not None and upstream.revoked_at is not None:
        raise ForbiddenError(
            "The system that submits for this source was revoked. Ask whoever runs this platform to let it in again."
        )
    return source


def must_see(caller: Caller, referral: Referral | None) -> Referral:
    """The referral, if the caller handed it in or works for its hub. Raises NotFoundError otherwise."""
    if referral is None:
        raise NotFoundError
    if referral.source not in caller.sources:
        caller.must_see_hub(referral.hub_id)
    return referral


def must_see_needs(caller: Caller, referral: Referral, need_ids: Iterable[UUID]) -> None:
    """Raise NotAllowedError, in the words for a need that is not open, if the caller may not see one of these needs."""
    if not caller.sees_hub(referral.hub_id) and may_not_know(referral, need_ids):
        raise NotAllowedError(NOT_OPEN)


def _json(body: Any) -> Any:
    if isinstance(body, bytes):
        raise ValueError("no JSON")  # noqa: TRY004 # pydantic makes a validation error of it
    return body
