"""Intake's API: what comes in, what became of it, and who may be told what."""

from __future__ import annotations

from bdcan_chassis.http.guard import Routes
from bdcan_intake.api import (
    disclosures,
    enquiries,
    imports,
    instructions,
    referrals,
    rights,
    ringing_back,
    summary,
)
from bdcan_intake.settings import Settings


def routers(settings: Settings) -> tuple[Routes, ...]:
    """All of intake's routes."""
    return (
        referrals.router(),
        instructions.router(),
        imports.router(settings),
        disclosures.router(settings),
        enquiries.router(),
        rights.router(),
        ringing_back.router(),
        summary.router(),
    )
