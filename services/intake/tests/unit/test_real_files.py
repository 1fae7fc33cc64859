"""Files as people really save them. Each one is invented, and has a fault that somebody's spreadsheet makes."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from bdcan_intake.csv_file import FileError, Row, take_apart

ONE = "A-1,Amina Example,07700 900123,food-parcel\n"
HEADER = "reference,name,phone,needs\n"


def rows(content: str | bytes) -> list[Row]:
    sheet = take_apart(content.encode() if isinstance(content, str) else content, 100)
    return sheet.rows(0, 100, "a-list", uuid4(), date(2020, 3, 23))


def only(content: str | bytes) -> Any:
    [row] = rows(content)
    assert row.examined, row.problems
    return row.examined.submission


@pytest.mark.parametrize(
    "content",
    [
        "Shielded patients list,,,\nExported 23/03/2020,,,\n,,,\n" + HEADER + ONE,
        "Shielded patients list\n" + HEADER + ONE,
        '"Weekly list, confidential"\n\n' + HEADER + ONE,
        "Week 12\tNorth\n" + (HEADER + ONE).replace(",", "\t"),
        "sep=\t\n" + (HEADER + ONE).replace(",", "\t"),
        (HEADER + ONE).replace("\n", '"\n').replace("reference", '"reference').replace("A-1", '"A-1'),
        "REFERENCE NO.,FULL NAME,PHONE (MOBILE),NEEDS (CODES)\n" + ONE,
        "Ref,Name *,Telephone number,Need\n" + ONE,
        "Ref:,Client name,Tel.,Needs [see list]\n" + ONE,
        (HEADER + ONE).encode("utf-16"),
        (HEADER + ONE).replace("\n", "\r"),
    ],
)
def test_header_is_found_whatever_stands_around_it(content: str | bytes):
    said = only(content)
    assert (said.reference, said.person.name, said.person.phone_e164, said.needs) == (
        "A-1",
        "Amina Example",
        "+447700900123",
        ("food-parcel",),
    )


def test_line_of_a_row_below_a_title_is_the_one_of_the_file():
    [row] = rows("A title\n\n" + HEADER + ONE)
    assert row.line == 4


def test_file_without_known_columns_is_still_refused():
    with pytest.raises(FileError):
        rows("colour,size\nred,2\nblue,3\n")


@pytest.mark.parametrize(
    "line",
    [
        "Total,,,2",
        ",Total,,2",
        "Total: 1,,,",
        "TOTAL ROWS,1,,",
        "Total people,1,,",
        "Grand Total,,,=SUM(D2:D2)",
        "*** End of list ***,,,",
        "reference,name,phone,needs",
    ],
)
def test_line_that_is_about_nobody_is_named_as_such(line: str):
    _, row = rows(HEADER + ONE + line + "\n")
    assert row.examined is None
    assert [p.code for p in row.problems] in (["totals-row"], ["header-again"])


def test_two_columns_of_telephones_or_notes_are_read_together():
    said = only(
        "name,telephone,mobile,notes,comments\nAmina Example,ex-directory,07700 900123,Rings twice.,Has a dog.\n"
    )
    assert (said.person.phone, said.person.phone_e164) == ("ex-directory / 07700 900123", "+447700900123")
    assert said.notes == "Rings twice.\nHas a dog."


@pytest.mark.parametrize("nothing", ["None", "n/a", "N/A", "-", "nil", "not known", "unknown"])
def test_word_for_nothing_is_an_empty_cell(nothing: str):
    said = only(
        "name,needs,diets,flags,children,adults,birth_date,nhs_number\n"
        f"Amina Example,food-parcel{f',{nothing}' * 6}\n"
    )
    assert (said.diets, "details-unclear" in said.flags, said.person.birth_date) == ((), False, None)
    assert said.household is None


@pytest.mark.parametrize(
    ("cell", "consent"),
    [
        ("Refused", False),
        ("not given", False),
        ("Declined.", False),
        ("No - does not want calls", False),
        ("Does not consent", False),
        ("Yes - verbal", True),
        ("Given", True),
        ("agreed", True),
        ("\u2713", True),
        ("not asked", None),
        ("unsure", None),
    ],
)
def test_consent_is_read_in_the_words_of_a_list(cell: str, consent: bool | None):
    assert only(f"name,consent\nAmina Example,{cell}\n").consent is consent
