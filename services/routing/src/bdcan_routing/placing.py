"""What handlers, deadlines, passes and the API share: knowing enough to place homes, and telling what became of them."""

from __future__ import annotations

from collections.abc import Iterable

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import ReferralAmended, ReferralReceived, ReferralReopened
from bdcan_contracts.typed import GivenPostcode
from bdcan_routing.domain.assignment import Assignment, Published, State
from bdcan_routing.domain.gazetteer import lookup_keys
from bdcan_routing.domain.hubs import Hubs
from bdcan_routing.domain.placement import Placer
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings
from bdcan_routing.store import gazetteer, hubs

TRIAGE_DUE = "triage-due"
"""The deadline of a held referral: a person must have placed it."""


async def placer_for(tx: Tx, postcodes: Iterable[GivenPostcode], settings: Settings) -> Placer:
    """Everything that is needed to place homes with these postcodes: a few statements for any number of them."""
    units, prefixes = lookup_keys(postcodes)
    rows = await hubs.all_hubs(tx.connection)
    lookup = await gazetteer.ask(tx.connection, units, prefixes)
    if lookup is None or not rows:
        await seed(tx, settings)
        rows = await hubs.all_hubs(tx.connection)
        lookup = await gazetteer.ask(tx.connection, units, prefixes)
        assert lookup is not None  # noqa: S101 # seeding made it, under a lock
    return Placer(lookup, Hubs.of(row.hub for row in rows), settings.thresholds)


def publish(
    tx: Tx,
    before: Assignment | None,
    after: Assignment,
    events: Iterable[Published],
    cause: Event[ReferralReceived] | Event[ReferralAmended] | Event[ReferralReopened] | None = None,
) -> None:
    """Emit in the referral's lane, and keep its deadline in step with its state."""
    for event in events:
        tx.emit(event, cause=cause, lane="bulk" if after.outreach else None)
    if after.state is State.HELD and after.triage_due_at is not None:
        tx.set_deadline(TRIAGE_DUE, after.referral_id, after.triage_due_at)
    elif before is not None and before.state is State.HELD:
        tx.cancel_deadline(TRIAGE_DUE, after.referral_id)
