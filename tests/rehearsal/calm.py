"""An hour in which people do their work and nothing is injured: nobody may be rung."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests import demo

from .faults import Fault, Scene

SECONDS = 3600.0
_REFERRALS_PER_HOUR = 600
_END_SECONDS = 300.0
"""For so much longer the play has requests to hand in, so that it is still on at the end."""


def calm(seconds: float = SECONDS) -> Fault:
    """The demo plays for so long."""

    @asynccontextmanager
    async def played(scene: Scene) -> AsyncIterator[None]:
        spread = seconds + _END_SECONDS
        referrals = max(1, round(_REFERRALS_PER_HOUR * spread / 3600))
        async with demo.people(scene.root, referrals, spread_seconds=spread) as play:
            yield
            assert play.returncode is None, "the demo ended too early: it was no calm day, but an empty one"

    return Fault(f"{seconds / 60:g} minutes of calm", played, needs=(), calm_seconds=seconds)
