"""What volunteer-match asks other services, at the edge and in no transaction. Answers are neither kept nor logged."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from msgspec import Struct

from bdcan_chassis.http.clients import private_client
from bdcan_volunteer_match.domain.drops import Point
from bdcan_volunteer_match.settings import Settings


class UnavailableError(Exception):
    """Another service does not answer. Nothing was changed. `code` is a word for programs, the message a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Positions(Struct, frozen=True):
    """Where the homes of referrals and some places lie. What nobody knows is left out."""

    homes: Mapping[UUID, Point]
    places: Mapping[str, Point]


async def positions(
    settings: Settings, hub_id: str, referral_ids: Collection[UUID], place: str, reason: str
) -> Positions:
    """Ask routing where a hub's referrals and one place lie. `reason` is for its audit. Raises UnavailableError."""
    if settings.routing_url is None or settings.routing_api_key is None:
        raise UnavailableError(
            "no-positions",
            "No rounds here: set BDCAN_ROUTING_URL and BDCAN_ROUTING_API_KEY. Nothing was changed.",
        )
    asked = {
        "hub_id": hub_id,
        "referral_ids": [str(one) for one in sorted(referral_ids)],
        "places": [place],
        "reason": reason,
    }
    try:
        async with (
            asyncio.timeout(settings.routing_timeout.total_seconds()),
            private_client(
                settings.routing_url,
                settings.routing_timeout,
                {"X-API-Key": settings.routing_api_key.get_secret_value()},
            ) as routing,
        ):
            answer = await routing.post("/v1/positions", json=asked)
            answer.raise_for_status()
            said = answer.json()
            return Positions(
                {UUID(home["referral_id"]): _point(home) for home in said["homes"]},
                {one["place"]: _point(one) for one in said["places"]},
            )
    except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            "routing-unavailable",
            "Routing does not say where the homes lie just now. Nothing was changed: try again in a minute.",
        ) from error


def _point(said: Mapping[str, Any]) -> Point:
    return Point(int(said["easting"]), int(said["northing"]), said["sure"] != "postcode")


class Told(Struct, frozen=True):
    """What intake says of a stop; without fields, `refused` says why in words."""

    fields: Mapping[str, Any]
    refused: str | None = None


_AT_ONCE = 8


async def disclosures(
    settings: Settings, own: Mapping[str, str], asked: Sequence[Mapping[str, Any]]
) -> list[Told]:
    """Ask intake for some people, as whoever prints: `own` are the headers that say who they are. Raises UnavailableError.

    What intake refuses is refused for that stop alone.
    """
    if settings.intake_url is None:
        raise UnavailableError("no-sheets", "No sheets here: set BDCAN_INTAKE_URL. Nothing was printed.")
    turns = asyncio.Semaphore(_AT_ONCE)
    async with private_client(settings.intake_url, settings.intake_timeout, own) as intake:

        async def one(question: Mapping[str, Any]) -> Told:
            async with turns, asyncio.timeout(settings.intake_timeout.total_seconds()):
                answer = await intake.post("/v1/disclosures", json=question)
            said = answer.json()
            if answer.status_code in _REFUSED:
                return Told({}, f"Intake does not say who this is: {said['detail']}")
            answer.raise_for_status()
            return Told(said)

        try:
            return await asyncio.gather(*map(one, asked))
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise UnavailableError(
                "intake-unavailable",
                "Intake does not say who the people are just now. Nothing was printed: try again in a minute.",
            ) from error


_REFUSED = {403, 404, 409}
