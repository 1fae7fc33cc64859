"""The wiring of volunteer-match."""

from __future__ import annotations

from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_volunteer_match import api
from bdcan_volunteer_match.commands import open_task
from bdcan_volunteer_match.deadlines import DEADLINES
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError, ProfileError
from bdcan_volunteer_match.erasing import ERASER
from bdcan_volunteer_match.metrics import SAMPLES
from bdcan_volunteer_match.planners import planners
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store.retention import KEPT
from bdcan_volunteer_match.upstream import UnavailableError
from bdcan_volunteer_match.worker import CONSUMERS


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(
        name="volunteer-match",
        package="bdcan_volunteer_match",
        title="BD CAN Plus: volunteers who call and help",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        consumers=CONSUMERS,
        deadlines={**DEADLINES, **ERASER.deadlines},
        planners=planners(settings),
        commands={"open-task": open_task},
        urgent_loops=frozenset({"relay:normal"}),  # what callers and volunteers have noticed
        samples=SAMPLES,
        kept=KEPT,
        eraser=ERASER,
        routers=api.routers(settings),
        domain_errors={NotAllowedError: 409, FindingsError: 422, ProfileError: 422, UnavailableError: 503},
    )
