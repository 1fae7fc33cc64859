"""Intake's API: what comes in, what became of it, and who may be told what."""

from __future__ import annotations

from fastapi import APIRouter

from bdcan_intake.api import disclosures, enquiries, imports, referrals, summary
from bdcan_intake.settings import Settings


def router(settings: Settings) -> APIRouter:
    """All of intake's routes."""
    routes = APIRouter()
    routes.include_router(referrals.router())
    routes.include_router(imports.router(settings))
    routes.include_router(disclosures.router())
    routes.include_router(enquiries.router())
    routes.include_router(summary.router())
    return routes
