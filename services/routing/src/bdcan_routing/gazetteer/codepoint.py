"""OS Code-Point Open as it is downloaded: CSV files, one for each postcode area, packed (`codepo_gb.zip`) or unpacked.

Columns: postcode, positional quality, easting, northing, country, two NHS codes, county, district, ward. Releases differ:
some have a header, no quality, quotes or none, empty cells at the end of a row, and rows without a position, a district
or a ward. Such rows are read and counted: they place nobody.

The import reads a table twice, once to check and count all of it, once to load it. A whole country then needs little memory.
The import refuses any other file before it loads anything, and names the first faults by file and line.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from msgspec import Struct

from bdcan_contracts.typed import Postcode, read_postcode
from bdcan_routing.domain.gazetteer import Unit, tally
from bdcan_routing.domain.wards import BOROUGH, vintage_of

MOST_FAULTS = 20
"""Reading stops after so many faults."""

_COLUMNS = 10
_HEADERS = {"pc", "postcode"}
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
    """What a table holds. `vintage` is the year of its ward boundaries in the borough.

    `unplaced_count`: postcodes of which the table does not say in which district, or in which ward of the borough, they lie.
    `wards`: how many postcodes lie in each ward of the borough.
    """

    name: str
    digest: str
    vintage: int
    unit_count: int
    borough_count: int
    unplaced_count: int
    wards: Mapping[str, int]
    shares: Mapping[str, Mapping[str, int]]


@contextmanager
def unpacked(release: Path) -> Iterator[Path]:
    """The folder of a release; of a packed one, a folder that exists inside the block. Raises GazetteerError."""
    packed = [release] if release.is_file() else sorted(release.glob("*.zip"))
    if not packed or any(csv_folders(release)):
        yield release
        return
    with TemporaryDirectory() as made:
        folder = Path(made, release.stem if release.is_file() else release.resolve().name)
        folder.mkdir()
        for path in packed:
            _unpack(path, folder)
        yield folder


def _unpack(path: Path, folder: Path) -> None:
    try:
        with ZipFile(path) as archive:
            for entry in archive.infolist():
                inside = PurePosixPath(entry.filename)
                if inside.suffix.lower() == ".csv" and "doc" not in map(str.lower, inside.parts):
                    with archive.open(entry) as source, Path(folder, inside.name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    except (BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise GazetteerError(f"{path.name} cannot be unpacked. Download it again.") from error


def csv_folders(directory: Path) -> Iterator[Path]:
    """The folders that may hold a release's CSV files: itself, its Data/CSV, or those of its only subfolder of this kind."""
    below = sorted(directory.glob("*/Data/CSV")) if directory.is_dir() else []
    for folder in (directory, directory / "Data" / "CSV", *below):
        if folder.is_dir() and _csv_in(folder):
            yield folder


def csv_files(directory: Path) -> list[Path]:
    """The CSV files of a release: in the folder itself, or in its Data/CSV. Raises GazetteerError if there are none."""
    for folder in csv_folders(directory):
        return _csv_in(folder)
    raise GazetteerError(f"There are no CSV files in {directory} or in its Data/CSV folder.")


def _csv_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")


def survey(directory: Path) -> Survey:
    """Check and count a whole table. Raises GazetteerError."""
    faults: list[str] = []
    seen: set[Postcode] = set()
    counted: list[tuple[Postcode, Unit]] = []
    wards: Counter[str] = Counter()
    unplaced = 0
    for where, row in _rows(directory, faults):
        if row.postcode in seen:
            faults.append(f"{where}: {row.postcode} is there twice")
        elif row.unit is None or row.unit == Unit(BOROUGH, None):
            unplaced += 1
        else:
            counted.append((row.postcode, row.unit))
            if row.unit.ward is not None:
                wards[row.unit.ward] += 1
        seen.add(row.postcode)
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise GazetteerError("This is not a Code-Point Open table.", tuple(faults[:MOST_FAULTS]))
    vintages = {vintage_of(ward) for ward in wards}
    if len(vintages) != 1:
        raise GazetteerError(
            f"The table has no postcode of the borough ({BOROUGH})."
            if not vintages
            else f"The table mixes ward boundaries of {sorted(filter(None, vintages))}."
        )
    return Survey(
        directory.resolve().name,
        _digest(csv_files(directory)),
        vintage_of(next(iter(wards))) or 0,
        len(seen),
        wards.total(),
        unplaced,
        dict(sorted(wards.items())),
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
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            lines = csv.reader(file)
            try:
                for cells in lines:
                    where = f"{path.name}:{lines.line_num}"
                    fields = _fields(cells)
                    header = lines.line_num == 1 and fields[:1] and fields[0].casefold() in _HEADERS
                    if not any(fields) or (header and len(fields) >= _COLUMNS - 1):
                        continue
                    found = _read(fields)
                    if isinstance(found, Row):
                        yield where, found
                    else:
                        faults.append(f"{where}: {found}")
                        if len(faults) >= MOST_FAULTS:
                            return
            except csv.Error as error:
                faults.append(f"{path.name}:{lines.line_num}: {error}")


def _fields(cells: list[str]) -> list[str]:
    """The ten columns of a row: without empty cells behind them, and with an empty quality where a release has none."""
    fields = [cell.strip() for cell in cells]
    while len(fields) > _COLUMNS and not fields[-1]:
        fields.pop()
    if len(fields) == _COLUMNS - 1 and not _DISTRICT.fullmatch(fields[2]):
        fields.insert(1, "")
    return fields


def _read(fields: list[str]) -> Row | str:
    """A row, or what is wrong with it."""
    if len(fields) != _COLUMNS:
        return f"{len(fields)} columns instead of {_COLUMNS}"
    postcode = read_postcode(fields[0])
    if not isinstance(postcode, Postcode):
        return f"column 1, {fields[0][:12]!r}, is no postcode"
    if fields[1] and fields[1] not in _QUALITIES:
        return f"column 2, {fields[1][:12]!r}, is no positional quality"
    if not all(not place or place.isdecimal() for place in fields[2:4]):
        return "columns 3 and 4 are no easting and northing"
    at = [int(place or 0) for place in fields[2:4]]
    easting, northing = at if all(at) and fields[1] != _NO_POSITION else (None, None)
    district, ward = fields[8], fields[9]
    if not district and vintage_of(ward):  # only the borough has this ward
        district = BOROUGH
    if not district:
        return Row(postcode, easting, northing, None)
    if not _DISTRICT.fullmatch(district):
        return f"column 9, {district[:12]!r}, is no district code"
    if district == BOROUGH and ward and vintage_of(ward) is None:
        return f"column 10, {ward[:12]!r}, is no ward of the borough that is known here"
    inside = ward if district == BOROUGH and ward else None
    return Row(postcode, easting, northing, Unit(district, inside))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
