"""Postcode tables. One release is active; another one is loaded and becomes active in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import astuple

from bdcan_chassis.database import Connection
from bdcan_chassis.table import Query, Statement, Table
from bdcan_contracts.typed import Postcode
from bdcan_routing.domain.gazetteer import Lookup, Unit
from bdcan_routing.domain.neighbours import Guess

COARSE = "coarse"
CODE_POINT_OPEN = "code-point-open"

UnitRow = tuple[str, int | None, int | None, str, str | None]
"""Postcode, easting and northing in metres (None: unknown), district, ward (None outside the borough)."""


class Release(Struct, frozen=True):
    """A postcode table. `digest` is the sha256 of the files that it was loaded from.

    `unplaced_count`: postcodes of which it does not say where they lie. `wards`: how many lie in each ward, by code.
    """

    name: str
    kind: str
    digest: str
    vintage: int
    unit_count: int
    borough_count: int
    imported_at: datetime
    unplaced_count: int
    wards: Mapping[str, int]


class Loaded(Release, frozen=True):
    """A release in the database."""

    release_id: int


RELEASE = Table("gazetteer_release", Release, key=(), stamp="imported_at")

# The release in which postcodes are looked up.
ACTIVE = Query("SELECT {columns} FROM gazetteer_release WHERE active", Loaded)

# The release before the active one, to go back to.
PREVIOUS = Query(
    "SELECT {columns} FROM gazetteer_release WHERE NOT active ORDER BY release_id DESC LIMIT 1", Loaded
)

# The release that was loaded last.
NEWEST = Statement("SELECT max(release_id) FROM gazetteer_release")

# District and ward of some postcodes.
UNITS = Statement(
    """
    SELECT postcode, district_gss, ward_gss FROM gazetteer_unit
    WHERE release_id = :release_id AND postcode = ANY (:postcodes)
    """
)

# Where their neighbours put some postcodes that the release does not place.
GUESSES = Statement(
    """
    SELECT postcode, ward_gss, confidence, outside, agreeing, neighbours, by_position FROM gazetteer_guess
    WHERE release_id = :release_id AND postcode = ANY (:postcodes)
    """
)

# How many postcodes of some prefixes lie in which place.
SHARES = Statement(
    """
    SELECT prefix, place_gss, postcodes FROM gazetteer_share
    WHERE release_id = :release_id AND prefix = ANY (:prefixes)
    """
)

# No release is active for the moment.
RETIRE = Statement("UPDATE gazetteer_release SET active = false WHERE active")

# This release is active.
ACTIVATE = Statement("UPDATE gazetteer_release SET active = true WHERE release_id = :release_id")

# The newest two stay: the active one and the one to go back to.
FORGET = Statement(
    """
    DELETE FROM gazetteer_release WHERE release_id NOT IN (
        SELECT release_id FROM gazetteer_release ORDER BY active DESC, release_id DESC LIMIT 2
    )
    """
)


async def ask(connection: Connection, postcodes: Iterable[str], prefixes: Iterable[str]) -> Lookup | None:
    """What the active release says about these postcodes and prefixes. None: no release is active."""
    release = await ACTIVE.first(connection)
    if release is None:
        return None
    found = await UNITS.records(connection, release_id=release.release_id, postcodes=sorted(postcodes))
    shares: dict[str, dict[str, int]] = {}
    for prefix, place, count in await SHARES.records(
        connection, release_id=release.release_id, prefixes=sorted(prefixes)
    ):
        shares.setdefault(prefix, {})[place] = count
    units = {postcode: Unit(district, ward) for postcode, district, ward in found}
    unknown = sorted(set(postcodes) - units.keys()) if release.kind != COARSE else []
    guesses = {
        postcode: Guess(*guess)
        for postcode, *guess in (
            await GUESSES.records(connection, release_id=release.release_id, postcodes=unknown)
            if unknown
            else ()
        )
    }
    return Lookup(release.name, release.kind == COARSE, units, shares, guesses)


async def load(
    connection: Connection,
    release: Release,
    units: Iterable[UnitRow],
    shares: Mapping[str, Mapping[str, int]],
    guesses: Iterable[tuple[Postcode, Guess]],
    now: datetime,
) -> None:
    """Load a release and make it the active one. Of the earlier ones, the last keeps its rows.

    `guesses` is read after `units`.

    A whole country has 1.7 million postcodes: COPY streams them, so that they need little memory.
    """
    await connection.execute("SET LOCAL statement_timeout = 0")
    await RELEASE.insert(connection, [release], now)
    release_id = await NEWEST.value(connection)
    await connection.copy_records_to_table(
        "gazetteer_unit",
        columns=["release_id", "postcode", "easting", "northing", "district_gss", "ward_gss"],
        records=((release_id, *unit) for unit in units),
        timeout=1800,
    )
    await connection.copy_records_to_table(
        "gazetteer_share",
        columns=["release_id", "prefix", "place_gss", "postcodes"],
        records=(
            (release_id, prefix, place, count)
            for prefix, places in shares.items()
            for place, count in places.items()
        ),
        timeout=600,
    )
    await connection.copy_records_to_table(
        "gazetteer_guess",
        columns=["release_id", "postcode", "ward_gss", *Guess.__struct_fields__[1:]],
        records=((release_id, str(postcode), *astuple(guess)) for postcode, guess in guesses),
        timeout=600,
    )
    await switch(connection, release_id)
    await connection.execute(FORGET.sql, timeout=600)


async def switch(connection: Connection, release_id: int) -> None:
    """Look postcodes up in this release from now on."""
    await RETIRE.execute(connection)
    await ACTIVATE.execute(connection, release_id=release_id)
