"""Intake, put together: the only place where its parts meet."""

from __future__ import annotations

from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_intake import api, metrics, worker
from bdcan_intake.admission import ASSIGNMENT_DUE
from bdcan_intake.deadlines import on_assignment_due
from bdcan_intake.domain.errors import NotAllowedError, RefusedError, StaleError
from bdcan_intake.settings import Settings


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(
        name="intake",
        package="bdcan_intake",
        title="BD CAN Plus: intake",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        loops=worker.loops(),
        deadlines={ASSIGNMENT_DUE: on_assignment_due},
        samples=metrics.samples(),
        routers=(api.router(settings),),
        domain_errors={NotAllowedError: 409, StaleError: 409, RefusedError: 422},
    )
