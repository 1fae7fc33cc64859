"""What a transaction locks of assignments and hubs, and what a change of them brings with it."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Counter
from pydantic import BaseModel

from bdcan_chassis.book import Book, Change
from bdcan_chassis.housekeeping import of_promise
from bdcan_chassis.transaction import Tx
from bdcan_contracts.typed import Postcode
from bdcan_contracts.vocabulary import Reason
from bdcan_routing import store
from bdcan_routing.domain.assignment import Assignment, State, triaged
from bdcan_routing.domain.handover import Handover
from bdcan_routing.domain.hubs import Hub
from bdcan_routing.domain.neighbours import Guess
from bdcan_routing.domain.placement import ALL_FULL, HUB_FULL, ToHub
from bdcan_routing.metrics import BY_WARD, HUB_MOVES
from bdcan_routing.metrics import HUB_FULL as FULL
from bdcan_routing.store.gazetteer import Loaded, Release, UnitRow
from bdcan_routing.store.hubs import Covered

PLACE_HELD = "place-held"
"""The planner that tries held referrals again."""
HAND_OVER = "hand-over"
"""The planner that moves the open work of paused hubs."""


class Assignments(Book[Assignment]):
    """Assignments. What routing publishes of an outreach referral does not delay the others."""

    table = store.assignments.ASSIGNMENT

    def traffic_class(self, state: Assignment, _body: BaseModel) -> str | None:
        """The traffic class in which the referral came."""
        return "bulk" if state.outreach else None

    def counts(self, change: Change[Assignment]) -> Iterable[Counter]:
        """Triage that was in time or is late, and a referral that gets a hub, by ward."""
        before, after = change
        in_time = triaged(before, after)
        yield from of_promise("triage", None if in_time is None else (None, in_time))
        if after.state is State.ASSIGNED and isinstance(after.verdict, ToHub) and after.hub_id:
            was = before.hub_id if before and before.state is State.ASSIGNED else None
            if was is None:
                ward = after.verdict.ward.gss if after.verdict.ward else "none"
                yield BY_WARD.labels(ward, after.hub_id)
                if after.verdict.because in (HUB_FULL, ALL_FULL):
                    outcome = "neighbour" if after.verdict.because == HUB_FULL else "stayed"
                    yield FULL.labels(after.hub_id, outcome)
            elif was != after.hub_id and after.verdict.because in (
                Reason.SAME_HOUSEHOLD,
                Reason.HUB_HANDED_OVER,
            ):
                yield HUB_MOVES.labels(after.verdict.because)

    async def follow(self, changes: Sequence[Change[Assignment]]) -> None:
        """Count what each hub was given today."""
        more: Tally[tuple[str, str]] = Tally()
        for before, after in changes:
            if after.state is not State.ASSIGNED or after.hub_id is None:
                continue
            if before is None or before.state is not State.ASSIGNED or before.hub_id != after.hub_id:
                more.update({(after.hub_id, kind): n for kind, n in after.wanted.items()})
        await store.load.add(self.tx.connection, self.tx.calendar.local_date(self.tx.now), more)


class Hubs(Book[Hub]):
    """Hubs and their wards. A hub that may take more referrals than before wakes the planner."""

    table = store.hubs.HUB

    async def lock_all(self) -> None:
        """Add every hub. One transaction at a time changes hubs, so that no ward goes to two of them."""
        await store.hubs.LOCK_SETUP.execute(self.tx.connection)
        await self.lock(store.hubs.FIND)

    async def follow(self, changes: Sequence[Change[Hub]]) -> None:
        """Give each hub exactly the wards that it covers now."""
        hubs = [after for before, after in changes if before is None or before.wards != after.wards]
        if not hubs:
            return
        connection = self.tx.connection
        await store.hubs.FORGET_WARDS.execute(connection, hub_ids=[hub.hub_id for hub in hubs])
        covered = [Covered(ward.gss, ward.vintage, hub.hub_id) for hub in hubs for ward in hub.wards]
        await store.hubs.COVERED.insert(connection, covered, self.tx.now)

    def wakes(self, change: Change[Hub]) -> Iterable[str]:
        """The planner, unless the hub has just paused."""
        has_paused = change.after.paused and not (change.before and change.before.paused)
        return () if has_paused else (PLACE_HELD,)


class Handovers(Book[Handover]):
    """Hand-overs of open work. One that has begun wakes the planner."""

    table = store.handovers.HANDOVER

    def wakes(self, change: Change[Handover]) -> Iterable[str]:
        """The planner, as long as work may be left."""
        return () if change.after.ended_at else (HAND_OVER,)


async def use_release(
    tx: Tx,
    release: Release,
    units: Iterable[UnitRow],
    shares: Mapping[str, Mapping[str, int]],
    guesses: Iterable[tuple[Postcode, Guess]] = (),
) -> None:
    """Load a postcode table and look postcodes up in it from now on. `guesses` is read after `units`."""
    await store.gazetteer.load(tx.connection, release, units, shares, guesses, tx.now)
    tx.wake(PLACE_HELD)


async def use_previous_release(tx: Tx) -> tuple[Loaded, Loaded] | None:
    """Look postcodes up in the release before this one; what was in use and what is. None: there is no other."""
    await store.hubs.LOCK_SETUP.execute(tx.connection)
    active = await store.gazetteer.ACTIVE.first(tx.connection)
    previous = await store.gazetteer.PREVIOUS.first(tx.connection)
    if active is None or previous is None:
        return None
    await store.gazetteer.switch(tx.connection, previous.release_id)
    tx.wake(PLACE_HELD)
    return active, previous
