"""Verbs of routing's command line beside those that every service has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from bdcan_chassis.service import Command
from bdcan_chassis.transaction import Transactions
from bdcan_routing import store
from bdcan_routing.books import use_previous_release, use_release
from bdcan_routing.domain.neighbours import Known, guesses
from bdcan_routing.domain.wards import BOROUGH, WARDS, ward_name
from bdcan_routing.gazetteer import coarse, codepoint
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings
from bdcan_routing.store.gazetteer import CODE_POINT_OPEN, Release, UnitRow

_CUT_OFF_BELOW = 0.9
"""A table with a smaller share of the borough's postcodes than this is asked about: releases differ by a hundredth."""


def commands(settings: Settings) -> dict[str, Command]:
    """`seed`, `import-gazetteer` and `previous-gazetteer`."""

    async def seed_once(transactions: Transactions, _arguments: list[str]) -> int:
        async with transactions.begin() as tx:
            changes = await seed(settings, tx)
        _say(f"routing: {changes} hub(s) and postcode table(s) seeded")
        return 0

    return {"seed": seed_once, "import-gazetteer": import_gazetteer, "previous-gazetteer": previous_gazetteer}


async def import_gazetteer(transactions: Transactions, arguments: list[str]) -> int:
    """Load a release of Code-Point Open and use it from now on. 1: the files were refused, and nothing has changed."""
    parser = argparse.ArgumentParser(
        prog="python -m bdcan_routing import-gazetteer",
        description="Load OS Code-Point Open (CSV) and use it from now on.",
    )
    parser.add_argument(
        "directory", type=Path, help="the release, packed or not, or a folder of its CSV files"
    )
    parser.add_argument(
        "--even-if-smaller",
        action="store_true",
        help="also if it has far fewer postcodes of the borough than the table before it",
    )
    options = parser.parse_args(arguments)
    given: Path = options.directory
    try:
        with codepoint.unpacked(given) as directory:
            return await _import(transactions, directory, even_if_smaller=options.even_if_smaller)
    except codepoint.GazetteerError as error:
        _say(f"refused: {error}", *(f"  {fault}" for fault in error.faults), error=True)
        return 1


async def previous_gazetteer(transactions: Transactions, arguments: list[str]) -> int:
    """Go back to the release before this one. 1: there is none."""
    argparse.ArgumentParser(
        prog="python -m bdcan_routing previous-gazetteer",
        description="Use the postcode table that was in use before, from now on. Once more goes forward again.",
    ).parse_args(arguments)
    async with transactions.begin() as tx:
        switched = await use_previous_release(tx)
    if switched is None:
        _say("refused: no other postcode table is loaded. Import one.", error=True)
        return 1
    before, after = switched
    _say(
        f"{after.name} is in use from now on, and no longer {before.name}. Referrals that have a hub keep it."
    )
    return 0


async def _import(transactions: Transactions, directory: Path, *, even_if_smaller: bool) -> int:
    found = codepoint.survey(directory)
    async with transactions.begin() as tx:
        await store.hubs.LOCK_SETUP.execute(tx.connection)
        active = await store.gazetteer.ACTIVE.first(tx.connection)
        if active is not None and active.digest == found.digest:
            _say(f"{active.name} is in use already")
            return 0
        before = active.borough_count if active and active.borough_count else coarse.load().borough_count
        if found.borough_count < _CUT_OFF_BELOW * before and not even_if_smaller:
            raise codepoint.GazetteerError(
                f"{found.name} has {found.borough_count} postcodes of the borough, and the table before it {before}:"
                " it looks cut off. Download it again. If it is whole, add --even-if-smaller."
            )
        release = Release(
            found.name,
            CODE_POINT_OPEN,
            found.digest,
            found.vintage,
            found.unit_count,
            found.borough_count,
            tx.now,
            found.unplaced_count,
            found.wards,
        )
        touching = {
            prefix for prefix, places in found.shares.items() if any(place in WARDS for place in places)
        }
        near: list[Known] = []
        await use_release(tx, release, _units(directory, touching, near), found.shares, guesses(near))
    _say(
        f"{release.name}: {release.unit_count} postcodes, {release.borough_count} of them in the borough,"
        f" wards of {release.vintage}; in use from now on",
        *(
            [f"{release.unplaced_count} postcodes have no district or ward: their neighbours place them"]
            if release.unplaced_count
            else []
        ),
        *(f"  {count:>5}  {ward_name(ward)}" for ward, count in release.wards.items()),
    )
    return 0


def _units(directory: Path, touching: Collection[str], near: list[Known]) -> Iterator[UnitRow]:
    """The rows that say where they lie. Those of a sector in `touching` are added to `near`, placed or not."""
    for row in codepoint.rows(directory):
        place = row.unit and (row.unit.ward or (row.unit.district if row.unit.district != BOROUGH else None))
        if row.postcode.sector in touching:
            at = (row.easting, row.northing) if row.easting and row.northing else None
            near.append(Known(row.postcode, at, place))
        if row.unit and place:
            yield str(row.postcode), row.easting, row.northing, row.unit.district, row.unit.ward


def _say(*lines: str, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write("".join(f"{line}\n" for line in lines))
