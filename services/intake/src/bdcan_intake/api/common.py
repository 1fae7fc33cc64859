"""What several routes share: who may call, reading a form with the service's own clock, and whose referral it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import transactions_of
from bdcan_contracts.envelope import Problem
from bdcan_intake.domain.referral import Referral

F = TypeVar("F", bound=BaseModel)

Reader = Annotated[Caller, Depends(needs("referrals:read"))]
Writer = Annotated[Caller, Depends(needs("referrals:write"))]


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
        return handler(self.form.__pydantic_core_schema__)


def filled_in(request: Request, read: Callable[[Any, date], F | list[Problem]], body: Any) -> F:
    """The body as a form. Raises InvalidError with every field at fault."""
    form = read(body, transactions_of(request).clock.now().date())
    if isinstance(form, list):
        raise InvalidError.of(*form)
    return form


def must_see(caller: Caller, referral: Referral | None) -> Referral:
    """The referral, if the caller handed it in or works for its hub. Raises NotFoundError otherwise."""
    if referral is None:
        raise NotFoundError
    if referral.source != caller.name:
        caller.must_see_hub(referral.hub_id)
    return referral


def _json(body: Any) -> Any:
    if isinstance(body, bytes):
        raise ValueError("no JSON")  # noqa: TRY004 # pydantic makes a validation error of it
    return body
