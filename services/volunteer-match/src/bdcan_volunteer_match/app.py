"""The service, put together."""

from __future__ import annotations

from bdcan_chassis.passes import Planner
from bdcan_chassis.service import Service
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_volunteer_match import deadlines, metrics
from bdcan_volunteer_match.api import router
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.planners import plan_match
from bdcan_volunteer_match.record import MATCH
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store import calls, tasks, volunteers
from bdcan_volunteer_match.worker import loops


def build() -> Service:
    """The service as the environment configures it."""
    return service(Settings.load())


def service(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(
        name="volunteer-match",
        package="bdcan_volunteer_match",
        title="BD CAN Plus: volunteer-match",
        settings=settings,
        catalogue=CATALOGUE,
        personal_fields=PERSONAL_FIELDS,
        loops=loops(),
        deadlines={
            calls.CLAIM: deadlines.claims_run_out,
            tasks.DEADLINE: deadlines.tasks_come_due,
            volunteers.RETURN: deadlines.volunteers_return,
        },
        planners=(Planner(MATCH, plan_match),),
        samples=metrics.SAMPLES,
        routers=(router(),),
        domain_errors={NotAllowedError: 409, FindingsError: 422},
    )
