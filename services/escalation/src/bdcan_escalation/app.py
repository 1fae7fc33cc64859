"""The wiring of escalation."""

from __future__ import annotations

from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_escalation import api, gateways
from bdcan_escalation.books import FORWARD_SAFEGUARDING
from bdcan_escalation.deadlines import DEADLINES
from bdcan_escalation.domain.errors import NotAllowedError
from bdcan_escalation.erasing import ERASER
from bdcan_escalation.metrics import SAMPLES
from bdcan_escalation.settings import Settings
from bdcan_escalation.store.retention import KEPT
from bdcan_escalation.worker import CONSUMERS


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(
        name="escalation",
        package="bdcan_escalation",
        title="BD CAN Plus: needs handed to Community Solutions",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        consumers=CONSUMERS,
        deadlines={**DEADLINES, **ERASER.deadlines},
        gateways=gateways.gateways(settings),
        urgent_loops=frozenset(
            {
                "consumer:safeguarding",
                "consumer:concerns",
                "consumer:main",
                "deadlines",
                f"pass:{FORWARD_SAFEGUARDING}",
            }
        ),
        samples=SAMPLES,
        kept=KEPT,
        eraser=ERASER,
        routers=(api.router(settings),),
        domain_errors={NotAllowedError: 409},
    )
