"""Asks intake who a referral is about, just before its case is sent. The answer is neither kept nor logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
from msgspec import Struct


class DisclosureError(Exception):
    """Intake did not disclose the person. `problem` is a code. Nothing has been sent to the council."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Disclosed(Struct, frozen=True):
    """What the council needs about the person and the household."""

    person: dict[str, Any]
    household: dict[str, Any] | None


async def disclose(
    intake: httpx.AsyncClient, referral_id: UUID, reason: str, headers: Mapping[str, str]
) -> Disclosed:
    """Make one attempt. `headers` say which trace it belongs to. Raises DisclosureError."""
    try:
        answer = await intake.post(
            "/v1/disclosures",
            json={"referral_id": str(referral_id), "purpose": "escalation", "reason": reason},
            headers=headers,
        )
        if answer.status_code not in {200, 201}:
            raise DisclosureError(f"disclosure-{answer.status_code}")
        body = answer.json()
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise DisclosureError("disclosure-unavailable") from error
    fields = body.get("fields", body) if isinstance(body, dict) else None
    if not isinstance(fields, dict):
        raise DisclosureError("disclosure-unreadable")
    person = {k: v for k, v in fields.items() if k in _PERSON and v is not None}
    return Disclosed(person, fields.get("household"))


_PERSON = frozenset(
    {
        "name",
        "phone",
        "phone_e164",
        "email",
        "birth_date",
        "nhs_number",
        "address",
        "postcode",
        "flags",
        "notes",
        "consent",
        "unclear",
    }
)
