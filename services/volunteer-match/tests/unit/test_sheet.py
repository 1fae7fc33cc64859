"""The sheet of a round: what residents wrote stays text, and the letters of the borough's languages are printed."""

from __future__ import annotations

import pytest

from bdcan_volunteer_match.sheet import Sheet, SheetStop, render

NAMES = ("Ștefan Țăran", "Žydrūnė Šiaučiūnė", "عائشہ بی بی", '#import "x" $5$ *b* \\ [')


def sheet(*names: str) -> Sheet:
    stops = tuple(
        SheetStop(number, "09:10", name, "1 Example Road\nRM10 8XX", "07700 900123", "a food parcel")
        for number, name in enumerate(names, 1)
    )
    return Sheet(
        "Round on Monday 23 March 2020", "Heath", "Stops", "Shred it.", ("Leave at 09:00.",), (), stops
    )


@pytest.mark.parametrize("name", NAMES)
def test_name_is_printed_on_a_tagged_page(name: str) -> None:
    pdf = render(sheet(name))
    assert pdf.startswith(b"%PDF")
    assert b"pdfuaid" in pdf


def test_letters_without_a_font_stop_no_sheet() -> None:
    pdf = render(sheet("\U000130c0 Example"))
    assert pdf.startswith(b"%PDF")


def test_same_sheet_has_as_many_pages_whatever_the_names_say() -> None:
    assert render(sheet(*["Ada Example"] * 4)).count(b"/Type/Page\n") == render(sheet(*NAMES)).count(
        b"/Type/Page\n"
    )
