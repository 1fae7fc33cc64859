"""A hub's deliveries, the people who make them, and a small routing and intake beside the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from volunteer_match_story import assigned, hub, packed

from bdcan_chassis.testing.harness import START, Harness

START_POSTCODE = "RM10 7AA"
ROUTING_KEY = "routing-key"


@dataclass
class FakeRouting:
    """Says where homes lie: in a row to the east, 100 metres apart, in the order of the question. Set `status` to have it fail."""

    status: int = 200
    nowhere: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/positions")
        async def positions(request: Request) -> Response:
            assert request.headers["X-API-Key"] == ROUTING_KEY
            said = await request.json()
            self.asked.append(said)
            homes = [
                {"referral_id": one, "easting": 548000 + 100 * place, "northing": 185000, "sure": "postcode"}
                for place, one in enumerate(said["referral_ids"], 1)
                if one not in self.nowhere
            ]
            places = [
                {"place": one, "easting": 548000, "northing": 185000, "sure": "sector"}
                for one in said["places"]
                if one == START_POSTCODE
            ]
            return JSONResponse({"homes": homes, "places": places}, self.status)

        return app


@dataclass
class FakeIntake:
    """Discloses the same person to anybody. Set `status` to have it fail."""

    status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/disclosures")
        async def disclose(request: Request) -> Response:
            self.asked.append(await request.json())
            self.keys.append(request.headers.get("X-API-Key"))
            said = {"name": "Amina Example", "phone": "07700 900123", "address": "1 Example Road"}
            return JSONResponse(said if self.status == 200 else {"detail": "Not now."}, self.status)

        return app


async def parcels(given: Harness, count: int, hub_id: str = "thames") -> list[str]:
    """Packed parcels of that many residents; returns their tasks, in the order of their referrals' ids."""
    await given.deliver(hub(hub_id))
    residents = [assigned(hub_id=hub_id) for _ in range(count)]
    await given.deliver(*residents)
    await given.deliver(*(packed(one.referral_id, hub_id) for one in residents))
    rows = await given.fetch(
        "SELECT task_id FROM task WHERE kind = 'parcel-delivery' AND referral_id = ANY ($1) ORDER BY referral_id",
        [one.referral_id for one in residents],
    )
    return [str(row["task_id"]) for row in rows]


def plan_of(*volunteers: UUID, **more: Any) -> dict[str, Any]:
    """A plan for these people, by car, for two hours from now on."""
    return {
        "hub_id": "thames",
        "start": {"postcode": START_POSTCODE, "name": "The Hall"},
        "doers": [
            {
                "volunteer_id": str(one),
                "means": "car",
                "leaves_at": START.isoformat(),
                "back_by": (START + timedelta(hours=2)).isoformat(),
            }
            for one in volunteers
        ],
        **more,
    }


async def planned(given: Harness, *volunteers: UUID, **more: Any) -> dict[str, Any]:
    """The answer to a plan."""
    answer = await given.http.post("/v1/rounds", json=plan_of(*volunteers, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def confirmed(given: Harness, round_id: str) -> dict[str, Any]:
    """A round that somebody confirms."""
    answer = await given.http.post(f"/v1/rounds/{round_id}/confirmation")
    assert answer.status_code == 200, answer.text
    return answer.json()
