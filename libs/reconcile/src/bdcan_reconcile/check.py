"""One reconciliation of a system that runs: read, doubt, wait until all has been heard, read again, report what stays.

The five stores are not read at one instant, and an event takes a while from one to the next. So a first reading only
gives doubts. A doubt is a culprit if three things hold: the services that it is about have since taken everything that
had been written when the doubt arose, no row about its referral has changed since, and the doubt is still there. What
has changed is looked at again. A service that does not catch up leaves its doubts open: they are counted apart.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

from msgspec import Struct

from bdcan_reconcile.culprits import Culprit
from bdcan_reconcile.positions import Positions
from bdcan_reconcile.reading import Databases, Outbox, UnreadableError
from bdcan_reconcile.rows import Case, Stores
from bdcan_reconcile.rules import judge

PATIENCE_SECONDS = 20.0
"""How long services may take to hear what was written before their doubts are left open."""

_POLL_SECONDS = 0.3
_REST_SECONDS = 1.0  # the council's system hears and answers beside Kafka

CouncilReader = Callable[[], Awaitable[list[Case]]]


class Verdict(Struct, frozen=True):
    """What a reconciliation found.

    Attributes:
        culprits: what stayed.
        open_doubts: what cannot be told yet, because a service in it is behind or its rows still move.
        behind: records that each service had not taken in time, by topic.
        counts: how many rows of each list were read.
        doubts: how many doubts the first reading gave.
        read_seconds: what the first reading and its judgement took.
        seconds: all of it.
        council_silent: the council's system did not say what it has, so its cases are not compared.
    """

    culprits: tuple[Culprit, ...]
    open_doubts: tuple[Culprit, ...]
    behind: dict[str, dict[str, int]]
    counts: dict[str, int]
    doubts: int
    read_seconds: float
    seconds: float
    council_silent: bool = False

    @property
    def by_kind(self) -> Counter[str]:
        """How many culprits of each kind."""
        return Counter(culprit.kind for culprit in self.culprits)


async def reconcile(
    databases: Databases,
    positions: Positions,
    council: CouncilReader | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Verdict:
    """Reconcile a running system. Raises UnreadableError."""
    began = time.monotonic()
    gc.disable()  # a million rows that nobody frees: to look through them again and again takes longer than to read them
    try:
        reading = await databases.read()
        stores = reading.stores
        stores.cases = await _cases(council)
        doubts = judge(stores)
    finally:
        gc.enable()
    council_silent = council is not None and stores.cases is None
    first, read_seconds = len(doubts), time.monotonic() - began
    counts = _counts(stores)
    culprits: list[Culprit] = []
    behind: dict[str, dict[str, int]] = {}
    before, outboxes = _rows_of(stores, doubts), reading.outboxes
    end = began + read_seconds + patience_seconds
    while doubts:
        whom = {service for doubt in doubts for service in doubt.services}
        behind = await _heard(databases, positions, outboxes, whom, end)
        ids = {doubt.referral_id for doubt in doubts if doubt.referral_id}
        again = await databases.read(ids)
        if stores.cases is not None and (cases := await _cases(council)) is not None:
            again.stores.cases = _asked_for(cases, again.stores, doubts)
        asked = {doubt.key for doubt in doubts}
        found = [doubt for doubt in judge(again.stores) if doubt.key in asked]
        after = _rows_of(again.stores, found)
        settled = [d for d in found if _stands(d, before, after) and not behind.keys() & set(d.services)]
        culprits += settled
        doubts = [doubt for doubt in found if doubt not in settled]
        before, outboxes = after, again.outboxes
        if time.monotonic() > end:
            break
    return Verdict(
        tuple(sorted(culprits, key=_order)),
        tuple(sorted(doubts, key=_order)),
        behind,
        counts,
        first,
        read_seconds,
        time.monotonic() - began,
        council_silent,
    )


async def _cases(council: CouncilReader | None) -> list[Case] | None:
    """The council's cases; None where its system does not say."""
    if council is None:
        return None
    try:
        return await council()
    except UnreadableError:
        return None


async def _heard(
    databases: Databases,
    positions: Positions,
    outboxes: Collection[Outbox],
    whom: Collection[str],
    end: float,
) -> dict[str, dict[str, int]]:
    """Wait until some services have taken all that was in the outboxes and topics; returns who had not by the end."""
    await asyncio.sleep(_REST_SECONDS)
    readers = positions.readers()
    unsent = await databases.unsent(outboxes)
    while any(readers[service] & unsent.keys() for service in whom) and time.monotonic() < end:
        await asyncio.sleep(_POLL_SECONDS)
        unsent = await databases.unsent(outboxes)
    ends = await positions.ends()
    behind = await positions.behind(ends)
    while behind.keys() & whom and time.monotonic() < end:
        await asyncio.sleep(_POLL_SECONDS)
        behind = await positions.behind(ends)
    for service in whom:
        for topic in readers[service] & unsent.keys():
            of_service = behind.setdefault(service, {})
            of_service[topic] = of_service.get(topic, 0) + unsent[topic]
    return {service: topics for service, topics in behind.items() if service in whom}


def _rows_of(stores: Stores, doubts: Collection[Culprit]) -> dict[UUID, list[tuple[str, Any]]]:
    """All rows about the referrals in doubt. One pass over each list: there may be many of both."""
    ids = {doubt.referral_id for doubt in doubts if doubt.referral_id}
    found: dict[UUID, list[tuple[str, Any]]] = {referral_id: [] for referral_id in ids}
    for name, rows in stores.by_referral():
        for row in rows:
            if row.referral_id in ids:
                found[row.referral_id].append((name, row))
    return {referral_id: sorted(rows, key=repr) for referral_id, rows in found.items()}


def _stands(doubt: Culprit, before: dict[UUID, Any], after: dict[UUID, Any]) -> bool:
    """Whether nothing about its referral has changed."""
    if doubt.referral_id is None:
        return True
    return before.get(doubt.referral_id) == after.get(doubt.referral_id)


def _asked_for(cases: list[Case], stores: Stores, doubts: Collection[Culprit]) -> list[Case]:
    """The cases of the escalations that were read again, and those that a doubt names."""
    known = {x.escalation_id for x in stores.escalations}
    named = {doubt.about for doubt in doubts}
    return [
        case
        for case in cases
        if case.escalation_id in known or named & {f"case {case.case_id}", f"escalation {case.escalation_id}"}
    ]


def _order(culprit: Culprit) -> tuple[str, str, str]:
    return culprit.kind, str(culprit.referral_id or ""), culprit.about


def _counts(stores: Stores) -> dict[str, int]:
    counted = {
        name: len(rows) for name, rows in stores.by_referral() if name not in {"foodhub", "escalation"}
    }
    return counted if stores.cases is None else {**counted, "cases": len(stores.cases)}
