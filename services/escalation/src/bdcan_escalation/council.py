"""Sends a case to Community Solutions. The escalation's id is the Idempotency-Key, so the council gets one case.

An attempt ends in one of three ways. The council has the case (`Taken`), it certainly does not have it (`NotTaken`), or
nobody knows (`Unknown`). After `Unknown`, only a retry with the same key tells.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeAlias

import httpx
from msgspec import Struct

from bdcan_escalation.disclosure import Disclosed
from bdcan_escalation.domain.escalation import Escalation


class Taken(Struct, frozen=True):
    """The council's system has the case."""

    case_id: str
    reference: str


class NotTaken(Struct, frozen=True):
    """The council's system does not have the case. `refused`: it refuses the case as it is, so a quick retry is useless."""

    problem: str
    refused: bool = False


class Unknown(Struct, frozen=True):
    """The case may have arrived."""

    problem: str


Answer: TypeAlias = Taken | NotTaken | Unknown

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_MOST = 100
"""Characters of a case id or reference at most: more cannot be passed on in an event."""


async def send(council: httpx.AsyncClient, escalation: Escalation, disclosed: Disclosed) -> Answer:
    """Make one attempt to send a case."""
    case: dict[str, Any] = {
        "escalation_id": str(escalation.escalation_id),
        "kind": escalation.kind,
        "codes": [n.code for n in escalation.needs],
        "priority": escalation.priority,
        "person": disclosed.person,
    }
    if disclosed.household is not None:
        case["household"] = disclosed.household
    key = {"Idempotency-Key": str(escalation.escalation_id)}
    try:
        answer = await council.post("/v1/cases", json=case, headers=key)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return NotTaken("council-unreachable")
    except httpx.HTTPError:
        return Unknown("council-silent")
    status = answer.status_code
    if status in {HTTPStatus.OK, HTTPStatus.CREATED}:
        return _read(answer)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotTaken(f"council-{status}", refused=status not in _LATER)
    return Unknown(f"council-{status}")


def _read(answer: httpx.Response) -> Answer:
    try:
        body = answer.json()
        case_id, reference = body["case_id"], body.get("reference") or body["case_id"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return Unknown("council-unreadable")
    if not all(isinstance(x, str) and 0 < len(x) <= _MOST for x in (case_id, reference)):
        return Unknown("council-unreadable")
    return Taken(case_id, reference)
