"""`bdcan dead-letters`: what all five services have set aside, grouped by cause; replays or discards exactly what was seen.

A *set* is named by its cause and by the newest dead letter that the list showed: `3f2a91c0-417`. What has come since is not
touched. Only the class of an error and its place in the code are shown, for the rest may quote a record.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import Struct

from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.rights import post
from bdcan_local.tokens import make_token

CAUSE = ("service", "consumer", "event_type", "reason", "error")


class Letters(Struct, frozen=True):
    """The dead letters of one cause. `seq` of the newest one names the set."""

    cause: tuple[str, str, str, str, str]
    ids: tuple[str, ...]
    newest: int
    oldest_parked_at: Any
    queued: int

    @property
    def name(self) -> str:
        """What the operator calls it by."""
        return f"{_digest(self.cause)}-{self.newest}"


async def read(places: Places) -> list[Letters]:
    """All open dead letters by cause, the most first. Raises PlatformError."""
    found: defaultdict[tuple[str, ...], list[asyncpg.Record]] = defaultdict(list)
    for service, dsn in places.databases.items():
        try:
            connection = await asyncpg.connect(
                dsn, timeout=10, server_settings={"default_transaction_read_only": "on"}
            )
            for row in await connection.fetch(_OPEN):
                found[service, *row["cause"]].append(row)
            await connection.close()
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise PlatformError(
                f"{service}'s database does not answer ({type(error).__name__})", "Look at `bdcan status`."
            ) from error
    sets = [_letters(cause, rows) for cause, rows in found.items()]
    return sorted(sets, key=lambda one: (-len(one.ids), one.cause))


def chosen(sets: Iterable[Letters], name: str) -> Letters:
    """The dead letters of a set that was seen, without those that came later. Raises PlatformError."""
    digest, _, newest = name.partition("-")
    for one in sets:
        if _digest(one.cause) == digest and newest.isdecimal():
            return Letters(
                one.cause,
                tuple(letter for letter in one.ids if int(letter.partition(":")[0]) <= int(newest)),
                int(newest),
                one.oldest_parked_at,
                one.queued,
            )
    raise PlatformError(
        f"there is no set {name!r}", "`bdcan dead-letters` lists the sets; this one may have been settled."
    )


def settle(
    places: Places, letters: Letters, act: str, reason: str, per_second: float, say: Callable[[str], None]
) -> int:
    """Have each of them replayed or discarded, so many a second; returns how many were. Raises PlatformError."""
    if places.system is None:
        raise PlatformError(
            "this system does not let the command make a token for you",
            "Use the service's own command: python -m bdcan_<service> dead-letter.",
        )
    token = make_token(places.system.secrets, "operator", ("ops:dead-letters", "hubs:all")).text
    url = f"{places.apis[letters.cause[0]]}/v1/dead-letters"
    done = 0
    for place, letter in enumerate(letters.ids):
        if place:
            time.sleep(1 / per_second)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
        try:
            post(f"{url}/{letter.partition(':')[2]}/{act}s", headers, {"reason": reason})
        except PlatformError as error:
            if " answered 410" not in error.what and " answered 404" not in error.what:
                raise
            continue  # settled by a replay of its key, or by somebody else
        done += 1
    say(f"{act}: {done} of {len(letters.ids)} dead letter(s) asked for; the others were settled already")
    return done


def _letters(cause: tuple[str, ...], rows: list[asyncpg.Record]) -> Letters:
    service, consumer, event_type, reason, error = cause
    return Letters(
        (service, consumer, event_type, reason, error),
        tuple(f"{row['seq']}:{row['id']}" for row in rows),
        max(row["seq"] for row in rows),
        min(row["parked_at"] for row in rows),
        sum(row["queued"] for row in rows),
    )


def _digest(cause: tuple[str, ...]) -> str:
    return sha256("\n".join(cause).encode()).hexdigest()[:8]


# a record that is queued behind a parked one goes with it: its replay is the replay of the key
_OPEN = """
SELECT d.seq, d.id, d.parked_at, ARRAY[d.consumer, coalesce(d.event_type, '?'), d.reason, split_part(d.error, ':', 1)] AS cause,
    (SELECT count(*) FROM chassis.dead_letter AS q WHERE q.consumer = d.consumer AND q.topic = d.topic
        AND q.record_key = d.record_key AND q.state = 'queued') AS queued
FROM chassis.dead_letter AS d WHERE d.state = 'parked' ORDER BY d.seq
"""
