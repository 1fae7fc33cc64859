"""Text messages, by GOV.UK Notify's HTTP API.

`reference` is our id. After an attempt whose end is unknown, Notify is asked for it first, so that nobody gets a text twice.
https://docs.notifications.service.gov.uk/rest-api.html
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from bdcan_chassis.http.clients import private_client
from bdcan_chassis.messages.answers import Answer, NotNow, Refused, Sent
from bdcan_chassis.messages.message import Message
from bdcan_chassis.messages.settings import MessageSettings
from bdcan_chassis.messages.templates import Rendered

_ID_LENGTH = 36
"""A key of Notify ends in the service's id, a dash, and the secret, which is a UUID as well."""


def is_on(settings: MessageSettings) -> bool:
    """Whether text messages can be sent."""
    return bool(settings.notify_key.get_secret_value() and settings.notify_templates)


def notify_client(settings: MessageSettings) -> httpx.AsyncClient:
    """A client of Notify's API."""
    return private_client(settings.notify_url, settings.notify_timeout)


async def send_text(
    notify: httpx.AsyncClient, settings: MessageSettings, message: Message, to: str, rendered: Rendered
) -> Answer:
    """Make one attempt."""
    templates = settings.notify_templates
    names = (f"{message.kind}.{rendered.language}", message.kind, "*")
    template_id = next((templates[name] for name in names if name in templates), None)
    if template_id is None:
        return NotNow("notify-no-template")
    if message.in_doubt:
        before = await _ask_for(notify, settings, message)
        if before is not None:
            return before
    try:
        answer = await notify.post(
            "/v2/notifications/sms",
            headers=_authorization(settings),
            json={
                "phone_number": to,
                "template_id": template_id,
                "reference": str(message.message_id),
                "personalisation": {"message": rendered.body.strip()},
            },
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return NotNow("notify-away")
    except httpx.HTTPError:
        return NotNow("notify-silent", in_doubt=True)
    return _meaning(answer)


async def _ask_for(
    notify: httpx.AsyncClient, settings: MessageSettings, message: Message
) -> Sent | NotNow | None:
    """What Notify knows of an earlier attempt; None where it knows nothing, so that the text may be sent."""
    try:
        answer = await notify.get(
            "/v2/notifications",
            params={"reference": str(message.message_id)},
            headers=_authorization(settings),
        )
    except httpx.HTTPError:
        return NotNow("notify-away")
    if answer.status_code != 200:
        return NotNow(f"notify-{answer.status_code}", wait=_patience(answer))
    found = _body(answer).get("notifications")
    if not isinstance(found, list):
        return NotNow("notify-unreadable")
    return Sent(_id_of(found[0])) if found else None


def _meaning(answer: httpx.Response) -> Answer:
    match answer.status_code:
        case 201:
            return Sent(_id_of(_body(answer)))
        case 400 if _blames_the_number(_body(answer)):
            return Refused("text-number")
        case code if code >= 500:
            return NotNow(f"notify-{code}", in_doubt=True)
        case code:  # our key, our template, our limit: an operator can mend it, and nothing was sent
            return NotNow(f"notify-{code}", wait=_patience(answer))


def _blames_the_number(body: dict[str, Any]) -> bool:
    errors = body.get("errors")
    said = (
        [str(one.get("message", "")) for one in errors if isinstance(one, dict)]
        if isinstance(errors, list)
        else []
    )
    return any("phone_number" in one for one in said)


def _patience(answer: httpx.Response) -> timedelta | None:
    asked = answer.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(asked), 3600)) if asked.isascii() and asked.isdigit() else None


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _id_of(notification: object) -> str | None:
    found = notification.get("id") if isinstance(notification, dict) else None
    return found[:100] if isinstance(found, str) else None


def _authorization(settings: MessageSettings) -> dict[str, str]:
    """A token that Notify believes for 30 seconds."""
    key = settings.notify_key.get_secret_value()
    secret, service = key[-_ID_LENGTH:], key[-2 * _ID_LENGTH - 1 : -_ID_LENGTH - 1]
    claims = {"iss": service, "iat": int(time.time())}
    token = jwt.encode(
        {"typ": "JWT", "alg": "HS256"}, claims, OctKey.import_key(secret), algorithms=["HS256"]
    )
    return {"Authorization": f"Bearer {token}"}
