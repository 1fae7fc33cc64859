"""What several routes share: reading a form with the service's own clock, and whose referral it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.problems import ApiError, InvalidError, NotFoundError
from bdcan_chassis.transaction import Transactions
from bdcan_contracts.envelope import Problem
from bdcan_intake.domain.referral import Referral

F = TypeVar("F", bound=BaseModel)

Reader = Annotated[Caller, Depends(needs("referrals:read"))]
Writer = Annotated[Caller, Depends(needs("referrals:write"))]


class BadJsonError(ApiError):
    """The body is not JSON."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad-json"


def transactions_of(request: Request) -> Transactions:
    """The service's units of work."""
    return request.app.state.transactions


async def form_of(request: Request, read: Callable[[Any, date], F | list[Problem]]) -> F:
    """The body as a form. Raises BadJsonError, or InvalidError with every field at fault."""
    try:
        raw = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise BadJsonError("The body is not JSON.") from None
    form = read(raw, transactions_of(request).clock.now().date())
    if isinstance(form, list):
        raise InvalidError(f"{len(form)} field(s) at fault.", errors=form)
    return form


def described(form: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` for a route that reads its form itself."""
    schema = form.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _inlined(schema, schema.pop("$defs", {}))}},
        }
    }


def must_see(caller: Caller, referral: Referral | None) -> Referral:
    """The referral, if it is the caller's business: of their hub, or handed in by them. Raises NotFoundError."""
    if referral is None:
        raise NotFoundError("There is no such thing.")
    if referral.source != caller.name:
        caller.must_see_hub(referral.hub_id)
    return referral


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if reference := node.get("$ref"):
        rest = {k: v for k, v in node.items() if k != "$ref"}
        return _inlined(definitions[reference.rpartition("/")[2]] | rest, definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}
