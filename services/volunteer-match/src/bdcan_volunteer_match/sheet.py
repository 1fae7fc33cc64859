"""The sheet of a round: A4, large print, made when somebody prints it and kept nowhere.

What is on it comes as data and never as markup: what a resident wrote stays text. The PDF is tagged (PDF/UA-1), so that a screen
reader reads it. A letter that no font here has cannot be tagged: the sheet is then printed untagged, and says so.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import fontpkg_noto_sans
import fontpkg_noto_sans_arabic
import typst
from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import asdict

_MISSING_LETTERS = "Some letters on this sheet cannot be printed here. Ask the coordinator for those names."


class SheetStop(Struct, frozen=True):
    """A stop as it is printed. Empty texts are left out."""

    number: int
    at: str
    name: str
    address: str
    phone: str
    bring: str
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Sheet(Struct, frozen=True):
    """A sheet as it is printed. `facts` stand below the title, `notes` in boxes."""

    title: str
    hub: str
    description: str
    footer: str
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    stops: tuple[SheetStop, ...]


def render(sheet: Sheet) -> bytes:
    """The PDF. It is work of the processor: whoever serves requests calls it in a thread."""
    try:
        return _compiled(sheet, sheet.notes, tagged=True)
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        return _compiled(sheet, (*sheet.notes, _MISSING_LETTERS), tagged=False)


def _compiled(sheet: Sheet, notes: tuple[str, ...], *, tagged: bool) -> bytes:
    inputs = {"sheet": encode(asdict(sheet) | {"notes": notes}).decode()}
    compiler = typst.Compiler(_template(), font_paths=_fonts(), sys_inputs=inputs)
    pdf = compiler.compile(format="pdf", pdf_standards="ua-1" if tagged else [])
    assert isinstance(pdf, bytes)  # noqa: S101 # one file of all pages
    return pdf


@cache
def _template() -> bytes:
    return (files("bdcan_volunteer_match") / "sheet.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    """Noto Sans for Latin, Greek, Cyrillic and Arabic letters, and whatever the machine has for others."""
    packages = (fontpkg_noto_sans, fontpkg_noto_sans_arabic)
    return typst.Fonts(font_paths=[str(files(package) / "files") for package in packages])
