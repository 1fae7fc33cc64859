"""Where a home lies, as far as its postcode says."""

from __future__ import annotations

import io
from pathlib import Path

from bdcan_contracts.typed import Fragment, read_postcode
from bdcan_routing.domain.positions import Position, Sure, position_of
from bdcan_routing.gazetteer import codepoint, sectors

HOME = read_postcode("RM10 8XX")
CENTRES = {"RM10 8": (550000, 185000)}


def test_known_postcode_is_a_point() -> None:
    known = {"RM10 8XX": (550123, 185321)}
    assert position_of(HOME, known, CENTRES) == Position(550123, 185321, Sure.POSTCODE)


def test_unknown_postcode_lies_between_those_of_its_sector_and_letter() -> None:
    known = {"RM10 8XA": (100, 200), "RM10 8XB": (300, 400), "RM10 8AA": (9000, 9000)}
    assert position_of(HOME, known, CENTRES) == Position(200, 300, Sure.SECTOR)


def test_unknown_postcode_of_an_unknown_letter_lies_in_its_sector() -> None:
    assert position_of(HOME, {"RM10 8AA": (100, 200)}, CENTRES) == Position(100, 200, Sure.SECTOR)


def test_without_a_table_the_shipped_middle_of_the_sector_serves() -> None:
    assert position_of(HOME, {}, CENTRES) == Position(550000, 185000, Sure.SECTOR)


def test_what_is_no_postcode_lies_nowhere() -> None:
    for given in (None, Fragment("somewhere", None), read_postcode("ZZ99 9ZZ")):
        assert position_of(given, {}, CENTRES) is None


def test_every_sector_of_the_shipped_counts_has_a_middle(code_point: Path) -> None:
    made = io.StringIO()
    sectors.write(sectors.centres(codepoint.rows(code_point)), made)
    shipped = Path(sectors.__file__).with_name("sectors.csv").read_text("utf-8")
    assert made.getvalue() == shipped, "stale: run services/routing/tools/build_sectors.py"
