"""What a person has a right to: to see all that the five services hold about them, and to be erased."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import requests

from bdcan_local.errors import PlatformError


def export(
    urls: dict[str, str], headers: dict[str, str], referral_ids: Sequence[str], reason: str
) -> dict[str, Any]:
    """What each service holds about these referrals, by service. Raises PlatformError if one does not answer."""
    asked = {"referral_ids": list(referral_ids), "reason": reason}
    return {
        service: post(f"{url}/v1/rights/exports", headers, asked)["holds"] for service, url in urls.items()
    }


def erase(
    url: str, headers: dict[str, str], referral_ids: Sequence[str], enquiry_ids: Sequence[str], reason: str
) -> dict[str, Any]:
    """Ask intake to erase a person; returns the request. Raises PlatformError."""
    asked = {"referral_ids": list(referral_ids), "enquiry_ids": list(enquiry_ids), "reason": reason}
    return post(f"{url}/v1/rights/erasures", headers, asked)


def as_text(exported: dict[str, Any], say: Callable[[str], None]) -> None:
    """An export as a person reads it."""
    for service, holds in exported.items():
        for held in holds:
            say(f"{service}, referral {held['referral_id']}")
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
