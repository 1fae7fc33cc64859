"""A list of people as a CSV file, as spreadsheets write it: the first line names its columns, in any order.

Columns, none of them required, all described in COLUMNS. A row that cannot be taken on never stops the others. A detail that
nobody can read is kept as typed, and costs nobody their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.submission import Examined, examine, with_unclear
from bdcan_contracts.typed import free_text, one_line, read_yes_no
from bdcan_contracts.typed.codes import longest, read_code
from bdcan_contracts.vocabulary import Diet, Flag, NeedCode
from bdcan_contracts.words import Word
from bdcan_intake.csv_text import Record, other_file, records
from bdcan_intake.forms import read_referral

COLUMNS = {
    "reference": "your own reference of this person's request, not about the person; the same one is never taken twice",
    "channel": "phone, email, web, partner, outreach, nhs-list, gp or pharmacy; outreach if empty",
    "name": "full name",
    "phone": "in any notation",
    "email": "",
    "birth_date": "YYYY-MM-DD, DD/MM/YYYY or any other notation, the day before the month",
    "nhs_number": "",
    "address": "without the postcode",
    "postcode": "in any notation",
    "adults": "people of 16 and over; 1 if children or infants are given alone",
    "children": "1 to 15 years",
    "infants": "under 1 year",
    "needs": "codes or everyday words with semicolons or commas between: food-parcel;tablets",
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
_LISTS: dict[str, type[Word]] = {"needs": NeedCode, "diets": Diet, "flags": Flag}
_REQUIRED = frozenset({"reference", *_LISTS})
"""Columns that a row is refused for. Whatever else cannot be read is kept as typed."""
_LONGEST = {
    "name": 200, "phone": 60, "email": 254, "nhs_number": 60, "address": 500, "postcode": 60, "notes": 2000,
}  # fmt: skip
_LONGEST_CELL = 32_767
"""What a cell of Excel holds at most."""
MOST_PROBLEMS = 20
"""Problems of one row, or of the header, that are named; the others are counted."""
_MOST_UNNAMED = 50
_BETWEEN = re.compile(r"[;,|/+&\n]+")
# ="0770" keeps a spreadsheet from making a number of it; an apostrophe does the same, and guards against formulas
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_APOSTROPHE = re.compile(r"'(?=[\d=+@-])")
_SPREADSHEET_ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!"}
)
_TOTAL = re.compile(
    r"(?:grand |sub-?)?totals?(?: (?:number|rows|records|people|persons|residents|patients|referrals))?\b[ :]*\d*"
    r"|(?:sum|count|average)\b[ :]*\d*|\W*end of (?:list|file|report|data)\W*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\d., %]+|=[A-Z]+\(.*\)")
_REMARK = re.compile(r"\(.*?\)|\[.*?\]")
"""What a header says about a column beside its name, such as a unit."""
_NAMED = {
    "reference": "ref refno referenceno referencenumber uniquereference",
    "name": "fullname clientname residentname patientname residentsname patientsname",
    "phone": "telephone tel telno telephoneno telephonenumber phoneno phonenumber mobile mobileno mobilenumber landline"
    " contactnumber",
    "email": "emailaddress",
    "birth_date": "dob dateofbirth birthday",
    "nhs_number": "nhsno nhs",
    "address": "homeaddress",
    "adults": "adult noofadults numberofadults",
    "children": "child noofchildren numberofchildren",
    "infants": "infant babies noofinfants numberofinfants",
    "needs": "need",
    "diets": "diet dietary dietaryrequirements dietaryneeds",
    "flags": "flag",
    "notes": "note comment comments",
}
"""What else people call a column."""
_TOGETHER = {"phone": " / ", "notes": "\n"}
"""Columns that a list may have several times, and what parts their cells."""
_NOTHING = frozenset(
    {"-", "--", "\u2013", "n/a", "na", "none", "nil", "unknown", "not known", "not applicable"}
)
_MAY_BE_NOTHING = frozenset(
    {*_HOUSEHOLD, *_LISTS, "phone", "email", "birth_date", "nhs_number", "postcode", "priority"}
)


_SQUEEZED = {name.replace("_", ""): name for name in COLUMNS} | {
    other: name for name, others in _NAMED.items() for other in others.split()
}


class Row(NamedTuple):
    """One row: a submission to take on, or what is wrong with it, by column.

    `kept` names the details of a submission that nobody could read. `more` counts problems that are not named.
    """

    line: int
    reference: str | None
    examined: Examined | None
    problems: tuple[Problem, ...]
    kept: tuple[Problem, ...] = ()
    more: int = 0


class FileError(Exception):
    """The file as a whole cannot be read; `errors` says why."""

    def __init__(self, *errors: Problem) -> None:
        super().__init__("The file cannot be read: nothing was taken on.")
        self.errors = errors


class OtherFileError(Exception):
    """The file is of another kind; the message says which, and what to do."""

    code = "other-file"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errors = (Problem("", self.code, message),)


class Sheet(NamedTuple):
    """A file taken apart into rows, none of which has been looked at. A column without a name has an empty one."""

    header: list[str]
    records: list[Record]

    def rows(self, start: int, stop: int, source: str, import_id: UUID, today: date) -> list[Row]:
        """Look at some of the rows, in order."""
        return [_row(record, self.header, source, import_id, today) for record in self.records[start:stop]]


def take_apart(content: bytes, most: int) -> Sheet:
    """The rows of a file. Raises OtherFileError for a file of another kind.

    Raises FileError if its first line does not name columns, or if it has more than `most` rows. It is quick beside
    looking at the rows, so that the whole file is known to be one before its first row is taken on.
    """
    if what := other_file(content):
        raise OtherFileError(
            f"This is {what}, not a CSV file. Open it in a spreadsheet, choose Save As, CSV UTF-8, and send that file."
        )
    rows = records(content, lambda cell: _column_named(cell) in COLUMNS)
    header = _header(next(rows, None))
    found = list(islice(rows, most + 1))
    if len(found) > most:
        raise FileError(Problem("", "too-many-rows", f"a file has {most} rows at most: split it"))
    return Sheet(header, found)


def _header(first: Record | None) -> list[str]:
    if first is None:
        raise FileError(Problem("", "empty", "the file is empty: its first line names the columns"))
    if first.cells is None:
        raise FileError(Problem("", "stray-quote", "a quotation mark in the first line is not closed"))
    header = list(map(_column_named, first.cells))
    unknown = [(name, place) for place, name in enumerate(header, 1) if name and name not in COLUMNS]
    wrong = [_unknown(name, place) for name, place in unknown[:MOST_PROBLEMS]]
    if more := len(unknown) - len(wrong):
        wrong.insert(0, Problem("", "more", f"{more} more columns are not known"))
    wrong += [
        Problem(name, "twice", "the column stands there twice: remove one")
        for name in COLUMNS
        if header.count(name) > 1 and name not in _TOGETHER
    ]
    if wrong:
        raise FileError(*wrong)
    return header


def _column_named(cell: str) -> str:
    """The column that a cell of the header names, however it is written; empty for a blank cell."""
    words = (one_line(cell) or "").lower()
    for said in (words, _REMARK.sub("", words)):
        if name := _SQUEEZED.get(re.sub(r"[\W_]+", "", said)):
            return name
    return words


def _unknown(name: str, place: int) -> Problem:
    """The problem of a column that nobody knows. Where the header is missing, its name may be somebody's."""
    near = get_close_matches(re.sub(r"[\W_]+", "", name), _SQUEEZED, 1)
    advice = (
        f"do you mean {_SQUEEZED[near[0]]}?"
        if near
        else f"rename or remove it; known are: {', '.join(COLUMNS)}"
    )
    return Problem(f"column {place}", "unknown-column", f"no such column: {advice}")


