"""Changes of hubs, each published with the hub's next version. They concern new referrals; no referral moves by them."""

from __future__ import annotations

from msgspec.structs import replace

from bdcan_chassis.http.problems import ConflictError, InvalidError, NotFoundError
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import HubPaused, HubResumed
from bdcan_routing.domain.hubs import Hub
from bdcan_routing.domain.wards import WARDS
from bdcan_routing.seed import publish_hub
from bdcan_routing.store import hubs
from bdcan_routing.store.hubs import HubRow
from bdcan_routing.views import HubIn


async def configure(tx: Tx, hub_id: str, wanted: HubIn) -> HubRow:
    """Add a hub or change it. Nothing happens, and nothing is published, when it stands so already.

    Raises InvalidError for wards or cover that do not exist, ConflictError for a ward that another hub covers.
    """
    await hubs.lock_setup(tx.connection)
    known = {row.hub.hub_id: row for row in await hubs.all_hubs(tx.connection)}
    _check(hub_id, wanted, known)
    before = known.get(hub_id)
    cover = tuple(wanted.cover) if wanted.cover is not None else before.hub.cover if before else ()
    wards = tuple(WARDS[gss] for gss in sorted({ward.gss for ward in wanted.wards}))
    if before is None:
        row = HubRow(Hub(hub_id, wanted.name, wards, cover, paused=False, version=1), None, False, tx.now)  # noqa: FBT003 # not illustrative: somebody made it
    else:
        hub = replace(before.hub, name=wanted.name, wards=wards, cover=cover)
        if hub == before.hub:
            return before
        row = replace(
            before, hub=replace(hub, version=hub.version + 1), illustrative=False, configured_at=tx.now
        )
    await hubs.save(tx.connection, [row])
    publish_hub(tx, row.hub)
    tx.wake("place-held")
    return row


async def pause(tx: Tx, hub_id: str, reason: str) -> HubRow:
    """New referrals go to the hub's cover from now on. Raises ConflictError if it is paused already."""
    row = await _lock(tx, hub_id)
    if row.hub.paused:
        raise ConflictError(f"{row.hub.name} is paused already.")
    hub = replace(row.hub, paused=True, version=row.hub.version + 1)
    changed = replace(row, hub=hub, pause_reason=reason, configured_at=tx.now)
    await hubs.save(tx.connection, [changed])
    tx.emit(
        HubPaused(
            hub_id=hub.hub_id,
            version=hub.version,
            name=hub.name,
            wards=hub.wards,
            paused=True,
            reason=reason,
            paused_at=tx.now,
        )
    )
    return changed


async def resume(tx: Tx, hub_id: str) -> HubRow:
    """It takes new referrals again. Raises ConflictError if it is not paused."""
    row = await _lock(tx, hub_id)
    if not row.hub.paused:
        raise ConflictError(f"{row.hub.name} is not paused.")
    hub = replace(row.hub, paused=False, version=row.hub.version + 1)
    changed = replace(row, hub=hub, pause_reason=None, configured_at=tx.now)
    await hubs.save(tx.connection, [changed])
    tx.emit(
        HubResumed(
            hub_id=hub.hub_id,
            version=hub.version,
            name=hub.name,
            wards=hub.wards,
            paused=False,
            resumed_at=tx.now,
        )
    )
    tx.wake("place-held")
    return changed


async def _lock(tx: Tx, hub_id: str) -> HubRow:
    await hubs.lock_setup(tx.connection)
    row = await hubs.lock(tx.connection, hub_id)
    if row is None:
        raise NotFoundError("There is no such hub.")
    return row


def _check(hub_id: str, wanted: HubIn, known: dict[str, HubRow]) -> None:
    faults = [
        Problem(f"wards.{place}", "unknown-ward", "is no ward of the borough with boundaries of that year")
        for place, ward in enumerate(wanted.wards)
        if ward.gss not in WARDS or WARDS[ward.gss].vintage != ward.vintage
    ]
    faults += [
        Problem(f"cover.{place}", "unknown-hub", "there is no such other hub")
        for place, other in enumerate(wanted.cover or [])
        if other == hub_id or other not in known
    ]
    if faults:
        raise InvalidError(f"{len(faults)} field(s) at fault.", errors=faults)
    owner = {
        ward.gss: row.hub for row in known.values() for ward in row.hub.wards if row.hub.hub_id != hub_id
    }
    taken = [
        Problem(
            f"wards.{place}",
            "ward-taken",
            f"is covered by {owner[ward.gss].hub_id}: take it from there first",
        )
        for place, ward in enumerate(wanted.wards)
        if ward.gss in owner
    ]
    if taken:
        raise ConflictError(f"{len(taken)} ward(s) have another hub.", code="ward-taken", errors=taken)
