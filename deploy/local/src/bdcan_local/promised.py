"""`bdcan promises`: what is owed to residents, counted by kind and hub, and the most pressing of it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from msgspec import to_builtins

from bdcan_local.case import when
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.table import lines
from bdcan_reconcile.promises import Promise, promises
from bdcan_reconcile.reading import Databases, UnreadableError
from bdcan_reconcile.rows import Stores


def show(places: Places, options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Show them. Returns 1 if some are late, so that a script notices. Raises PlatformError."""
    stores = asyncio.run(_read(places))
    found = [p for p in promises(stores) if options.hub in {None, p.hub_id}]
    late = [p for p in found if p.due_at is not None and p.due_at < stores.now]
    chosen = found
    if options.missed:
        chosen = late
    elif options.soon is not None:
        until = stores.now + timedelta(hours=options.soon)
        chosen = [p for p in found if p.due_at is not None and stores.now <= p.due_at < until]
    if options.json:
        say(json.dumps([to_builtins(p) for p in chosen], indent=2))
    else:
        _as_text(stores, chosen, options.limit, say)
    return 1 if late else 0


def _as_text(stores: Stores, chosen: list[Promise], limit: int, say: Callable[[str], None]) -> None:
    counted = Counter((p.kind, p.hub_id or "-", _is_late(p, stores)) for p in chosen)
    places = sorted({(kind, hub) for kind, hub, _ in counted})
    rows = [
        (kind, hub, counted[kind, hub, True], counted[kind, hub, False])
        for kind, hub in sorted(places, key=lambda place: -counted[*place, True])
    ]
    for line in lines(("promise", "hub", "late", "in time"), rows):
        say(line)
    say("")
    shown = [
        (p.kind, p.who, p.what, p.state, when(p.due_at, stores.now), p.referral_id) for p in chosen[:limit]
    ]
    for line in lines(("promise", "who", "what", "state", "by", "referral"), shown):
        say(line)
    if len(chosen) > limit:
        say(f"and {len(chosen) - limit} more: --limit, --json")
    say(f"{len(chosen)} promise(s). The story of one: bdcan case REFERRAL")


def _is_late(promise: Promise, stores: Stores) -> bool:
    return promise.due_at is not None and promise.due_at < stores.now


async def _read(places: Places) -> Stores:
    try:
        async with Databases(places.databases, places.clock) as databases:
            return (await databases.read()).stores
    except UnreadableError as error:
        raise PlatformError(str(error), "Look at `bdcan status`, and ask again.") from error
