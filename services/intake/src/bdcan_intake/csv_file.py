"""A list of people as a CSV file: UTF-8, commas, a first line with the names of its columns, in any order.

Columns, none of them required, all described in COLUMNS. A row that cannot be taken on never stops the others.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from bdcan_contracts.envelope import Problem
from bdcan_contracts.typed import free_text, one_line
from bdcan_intake.domain.submission import Examined, examine
from bdcan_intake.forms import ReferralForm, read_referral

COLUMNS = {
    "reference": "your own reference of this person's request, not about the person; the same one is never taken twice",
    "channel": "phone, email, web, partner, outreach, nhs-list, gp or pharmacy; outreach if empty",
    "name": "full name",
    "phone": "in any notation",
    "email": "",
    "birth_date": "YYYY-MM-DD or DD/MM/YYYY",
    "nhs_number": "",
    "address": "without the postcode",
    "postcode": "in any notation",
    "adults": "people of 16 and over; 1 if children or infants are given alone",
    "children": "1 to 15 years",
    "infants": "under 1 year",
    "needs": "codes with semicolons or spaces between: food-parcel;prescription",
    "diets": "codes, likewise",
    "flags": "codes, likewise",
    "priority": "urgent, standard or routine",
    "notes": "anything that helps the person who calls",
    "consent": "yes or no: whether the person agreed to be contacted; empty if nobody asked",
    "outreach": "yes or no; yes if empty: a list never delays a person who rings",
}
"""Every column and what belongs in it."""

_PERSON = ("name", "phone", "email", "birth_date", "nhs_number", "address", "postcode")
_HOUSEHOLD = ("adults", "children", "infants")
_LISTS = ("needs", "diets", "flags")
_BETWEEN = re.compile(r"[;,|\s]+")
_YES_NO = {
    "yes": True,
    "y": True,
    "true": True,
    "1": True,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
}
_LONGEST_CELL = 10_000


class Row(NamedTuple):
    """One row: a submission to take on, or what is wrong with it, by column."""

    line: int
    reference: str | None
    examined: Examined | None
    problems: tuple[Problem, ...]


class FileError(Exception):
    """The file as a whole cannot be read; `errors` says why."""

    def __init__(self, *errors: Problem) -> None:
        super().__init__("The file cannot be read: nothing was taken on.")
        self.errors = errors


class Sheet(NamedTuple):
    """A file taken apart into cells, none of which has been looked at: each row that is not blank, with the line where it begins."""

    header: list[str]
    cells: list[tuple[int, list[str]]]

    def rows(self, start: int, stop: int, source: str, import_id: UUID, today: date) -> list[Row]:
        """Look at some of the rows, in order."""
        return [
            _row(line, self.header, cells, source, import_id, today) for line, cells in self.cells[start:stop]
        ]


def take_apart(content: bytes, most: int) -> Sheet:
    """The cells of a file. Raises FileError if it is not such a file, or has more than `most` rows.

    It is quick beside looking at the rows, so that the whole file is known to be one before its first row is taken on.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(
            Problem("", "not-utf-8", f"line {line} is not UTF-8: save the file as CSV UTF-8")
        ) from None
    if "\0" in text:
        raise FileError(Problem("", "not-text", "the file holds zero bytes: it is no text file"))
    csv.field_size_limit(_LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = _header(lines)
    cells = list(islice(_cells(lines), most + 1))
    if len(cells) > most:
        raise FileError(Problem("", "too-many-rows", f"a file has {most} rows at most: split it"))
    return Sheet(header, cells)


def _header(lines: Any) -> list[str]:
    first = next(_cells(lines), None)
    if first is None:
        raise FileError(Problem("", "empty", "the file is empty: its first line names the columns"))
    header = [(one_line(name) or "").lower().replace(" ", "_").replace("-", "_") for name in first[1]]
    wrong = [Problem(name[:60], "unknown-column", "no such column") for name in header if name not in COLUMNS]
    wrong += [
        Problem(name, "twice", "the column stands there twice") for name in COLUMNS if header.count(name) > 1
    ]
    if wrong:
        raise FileError(*wrong)
    return header


def _cells(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line where it begins."""
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(Problem("", "not-csv", f"line {lines.line_num}: {error}")) from None
        if any(map(free_text, cells)):
            yield line, cells


def _row(line: int, header: list[str], cells: list[str], source: str, import_id: UUID, today: date) -> Row:
    given = zip(header, map(free_text, cells), strict=False)
    row = {name: text for name, text in given if text is not None}
    reference = row.get("reference")
    if len(cells) > len(header):
        wrong = Problem("", "too-many-cells", "the row has more cells than the header: is a comma unquoted?")
        return Row(line, reference, None, (wrong,))
    form = read_referral(_form(row), today, strict=False)
    if isinstance(form, ReferralForm):
        examined = examine(form.submission(source, import_id), today)
        if not examined.problems:
            return Row(line, reference, examined, ())
        found = examined.problems
    else:
        found = form
    return Row(line, reference, None, tuple(Problem(_column(p.field), p.code, p.message) for p in found))


def _form(row: dict[str, str]) -> dict[str, Any]:
    form: dict[str, Any] = {
        "channel": row.get("channel", "outreach"),
        "person": {name: row[name] for name in _PERSON if name in row},
        "outreach": _yes_no(row.get("outreach", "yes")),
    }
    if any(name in row for name in _HOUSEHOLD):
        form["household"] = {name: row[name] for name in _HOUSEHOLD if name in row}
    for name in _LISTS:
        if name in row:
            form[name] = [code for code in _BETWEEN.split(row[name].lower()) if code]
    for name in ("reference", "priority", "notes"):
        if name in row:
            form[name] = row[name]
    if "consent" in row:
        form["consent"] = _yes_no(row["consent"])
    return form


def _yes_no(cell: str) -> bool | str:
    """True or False; anything else is left for the form to refuse."""
    return _YES_NO.get(cell.lower(), cell)


def _column(field: str) -> str:
    """The column that a field of the form came from."""
    parts = field.split(".")
    return parts[1] if parts[0] in {"person", "household"} and len(parts) > 1 else parts[0]
