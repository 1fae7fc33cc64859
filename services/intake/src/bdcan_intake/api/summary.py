"""What became of everybody, in figures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from bdcan_intake.api.common import Reader, transactions_of
from bdcan_intake.store import views


class Summary(BaseModel):
    """Counts over all referrals and needs. The last two but `by_source` should be 0, or be looked into."""

    referrals: int
    by_state: dict[str, int]
    by_outcome: dict[str, int]
    needs_by_state: dict[str, int]
    needs_by_lane_and_state: dict[str, dict[str, int]]
    without_owner_or_deadline: int
    open_needs_overdue: int
    by_source: dict[str, int]


def router() -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1", tags=["summary"])

    @routes.get("/summary")
    async def summary(request: Request, _caller: Reader) -> Summary:
        transactions = transactions_of(request)
        async with transactions.pool.acquire() as connection:
            figures = await views.figures(connection, transactions.clock.now())
        return Summary.model_validate(figures._asdict())

    return routes
