"""The wiring of the foodhub."""

from __future__ import annotations

from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_foodhub import api, worker
from bdcan_foodhub.check_stock import check_stock
from bdcan_foodhub.deadlines import DEADLINES
from bdcan_foodhub.domain.errors import NotAllowedError, StockError
from bdcan_foodhub.erasing import ERASER
from bdcan_foodhub.metrics import samples
from bdcan_foodhub.planners import PLANNERS
from bdcan_foodhub.settings import Settings
from bdcan_foodhub.store.retention import KEPT


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(
        name="foodhub",
        package="bdcan_foodhub",
        title="BD CAN Plus: food parcels and stock",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        consumers=worker.consumers(settings),
        deadlines={**DEADLINES, **ERASER.deadlines},
        planners=PLANNERS,
        samples=samples(settings),
        kept=KEPT,
        eraser=ERASER,
        routers=(api.router(settings),),
        commands={"check-stock": check_stock},
        domain_errors={NotAllowedError: 409, StockError: 409},
    )
