"""OS Code-Point Open as it is downloaded: CSV files without a header, one for each postcode area.

Columns: postcode, positional quality, easting, northing, country, two NHS codes, county, district, ward. The import
reads a table twice, once to check and count all of it, once to load it. A whole country then needs little memory.
The import refuses any other file before it loads anything, and names the first faults by file and line.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from bdcan_contracts.typed import Postcode, read_postcode
from bdcan_routing.domain.gazetteer import Unit, tally
from bdcan_routing.domain.wards import BOROUGH, vintage_of

MOST_FAULTS = 20
"""Reading stops after so many faults."""

_COLUMNS = 10
_QUALITIES = {"10", "20", "30", "40", "50", "60", "90"}
_NO_POSITION = "90"
_DISTRICT = re.compile(r"[EWSN]\d{8}")


class GazetteerError(Exception):
    """The files are no postcode table for this borough. `faults` names each line at fault."""

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class Row(Struct, frozen=True):
    """One postcode. Easting and northing are metres on the National Grid; None without a known position."""

    postcode: Postcode
    easting: int | None
    northing: int | None
    unit: Unit | None


class Survey(Struct, frozen=True):
    """What a table holds. `vintage` is the year of its ward boundaries in the borough."""

    name: str
    digest: str
    vintage: int
    unit_count: int
    borough_count: int
    shares: Mapping[str, Mapping[str, int]]


def csv_files(directory: Path) -> list[Path]:
    """The CSV files of a release: in the folder itself, or in its Data/CSV. Raises GazetteerError if there are none."""
    for folder in (directory, directory / "Data" / "CSV"):
        files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
        if files:
            return files
    raise GazetteerError(f"There are no CSV files in {directory} or in its Data/CSV folder.")


def survey(directory: Path) -> Survey:
    """Check and count a whole table. Raises GazetteerError."""
    faults: list[str] = []
    seen: set[Postcode] = set()
    counted: list[tuple[Postcode, Unit]] = []
    wards: Counter[int] = Counter()
    for where, row in _rows(directory, faults):
        if row.postcode in seen:
            faults.append(f"{where}: {row.postcode} is there twice")
        elif row.unit is not None:
            counted.append((row.postcode, row.unit))
            if row.unit.ward is not None and (vintage := vintage_of(row.unit.ward)):
                wards[vintage] += 1
        seen.add(row.postcode)
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise GazetteerError("This is not a Code-Point Open table.", tuple(faults[:MOST_FAULTS]))
    if len(wards) != 1:
        raise GazetteerError(
            f"The table has no postcode of the borough ({BOROUGH})."
            if not wards
            else f"The table mixes ward boundaries of {sorted(wards)}."
        )
    return Survey(
        directory.resolve().name,
        _digest(csv_files(directory)),
        next(iter(wards)),
        len(seen),
        sum(wards.values()),
        tally(counted),
    )


def rows(directory: Path) -> Iterator[Row]:
    """All rows of a table that `survey` has accepted. Raises GazetteerError if it was changed since."""
    faults: list[str] = []
    for _, row in _rows(directory, faults):
        yield row
    if faults:
        raise GazetteerError("The table was changed while it was read.", tuple(faults))


def _rows(directory: Path, faults: list[str]) -> Iterator[tuple[str, Row]]:
    for path in csv_files(directory):
        with path.open(encoding="utf-8", newline="", errors="replace") as file:
            lines = csv.reader(file)
            try:
                for fields in lines:
                    where = f"{path.name}:{lines.line_num}"
                    found = _read(fields)
                    if isinstance(found, Row):
                        yield where, found
                    else:
                        faults.append(f"{where}: {found}")
                        if len(faults) >= MOST_FAULTS:
                            return
            except csv.Error as error:
                faults.append(f"{path.name}:{lines.line_num}: {error}")


def _read(fields: list[str]) -> Row | str:
    """A row, or what is wrong with it."""
    if len(fields) != _COLUMNS:
        return f"{len(fields)} columns instead of {_COLUMNS}"
    postcode = read_postcode(fields[0])
    if not isinstance(postcode, Postcode):
        return f"column 1, {fields[0][:12]!r}, is no postcode"
    if fields[1] not in _QUALITIES:
        return f"column 2, {fields[1][:12]!r}, is no positional quality"
    if not (fields[2].isdecimal() and fields[3].isdecimal()):
        return "columns 3 and 4 are no easting and northing"
    district, ward = fields[8], fields[9]
    placed = fields[1] != _NO_POSITION
    if not district and not placed:
        return Row(postcode, None, None, None)
    if not _DISTRICT.fullmatch(district):
        return f"column 9, {district[:12]!r}, is no district code"
    if district == BOROUGH and vintage_of(ward) is None:
        return f"column 10, {ward[:12]!r}, is no ward of the borough that is known here"
    inside = ward if district == BOROUGH else None
    easting, northing = (int(fields[2]), int(fields[3])) if placed else (None, None)
    return Row(postcode, easting, northing, Unit(district, inside))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
