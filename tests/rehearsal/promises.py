"""Promises that are broken while every process is well: what somebody does not do, played on a clock that runs fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from bdcan_simulator.coordinators import COORDINATOR
from bdcan_simulator.pantry import delivery
from bdcan_simulator.pickers import PICKER

from .faults import Fault, Injury, Scene

SPEED = 2400.0
"""An hour of domain time takes a second and a half: the two days of an ordinary call, 72 seconds."""
_A_FULL_TRIAGE = 25
_LOOK_SECONDS = 0.2
_PARCELS_IN_STOCK = 20
_NOT_COLLECTED_AFTER = timedelta(days=2)


def _waits(*needs: str, times: int = 1, postcode: str | None = "IG11 7LU") -> Injury:
    """Referrals come in, and nobody does anything; at the end they are withdrawn."""

    @asynccontextmanager
    async def injury(scene: Scene) -> AsyncIterator[None]:
        made = [await scene.hand_in(*needs, postcode=postcode) for _ in range(times)]
        try:
            yield
        finally:
            for referral in made:
                if referral is not None:
                    await scene.withdraw(referral)

    return injury


@asynccontextmanager
async def _nobody_calls(scene: Scene) -> AsyncIterator[None]:
    """It begins when the call is late."""
    async with _waits("shopping")(scene):
        due_at = datetime.fromisoformat((await _call(scene))["due_at"])
        await asyncio.sleep(max(0.0, scene.clock.real_seconds(due_at - scene.clock.now())))
        yield


@asynccontextmanager
async def _paused_hub(scene: Scene) -> AsyncIterator[None]:
    async with _waits("shopping")(scene):
        hub = await _hub_with_work(scene)
        await scene.act(
            COORDINATOR, "routing", f"/v1/hubs/{hub}/pause", {"reason": "capacity", "open_work": "keep"}
        )
        try:
            yield
        finally:
            await scene.act(COORDINATOR, "routing", f"/v1/hubs/{hub}/resume", None)


def _confirmed(need: str) -> Injury:
    """A call confirms a need, and nobody and nothing is there to meet it."""

    @asynccontextmanager
    async def injury(scene: Scene) -> AsyncIterator[None]:
        async with _waits(need)(scene):
            call = await _call(scene)
            path = f"/v1/welfare-calls/{call['call_id']}"
            await scene.act(COORDINATOR, "volunteer-match", f"{path}/claim", None)
            needs = [
                {"need_id": asked["need_id"], "code": asked["code"], "result": "confirmed"}
                for asked in call["needs"]
            ]
            report = {"outcome": "answered", "needs": needs}
            await scene.act(COORDINATOR, "volunteer-match", f"{path}/outcome", report)
            yield

    return injury


@asynccontextmanager
async def _not_collected(scene: Scene) -> AsyncIterator[None]:
    """A parcel is packed, and the volunteer of the hub answers no offer. It begins when the parcel is two days old."""
    async with _confirmed("food-parcel")(scene):
        parcel = await _parcel(scene)
        await scene.act(COORDINATOR, "volunteer-match", "/v1/volunteers", _volunteer(parcel["hub_id"]))
        stock = {"site_id": parcel["site_id"], "lines": delivery(_PARCELS_IN_STOCK)}
        await scene.act(PICKER, "foodhub", "/v1/stock-receipts", stock)
        await _parcel(scene, "reserved")
        for step in ("picking", "packing"):
            await scene.act(PICKER, "foodhub", f"/v1/parcels/{parcel['parcel_id']}/{step}", {})
        begins_at = datetime.fromisoformat(parcel["requested_at"]) + _NOT_COLLECTED_AFTER
        await asyncio.sleep(max(0.0, scene.clock.real_seconds(begins_at - scene.clock.now())))
        yield


def _volunteer(hub: str) -> dict[str, Any]:
    return {
        "name": "Volunteer Example",
        "phone": "020 7946 9999",
        "hub_ids": [hub],
        "task_kinds": ["parcel-delivery"],
        "has_car": True,
    }


async def _hub_with_work(scene: Scene) -> str:
    return str((await _call(scene))["hub_id"])


async def _parcel(scene: Scene, *states: str) -> dict[str, Any]:
    """The parcel of the last referral, as soon as it is there, or in one of these states."""
    while True:
        answer = await scene.client.get(PICKER, "foodhub", "/v1/parcels")
        for parcel in answer.json()["items"]:
            if parcel["referral_id"] == scene.last and (not states or parcel["state"] in states):
                return parcel
        await asyncio.sleep(_LOOK_SECONDS)


async def _call(scene: Scene) -> dict[str, Any]:
    """The call that the last referral asks for, as soon as it is on the list."""
    while True:
        answer = await scene.client.get(COORDINATOR, "volunteer-match", "/v1/welfare-calls", state="due")
        for call in answer.json()["items"]:
            if call["referral_id"] == scene.last:
                return call
        await asyncio.sleep(_LOOK_SECONDS)


def _fault(name: str, injury: Injury, *fires: str, beside: tuple[str, ...] = ()) -> Fault:
    return Fault(name, injury, fires, beside, needs=())


_NOBODY_RINGS = ("CallsLate",)

PROMISES = (
    _fault("nobody makes calls", _nobody_calls, "CallsLate"),
    _fault(
        "triage fills up",
        _waits("shopping", times=_A_FULL_TRIAGE, postcode=None),
        *("TriageGrows", "TriageLate"),
    ),
    _fault("a hub is paused with work", _paused_hub, "HubPausedWithWork", beside=_NOBODY_RINGS),
    _fault("no volunteers", _confirmed("shopping"), "NoVolunteers", beside=("TasksUnfilled", "TasksLate")),
    _fault(
        "no stock",
        _confirmed("food-parcel"),
        *("NoStock", "ParcelsShort"),
        beside=("ParcelsLate",),
    ),
    # last: from here on there are stock and a volunteer
    _fault(
        "parcels are not collected",
        _not_collected,
        "ParcelsNotCollected",
        beside=("ParcelsLate", "TasksLate", "TasksUnfilled"),
    ),
)
