"""A CSV file taken apart into rows of cells, as Excel, Google Sheets, LibreOffice and Numbers write it.

Commas, semicolons, tabs and bars part the cells, whatever `sep=` says; text is UTF-8, UTF-16 or an old code page; lines end
in any way. A stray quotation mark spoils no more than the lines that it stands in.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# the byte order mark, and what becomes of it where a program took UTF-8 for Windows-1252
_MARKS = re.compile("\\A(?:\ufeff|\xef\xbb\xbf)+")
_SEP = re.compile(r'"?sep=(.)"?[,;\t| ]*', re.IGNORECASE)
_WRAPPED = re.compile(r'^"(.*)"(?=\n?\Z)')
_TITLE_LINES = 20
"""Lines above the header in which a spreadsheet has a title, a date or a department."""
_WORD = re.compile(r"[^\W_]")
_DELIMITERS = ",;\t|"
_LONGEST_CELL = 100_000_000
"""More than a request's body: a long cell spoils its row, not the file."""
_MOST_LINES = 50
"""Lines of one row in which a quotation mark is missing: past that, nobody can tell where the row ends."""

_OTHER_FILES = (
    (b"PK\x03\x04", "a workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a text document"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"<", "a web page or XML"),
)
_WORKBOOKS = {
    b"xl/": "an Excel workbook",
    b"opendocument": "a LibreOffice or OpenOffice document",
    b"Index/": "a Numbers document",
    b"word/": "a Word document",
}


class Record(NamedTuple):
    """One row as it stands in the file. `cells` is None where a quotation mark hides where the row ends."""

    line: int
    cells: list[str] | None


def other_file(content: bytes) -> str | None:
    """What the file is, if it is plainly no CSV file: its first bytes tell, whatever its name is."""
    first = content.removeprefix(codecs.BOM_UTF8)[:200].lstrip()
    for begins, what in _OTHER_FILES:
        if first.startswith(begins):
            if begins.startswith(b"PK"):
                return next((found for part, found in _WORKBOOKS.items() if part in content), what)
            return what
    return None


def records(content: bytes, is_column: Callable[[str], bool]) -> Iterator[Record]:
    """The rows of a file, the header first; rows without a word are left out. `is_column` knows the names of columns."""
    csv.field_size_limit(_LONGEST_CELL)
    # newline=None: every kind of line end becomes LF
    lines = list(io.StringIO(_MARKS.sub("", _decoded(content)), newline=None))
    start = next((place for place, line in enumerate(lines) if _has_word(line)), len(lines))
    declared = _SEP.fullmatch(lines[start].strip(" \n")) if start < len(lines) else None
    if declared:
        start += 1
    usual = declared[1] if declared else ","
    lines = _unwrapped(lines, start, is_column)
    start = _header(lines, start, is_column)
    rows = _Rows(lines, _delimiter(lines[start : start + 1], is_column, usual))
    while start < len(lines):
        record, start = rows.at(start)
        if record.cells is None or any(map(_has_word, record.cells)):
            rows.width = rows.width or len(record.cells or ())
            yield record


def _header(lines: list[str], start: int, is_column: Callable[[str], bool]) -> int:
    """The line that names the columns: the first one, or the next that names two where that one names none."""
    if _columns_of(lines[start : start + 1], is_column):
        return start
    after = range(start, min(start + _TITLE_LINES, len(lines)))
    return next((place for place in after if _columns_of([lines[place]], is_column) > 1), start)


def _columns_of(header: list[str], is_column: Callable[[str], bool]) -> int:
    """How many columns a line names, whatever parts its cells."""
    return max(_names(header, delimiter, is_column) for delimiter in _DELIMITERS)


def _unwrapped(lines: list[str], start: int, is_column: Callable[[str], bool]) -> list[str]:
    """The lines without the quotation marks that a program has put around each whole line."""
    for line in lines[start : start + 1]:
        [[cell, *more]] = csv.reader([line]) if line.startswith('"') else [["", ""]]
        if not more and _columns_of([cell], is_column) > 1:
            return [_WRAPPED.sub(lambda whole: whole[1].replace('""', '"'), one) for one in lines]
    return lines


