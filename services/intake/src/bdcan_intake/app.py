"""The wiring of intake."""

from __future__ import annotations

from bdcan_chassis.http.credentials import watch_kafka_users, watch_upstreams
from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_intake import api
from bdcan_intake.csv_file import OtherFileError
from bdcan_intake.deadlines import DEADLINES
from bdcan_intake.domain.errors import BrokenOffError, NotAllowedError, RefusedError, StaleError
from bdcan_intake.erasing import ERASER
from bdcan_intake.metrics import SAMPLES, show_kafka_users
from bdcan_intake.planners import PLANNERS
from bdcan_intake.settings import Settings
from bdcan_intake.store.retention import KEPT
from bdcan_intake.worker import consumers


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    upstreams = watch_upstreams(settings.upstreams_file).get
    show_kafka_users(watch_kafka_users(settings.outside_file).get)
    return Service(
        name="intake",
        package="bdcan_intake",
        title="BD CAN Plus: intake",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        consumers=consumers(upstreams),
        deadlines={**DEADLINES, **ERASER.deadlines},
        planners=PLANNERS,
        urgent_loops=frozenset({"consumer:inbound", "relay:urgent"}),
        samples=SAMPLES,
        kept=KEPT,
        eraser=ERASER,
        upstreams=upstreams,
        routers=api.routers(settings),
        domain_errors={
            NotAllowedError: 409,
            StaleError: 409,
            RefusedError: 422,
            OtherFileError: 415,
            BrokenOffError: 503,
        },
    )
