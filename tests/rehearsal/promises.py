"""Promises that are broken while every process is well: what somebody does not do, played on a clock that runs fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bdcan_simulator.coordinators import COORDINATOR

from .faults import Fault, Injury, Scene

SPEED = 2400.0
"""An hour of domain time takes a second and a half: the two days of an ordinary call, 72 seconds."""
_A_FULL_TRIAGE = 25


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
async def _paused_hub(scene: Scene) -> AsyncIterator[None]:
    async with _waits("shopping")(scene):
        hub = await _hub_with_work(scene)
        await scene.act(COORDINATOR, "routing", f"/v1/hubs/{hub}/pause", {"reason": "capacity"})
        try:
            yield
        finally:
            await scene.act(COORDINATOR, "routing", f"/v1/hubs/{hub}/resume", None)


@asynccontextmanager
async def _nobody_to_send(scene: Scene) -> AsyncIterator[None]:
    """A call confirms an errand in a hub that has no volunteer."""
    async with _waits("shopping")(scene):
        call = await _call(scene)
        path = f"/v1/welfare-calls/{call['call_id']}"
        await scene.act(COORDINATOR, "volunteer-match", f"{path}/claim", None)
        confirmed = [
            {"need_id": need["need_id"], "code": need["code"], "result": "confirmed"}
            for need in call["needs"]
        ]
        report = {"outcome": "answered", "needs": confirmed}
        await scene.act(COORDINATOR, "volunteer-match", f"{path}/outcome", report)
        yield


async def _hub_with_work(scene: Scene) -> str:
    return str((await _call(scene))["hub_id"])


async def _call(scene: Scene) -> dict[str, Any]:
    """The call that the last referral asks for, as soon as it is on the list."""
    while True:
        answer = await scene.client.get(COORDINATOR, "volunteer-match", "/v1/welfare-calls", state="due")
        for call in answer.json()["items"]:
            if call["referral_id"] == scene.last:
                return call
        await asyncio.sleep(0.2)


def _fault(name: str, injury: Injury, *fires: str, beside: tuple[str, ...] = ()) -> Fault:
    return Fault(name, injury, fires, beside, needs=())


_NOBODY_RINGS = ("CallsLate",)

PROMISES = (
    _fault("nobody makes calls", _waits("shopping"), "CallsLate"),
    _fault(
        "triage fills up",
        _waits("shopping", times=_A_FULL_TRIAGE, postcode=None),
        *("TriageGrows", "TriageLate"),
    ),
    _fault("a hub is paused with work", _paused_hub, "HubPausedWithWork", beside=_NOBODY_RINGS),
    _fault("no volunteers", _nobody_to_send, "NoVolunteers", beside=("TasksUnfilled", "TasksLate")),
    _fault(
        "no stock",
        _waits("food"),
        *("NoStock", "ParcelsShort"),
        beside=("ParcelsLate", *_NOBODY_RINGS),
    ),
)