def _decoded(content: bytes) -> str:
    encoding = _utf_16(content)
    if encoding:
        return content.decode(encoding, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        # only old Macs end lines with CR alone; elsewhere a line of an old code page may stand among lines of UTF-8
        old = "cp1252" if b"\n" in content else "mac-roman"
        return "".join(_old_line(line, old) for line in content.splitlines(keepends=True))


def _utf_16(content: bytes) -> str | None:
    for mark, encoding in _UTF_16.items():
        if content.startswith(mark):
            return encoding
    begins = content[:400]
    for place, encoding in enumerate(
        ("utf-16-be", "utf-16-le")
    ):  # Latin letters have a zero byte, before or behind
        zeros = begins[place::2].count(0)
        if zeros > len(begins) // 4 and not begins[1 - place :: 2].count(0):
            return encoding
    return None


def _old_line(line: bytes, encoding: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        # what the code page does not have becomes a control character, which reading the cell removes
        return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in line)


def _delimiter(header: list[str], is_column: Callable[[str], bool], declared: str) -> str:
    """The character that parts the header into the most columns; if in doubt the declared one."""
    return max((declared, *_DELIMITERS), key=lambda delimiter: _names(header, delimiter, is_column))


def _names(header: list[str], delimiter: str, is_column: Callable[[str], bool]) -> int:
    return sum(map(is_column, next(csv.reader(header, delimiter=delimiter), [])))


class _Rows:
    """The rows of some lines. `width` is how many cells the header has, once it is known."""

    def __init__(self, lines: list[str], delimiter: str) -> None:
        self.width = 0
        self._lines = lines
        self._delimiter = delimiter
        part = re.escape(delimiter)
        # a mark opens a quotation at the beginning of a cell, and closes it at the end of one: any other is text
        self._cell = re.compile(
            rf'[ ]*"((?:[^"]|"(?![ ]*(?:{part}|\n|\Z)))*)"[ ]*(?={part}|\n?\Z)|([^{part}\n]*)(?={part}|\n?\Z)'
        )
        self._reader, self._at = self._strict(0), 0

    def at(self, start: int) -> tuple[Record, int]:
        """The row that begins at a line, and the line behind it."""
        if start != self._at:
            self._reader, self._at = self._strict(start), start
        before = self._reader.line_num
        try:
            cells = next(self._reader)
        except (csv.Error, StopIteration):
            self._at = -1
            return self._repaired(start)
        taken = self._reader.line_num - before
        wrong = (taken > 1 and len(cells) != self.width) or len(cells) > self.width
        if self.width and wrong and self._fits(self._lines[start]):
            self._at = -1
            return self._repaired(start)
        self._at = start + taken
        return Record(start + 1, cells), self._at

    def _strict(self, start: int) -> Any:
        lines = (self._lines[place] for place in range(start, len(self._lines)))
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _repaired(self, start: int) -> tuple[Record, int]:
        """A row with a stray quotation mark: of one line if that has all cells, else of the next few lines."""
        if cells := self._fits(self._lines[start]) or self._without_marks(self._lines[start]):
            return Record(start + 1, cells), start + 1
        text = self._lines[start]
        for place in range(start + 1, min(start + _MOST_LINES, len(self._lines))):
            if not self._lines[place].strip() or self._fits(self._lines[place]):
                break  # the next row begins
            text += self._lines[place]
            if cells := self._fits(text):
                return Record(start + 1, cells), place + 1
        return Record(start + 1, None), start + 1

    def _fits(self, text: str) -> list[str] | None:
        """The cells of a text, if they are as many as the header's."""
        cells, place = [], 0
        while match := self._cell.match(text, place):
            quoted = match[1]
            cells.append(_literal(match[2]) if quoted is None else quoted.replace('""', '"'))
            place = match.end()
            if text.startswith(self._delimiter, place):
                place += 1
            else:
                break
        whole = text[place:].strip("\n") == ""
        return cells if whole and len(cells) == self.width else None

    def _without_marks(self, line: str) -> list[str] | None:
        """The cells of a line in which no quotation mark means anything."""
        cells = [cell.strip(' "') for cell in line.rstrip("\n").split(self._delimiter)]
        return cells if len(cells) == self.width else None


def _literal(cell: str) -> str:
    return cell.strip(' "') if cell.count('"') % 2 else cell


def _has_word(text: str) -> bool:
    return bool(_WORD.search(text))
