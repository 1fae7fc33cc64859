"""What became of everybody, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fastapi import Request
from pydantic import BaseModel

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_intake.api.common import Reader
from bdcan_intake.domain.audience import LEAST_SHOWN, OPEN_LANES
from bdcan_intake.store.summary import COUNT_NEEDS, COUNT_REFERRALS, NeedCount, ReferralCount


class Summary(BaseModel):
    """Counts over all referrals and needs. The last two but `by_source` should be 0, or be looked into.

    Callers who do not work for the whole borough see no lane that is sensitive, no count below five and no other sender.
    """

    referrals: int
    by_state: dict[str, int]
    by_outcome: dict[str, int]
    needs_by_state: dict[str, int]
    needs_by_lane_and_state: dict[str, dict[str, int]]
    without_owner_or_deadline: int
    open_needs_overdue: int
    by_source: dict[str, int]


def router() -> Routes:
    """The route."""
    routes = Routes(prefix="/v1", tags=["summary"])

    @routes.get("/summary")
    async def summary(request: Request, caller: Reader) -> Summary:
        now = transactions_of(request).clock.now()
        async with reading(request) as connection:
            referrals = await COUNT_REFERRALS.all(connection)
            needs = await COUNT_NEEDS.all(connection, now=now)
        if caller.visible_hubs is None:
            return _summary(referrals, needs)
        return _for_others(_summary(referrals, [n for n in needs if n.lane in OPEN_LANES]), caller)

    return routes


def _for_others(whole: Summary, caller: Caller) -> Summary:
    """The figures for callers who do not work for the whole borough: no sensitive lane, no small count, no other sender."""
    return whole.model_copy(
        update={
            "by_outcome": _large(whole.by_outcome),
            "needs_by_state": _large(whole.needs_by_state),
            "needs_by_lane_and_state": {
                lane: large
                for lane, counts in whole.needs_by_lane_and_state.items()
                if (large := _large(counts))
            },
            "by_source": {name: n for name, n in whole.by_source.items() if name in caller.sources},
        }
    )


def _large(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count >= LEAST_SHOWN}


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