def _row(record: Record, header: list[str], source: str, import_id: UUID, today: date) -> Row:
    if record.cells is None:
        message = (
            "a quotation mark in this line is not closed: remove it or write it twice, and send the row again"
        )
        return Row(record.line, None, None, (Problem("", "stray-quote", message),))
    cells = [_text(cell) for cell in record.cells]
    row = _by_column(header, cells)
    reference = row.get("reference")
    if wrong := _wrong(header, cells):
        return Row(record.line, reference, None, (wrong,))
    unclear = {
        f"column {place}": text
        for place, (name, text) in enumerate(zip(header, cells, strict=False), 1)
        if text is not None and not name
    }
    if len(unclear) > _MOST_UNNAMED:
        message = (
            f"the row has {len(unclear)} cells in columns without a name: name the columns, or remove them"
        )
        return Row(record.line, reference, None, (Problem("", "unnamed-columns", message),))
    for name in [name for name in row if row[name] in _SPREADSHEET_ERRORS]:
        unclear[name] = row.pop(name)
    for name, most in _LONGEST.items():
        if len(text := row.get(name, "")) > most:
            unclear[name], row[name] = text, text[:most]
    form = read_referral(_form(row), today, strict=False)
    if isinstance(form, list) and (optional := {_column(p.field) for p in form} & row.keys() - _REQUIRED):
        unclear |= {name: row.pop(name) for name in sorted(optional)}
        form = read_referral(_form(row), today, strict=False)
    if isinstance(form, list):
        found: Sequence[Problem] = form
    else:
        said = form.submission(source, import_id)
        examined = examine(with_unclear(said, unclear), today)
        found = examined.problems
        if not found:
            kept = tuple(map(_kept, examined.submission.person.unclear))
            return Row(record.line, reference, examined, (), kept)
    named = tuple(Problem(_column(p.field), p.code, p.message) for p in found[:MOST_PROBLEMS])
    return Row(record.line, reference, None, named, more=len(found) - len(named))


