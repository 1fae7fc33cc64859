"""The middle of each postcode sector of the coarse gazetteer that is shipped, to 50 metres.

It serves a round until somebody imports a release. `tools/build_sectors.py` makes it from the same data as `coarse.csv`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TextIO

from bdcan_routing.domain.positions import Point, middle
from bdcan_routing.gazetteer.codepoint import Row

_HEAD = ("sector", "easting", "northing")
_ROUNDED_TO = 50


@cache
def load() -> Mapping[str, Point]:
    """Read the file that is shipped."""
    text = (files("bdcan_routing.gazetteer") / "sectors.csv").read_text("utf-8")
    return {
        line["sector"]: (int(line["easting"]), int(line["northing"]))
        for line in csv.DictReader(text.splitlines())
    }


def centres(rows: Iterable[Row]) -> dict[str, Point]:
    """The middle of each sector of a table."""
    middles = {sector: middle(at) for sector, at in points_by_sector(rows).items()}
    return {
        sector: (_rounded(easting), _rounded(northing)) for sector, (easting, northing) in middles.items()
    }


def points_by_sector(rows: Iterable[Row]) -> dict[str, list[Point]]:
    """Where the postcodes of each sector of a table lie."""
    points: dict[str, list[Point]] = {}
    for row in rows:
        if row.easting is not None and row.northing is not None:
            points.setdefault(row.postcode.sector, []).append((row.easting, row.northing))
    return points


def write(found: Mapping[str, Point], to: TextIO) -> None:
    """Write them as such a file, always in the same order."""
    out = csv.writer(to, lineterminator="\n")
    out.writerow(_HEAD)
    out.writerows((sector, *at) for sector, at in sorted(found.items()))


def _rounded(metres: int) -> int:
    return round(metres / _ROUNDED_TO) * _ROUNDED_TO
