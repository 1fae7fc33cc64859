"""What became of everybody, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fastapi import APIRouter, Request
from pydantic import BaseModel

from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_intake.api.common import Reader
from bdcan_intake.store.summary import COUNT_NEEDS, COUNT_REFERRALS, NeedCount, ReferralCount


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
        now = transactions_of(request).clock.now()
        async with reading(request) as connection:
            referrals = await COUNT_REFERRALS.all(connection)
            needs = await COUNT_NEEDS.all(connection, now=now)
        return _summary(referrals, needs)

    return routes


def _summary(referrals: list[ReferralCount], needs: list[NeedCount]) -> Summary:
    by_lane: dict[str, dict[str, int]] = {}
    for row in needs:
        by_lane.setdefault(row.lane, {})[row.state] = row.count
    by_state = _sums((row.state, row.count) for row in referrals)
    return Summary(
        referrals=by_state.total(),
        by_state=by_state,
        by_outcome=_sums((row.outcome, row.count) for row in referrals if row.outcome),
        by_source=_sums((row.source, row.count) for row in referrals),
        needs_by_state=_sums((row.state, row.count) for row in needs),
        needs_by_lane_and_state=by_lane,
        without_owner_or_deadline=sum(row.unowned for row in (*referrals, *needs)),
        open_needs_overdue=sum(row.overdue for row in needs),
    )


def _sums(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    return sums