def _by_column(header: list[str], cells: list[str | None]) -> dict[str, str]:
    """What the row says, by column. A cell with a word for nothing says nothing."""
    row: dict[str, str] = {}
    for name, text in zip(header, cells, strict=False):
        if not name or text is None or (name in _MAY_BE_NOTHING and text.lower() in _NOTHING):
            continue
        row[name] = f"{row[name]}{_TOGETHER[name]}{text}" if name in row else text
    return row


def _text(cell: str) -> str | None:
    """What a cell says, without what only a spreadsheet needs."""
    text = free_text(cell)
    if text is None or text[0] not in "='":
        return text
    if formula := _FORMULA.fullmatch(text):
        return free_text(formula[1].replace('""', '"'))
    return _APOSTROPHE.sub("", text, count=1) if text[0] == "'" else text


def _wrong(header: list[str], cells: list[str | None]) -> Problem | None:
    """What is wrong with a row as a whole."""
    if any(cells[len(header) :]):
        return Problem(
            "", "too-many-cells", "the row has more cells than the header: put a text with commas in quotes"
        )
    said = [text for text in cells if text]
    if said and _TOTAL.fullmatch(said[0]) and all(map(_NUMBER.fullmatch, said[1:])):
        return Problem("", "totals-row", "this is a row of totals and names nobody: remove it")
    if len(said) > 1 and [_column_named(text) for text in cells if text] == [name for name in header if name]:
        return Problem("", "header-again", "this line names the columns again: remove it")
    for place, text in enumerate(cells):
        if text and len(text) > _LONGEST_CELL:
            message = (
                f"the cell has {len(text)} characters, {_LONGEST_CELL} at most: is a quotation mark missing?"
            )
            return Problem(header[place], "cell-too-long", message)
    return None


def _kept(name: str) -> Problem:
    message = "this could not be read. The person is taken on, and it is kept as typed: amend the referral if you can"
    return Problem(name, "kept-as-typed", message)


def _form(row: dict[str, str]) -> dict[str, Any]:
    form: dict[str, Any] = {
        "channel": row.get("channel", "outreach"),
        "person": {name: row[name] for name in _PERSON if name in row},
        "outreach": _yes_no(row.get("outreach", "yes")),
    }
    if any(name in row for name in _HOUSEHOLD):
        form["household"] = {name: row[name] for name in _HOUSEHOLD if name in row}
    for name, kind in _LISTS.items():
        if name in row:
            form[name] = list(_codes(row[name], kind))
    for name in ("reference", "notes"):
        if name in row:
            form[name] = row[name]
    if "priority" in row:
        form["priority"] = row["priority"].lower()
    if "consent" in row:
        form["consent"] = _yes_no(row["consent"])
    return form


def _codes(cell: str, kind: type[Word]) -> Iterable[str]:
    """The codes in a cell. Blanks part codes, unless they part the words of one, such as `food parcel`."""
    for part in _BETWEEN.split(cell):
        words = part.split()
        while words:
            many, code = next(_known_beginnings(words, kind), (1, words[0]))
            yield code
            del words[:many]


def _known_beginnings(words: list[str], kind: type[Word]) -> Iterator[tuple[int, str]]:
    """How many of the words, from the first on, mean which code: the longest beginning first."""
    for many in range(min(len(words), longest(kind)), 0, -1):
        if code := read_code(kind, " ".join(words[:many])):
            yield many, code


def _yes_no(cell: str) -> bool | str:
    """True or False; anything else is left for the form to refuse."""
    said = read_yes_no(cell)
    return cell if said is None else said


def _column(field: str) -> str:
    """The column that a field of the form came from."""
    parts = field.split(".")
    return parts[1] if parts[0] in {"person", "household"} and len(parts) > 1 else parts[0]
