"""Sends a case to Community Solutions. The escalation's id is the Idempotency-Key, so the council gets one case.

An attempt ends in one of three ways. The council has the case (`Taken`), it certainly does not have it (`NotTaken`), or
nobody knows (`Unknown`). After `Unknown`, only a retry with the same key tells.

Redirects are not followed: a person's details and our key go to the configured address only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeAlias

import httpx
from msgspec import Struct

from bdcan_escalation.disclosure import Disclosed
from bdcan_escalation.domain.escalation import Escalation


class Taken(Struct, frozen=True):
    """The council's system has the case. Without a case id, its first call-back brings the id."""

    case_id: str | None = None
    reference: str | None = None


class NotTaken(Struct, frozen=True):
    """The council's system does not have the case.

    `refused`: it refuses the case as it is, so a quick retry is useless. `wait`: it asks for this pause, in real time.
    """

    problem: str
    refused: bool = False
    wait: timedelta | None = None


class Unknown(Struct, frozen=True):
    """The case may have arrived. `wait`: the council asks for this pause, in real time."""

    problem: str
    wait: timedelta | None = None


Answer: TypeAlias = Taken | NotTaken | Unknown

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_MOST = 100
"""Characters of a case id or reference at most: more cannot be passed on in an event."""

_LONGEST_WAIT = timedelta(days=1)
"""A longer `Retry-After` counts as this one."""


async def send(
    council: httpx.AsyncClient, escalation: Escalation, disclosed: Disclosed, headers: Mapping[str, str]
) -> Answer:
    """Make one attempt to send a case. `headers` say which trace it belongs to."""
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
        answer = await council.post("/v1/cases", json=case, headers={**headers, **key})
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return NotTaken("council-unreachable")
    except httpx.HTTPError:
        return Unknown("council-silent")
    return _meaning(answer)


def result_of(answer: Answer) -> str:
    """The class of an answer, for the metrics: whose fault it is, and who must act."""
    if isinstance(answer, Taken):
        return "taken"
    name, _, number = answer.problem.partition("-")
    if name != "council":
        return "no-disclosure"
    match number:
        case "unreachable" | "silent" | "unreadable":
            return number
        case "401" | "403":
            return "refused-us"
        case _ if int(number) in _LATER:
            return "busy"
        case _:
            return "refused-case" if int(number) < HTTPStatus.INTERNAL_SERVER_ERROR else "failing"


def _meaning(answer: httpx.Response) -> Answer:
    status, body = answer.status_code, _content(answer)
    named = _named(body)
    problem, wait = f"council-{status}", _wait(answer)
    match status:
        # 409: the council has had the case before, and names it
        case HTTPStatus.OK | HTTPStatus.CREATED | HTTPStatus.ACCEPTED | HTTPStatus.CONFLICT if named:
            return named
        case HTTPStatus.ACCEPTED | HTTPStatus.NO_CONTENT:
            return Taken()
        case HTTPStatus.OK | HTTPStatus.CREATED if not answer.content.strip():
            return Taken()
        case HTTPStatus.CREATED if isinstance(body, dict):
            return Taken()
        case _ if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Unknown("council-unreadable", wait)
        case HTTPStatus.SEE_OTHER:  # it may have done the work before it points elsewhere
            return Unknown(problem, wait)
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return NotTaken(problem, refused=status not in _LATER, wait=wait)
        case _:
            return Unknown(problem, wait)


def _content(answer: httpx.Response) -> Any:
    """The answer's JSON, also behind a byte-order mark; None if it is none."""
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None


def _named(body: Any) -> Taken | None:
    """The case that an answer names, at its top or one level below."""
    if not isinstance(body, dict):
        return None
    for found in (body, *(inner for inner in body.values() if isinstance(inner, dict))):
        if case_id := _id(found.get("case_id")) or _id(found.get("existing_case_id")):
            return Taken(case_id, _id(found.get("reference")) or case_id)
    return None


def _id(value: Any) -> str | None:
    """An id as text; a number counts as the text of its digits."""
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and 0 < len(text) <= _MOST else None


def _wait(answer: httpx.Response) -> timedelta | None:
    """The pause of `Retry-After`: seconds, or an HTTP date."""
    asked = answer.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        wait = timedelta(seconds=int(asked[:9]))
    else:
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - _date_of(answer)
    return min(max(wait, timedelta()), _LONGEST_WAIT)


def _date_of(answer: httpx.Response) -> datetime:
    """When the council wrote the answer, by its own clock if it says so."""
    try:
        written = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)
    return written if written.tzinfo else written.replace(tzinfo=UTC)
