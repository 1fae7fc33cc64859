"""The only place where routing is wired together."""

from __future__ import annotations

from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_routing.api import router
from bdcan_routing.commands import commands
from bdcan_routing.deadlines import deadlines
from bdcan_routing.domain.errors import NotAllowedError, UnknownPlacesError, VersionNeededError
from bdcan_routing.erasing import ERASER
from bdcan_routing.metrics import SAMPLES
from bdcan_routing.planners import planners
from bdcan_routing.settings import Settings
from bdcan_routing.store.retention import KEPT
from bdcan_routing.worker import consumers


def build() -> Service:
    """Routing as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """Routing with these settings."""
    return Service(
        name="routing",
        package="bdcan_routing",
        title="Routing: which hub looks after each referral",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        consumers=consumers(settings),
        deadlines={**deadlines(settings), **ERASER.deadlines},
        planners=planners(settings),
        samples=SAMPLES,
        kept=KEPT,
        eraser=ERASER,
        routers=(router(settings),),
        domain_errors={NotAllowedError: 409, UnknownPlacesError: 422, VersionNeededError: 409},
        commands=commands(settings),
    )
