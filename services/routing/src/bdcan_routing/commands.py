"""Verbs of routing's command line beside those that every service has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bdcan_chassis.service import Command
from bdcan_chassis.transaction import Transactions
from bdcan_routing import store
from bdcan_routing.books import use_release
from bdcan_routing.gazetteer import codepoint
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings
from bdcan_routing.store.gazetteer import CODE_POINT_OPEN, Release, UnitRow


def commands(settings: Settings) -> dict[str, Command]:
    """`seed` and `import-gazetteer`."""

    async def seed_once(transactions: Transactions, _arguments: list[str]) -> int:
        async with transactions.begin() as tx:
            changes = await seed(settings, tx)
        _say(f"routing: {changes} hub(s) and postcode table(s) seeded")
        return 0

    return {"seed": seed_once, "import-gazetteer": import_gazetteer}


async def import_gazetteer(transactions: Transactions, arguments: list[str]) -> int:
    """Load a release of Code-Point Open and use it from now on. 1: the files were refused, and nothing has changed."""
    parser = argparse.ArgumentParser(
        prog="python -m bdcan_routing import-gazetteer",
        description="Load OS Code-Point Open (CSV) and use it from now on.",
    )
    parser.add_argument(
        "directory", type=Path, help="the release, packed or not, or a folder of its CSV files"
    )
    given: Path = parser.parse_args(arguments).directory
    try:
        with codepoint.unpacked(given) as directory:
            return await _import(transactions, directory)
    except codepoint.GazetteerError as error:
        _say(f"refused: {error}", *(f"  {fault}" for fault in error.faults), error=True)
        return 1


async def _import(transactions: Transactions, directory: Path) -> int:
    found = codepoint.survey(directory)
    async with transactions.begin() as tx:
        await store.hubs.LOCK_SETUP.execute(tx.connection)
        active = await store.gazetteer.ACTIVE.first(tx.connection)
        if active is not None and active.digest == found.digest:
            _say(f"{active.name} is in use already")
            return 0
        release = Release(
            found.name,
            CODE_POINT_OPEN,
            found.digest,
            found.vintage,
            found.unit_count,
            found.borough_count,
            tx.now,
            found.unplaced_count,
        )
        await use_release(tx, release, _units(directory), found.shares)
    _say(
        f"{release.name}: {release.unit_count} postcodes, {release.borough_count} of them in the borough,"
        f" wards of {release.vintage}; in use from now on",
        *(
            [f"{release.unplaced_count} postcodes have no district or ward: their neighbours place them"]
            if release.unplaced_count
            else []
        ),
    )
    return 0


def _units(directory: Path) -> Iterator[UnitRow]:
    for row in codepoint.rows(directory):
        if row.unit is not None:
            yield str(row.postcode), row.easting, row.northing, row.unit.district, row.unit.ward


def _say(*lines: str, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write("".join(f"{line}\n" for line in lines))
