"""What a person has a right to: to see all that the five services hold about them, and to be erased."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import requests

from bdcan_local.errors import PlatformError


def whom(
    referral_ids: Sequence[str] = (), enquiry_ids: Sequence[str] = (), volunteer_ids: Sequence[str] = ()
) -> dict[str, list[str]]:
    """A person, by every id that is theirs."""
    return {
        "referral_ids": list(referral_ids),
        "enquiry_ids": list(enquiry_ids),
        "volunteer_ids": list(volunteer_ids),
    }


def export(
    urls: dict[str, str], headers: dict[str, str], person: dict[str, list[str]], reason: str
) -> dict[str, Any]:
    """What each service holds about a person, by service. Raises PlatformError if one does not answer."""
    asked = {**person, "reason": reason}
    return {
        service: post(f"{url}/v1/rights/exports", headers, asked)["holds"] for service, url in urls.items()
    }


def erase(url: str, headers: dict[str, str], person: dict[str, list[str]], reason: str) -> dict[str, Any]:
    """Ask intake to erase a person; returns the request. Raises PlatformError."""
    return post(f"{url}/v1/rights/erasures", headers, {**person, "reason": reason})


def as_text(exported: dict[str, Any], say: Callable[[str], None]) -> None:
    """An export as a person reads it."""
    for service, holds in exported.items():
        for held in holds:
            what = "referral" if held["referral_id"] else "volunteer"
            say(f"{service}, {what} {held['subject_id']}")
            for kind, rows in held["records"].items():
                for row in rows:
                    said = {name: value for name, value in row.items() if value not in (None, [], {}, "")}
                    say(f"  {kind}: " + "; ".join(f"{name}: {value}" for name, value in said.items()))
            for seen in held["seen"]:
                say(
                    f"  seen on {seen['at']} by {seen['actor']}: {seen['act']}, {seen['detail']}, {seen['reason']}"
                )


def post(url: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    """What a service answers. Raises PlatformError."""
    try:
        answer = requests.post(url, json=body, headers=headers, timeout=30)
    except requests.RequestException as error:
        raise PlatformError(
            f"{url} does not answer", "Look at `bdcan status`, and ask again: nothing is lost."
        ) from error
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise PlatformError(
            f"{url} answered {answer.status_code}: {answer.text[:500]}",
            "Correct what it names, and ask again.",
        )
    return answer.json() if answer.content else {}
