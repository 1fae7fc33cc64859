"""What people type is read in one way: by grammar, whatever its notation, and without ever failing."""

from __future__ import annotations

import csv
import unicodedata
from datetime import date
from functools import partial
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bdcan_contracts.typed import (
    DATE_NOTATIONS,
    Fragment,
    Phone,
    Postcode,
    free_text,
    one_line,
    read_date,
    read_phone,
    read_postcode,
)

CODE_POINT = Path(__file__).parents[3] / "shared" / "data" / "codepoint-open-2025.4"
UNIT = "ABDEFGHJLNPQRSTUWXYZ"
well_formed = st.builds(
    Postcode,
    st.builds(
        lambda area, district: area + district,
        st.sampled_from(["IG", "RM", "E", "W", "SW", "EC"]),
        st.sampled_from(["1", "8", "9", "10", "11", "18", "1A", "4W"]),
    ),
    st.builds(lambda n, a, b: f"{n}{a}{b}", st.integers(0, 9), st.sampled_from(UNIT), st.sampled_from(UNIT)),
)
noise = st.lists(
    st.sampled_from(["", " ", "  ", "-", "\u2011", ".", "\t", "\u00a0", "\u200b", "\u202a", "\ufeff"]),
    min_size=8,
    max_size=8,
)
awkward = st.text(
    st.sampled_from(
        "aEé\u0301\u0327 \r\n\t\u00a0\u200b\u00ad\u202e\ufeff\u034f\u1100\u1161\u0958\ufb2c\x00\x85\u2028１+0()7"
    )
    | st.characters(),
    max_size=60,
)
TODAY = date(2026, 11, 27)
READERS = (free_text, one_line, read_postcode, read_phone, partial(read_date, today=TODAY))


@pytest.mark.parametrize("read", READERS)
@given(text=awkward)
@example(text="a\u200b\u0301")
@example(text="\ud800")
def test_reading_what_was_read_changes_nothing(read, text):
    found = read(text)
    assert found is None or read(str(found)) == found


@pytest.mark.parametrize("read", READERS)
@given(text=awkward)
def test_composed_and_decomposed_letters_read_the_same(read, text):
    assert read(unicodedata.normalize("NFD", text)) == read(unicodedata.normalize("NFC", text))


@given(st.lists(st.text("aé1 ", min_size=1), min_size=1), st.sampled_from(["\r\n", "\r", "\u2028", "\x85"]))
def test_lines_end_alike_everywhere(lines, end):
    assert free_text(end.join(lines)) == free_text("\n".join(lines))


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("REF ", "REF"),
        ("\ufeffAmina\u00a0\u202eExample\u200b", "Amina Example"),
        ("Zoe\u0308  van\tDijk", "Zoë van Dijk"),
        ("co\u00adoperate", "cooperate"),
        ("\u200b \u00a0", None),
        ("", None),
        (None, None),
    ],
)
def test_invisible_characters_and_spare_spaces_go(typed, text):
    assert one_line(typed) == text


def test_free_text_keeps_its_lines():
    assert free_text("two\u00a0 \r\nlines \r") == "two\nlines"


@given(well_formed, noise, st.booleans(), st.booleans())
def test_a_postcode_reads_the_same_in_any_notation(postcode, between, lower, wide):
    text = "".join(a + b for a, b in zip(between, str(postcode), strict=False))
    text = text.lower() if lower else text
    text = "".join(chr(ord(c) + 0xFEE0) if wide and c.isascii() and c.isalnum() else c for c in text)
    assert read_postcode(text) == postcode


@given(well_formed)
def test_prefixes_of_a_postcode_come_narrowest_first(postcode):
    narrow, sector, outcode = postcode.prefixes
    assert str(postcode).startswith(narrow)
    assert narrow[:-1] == sector
    assert sector[:-2] == outcode


@pytest.mark.parametrize(
    ("text", "postcode"),
    [
        ("rm8 oab", "RM8 0AB"),
        ("RM1O 7AB", "RM10 7AB"),
        ("ig1l7nb", "IG11 7NB"),
        ("IG11-7NB", "IG11 7NB"),
        ("R M 1 0 8 X X", "RM10 8XX"),
        ("ＩＧ１１　７ＮＢ", "IG11 7NB"),
    ],
)
def test_a_common_slip_in_a_postcode_is_repaired(text, postcode):
    assert str(read_postcode(text)) == postcode


@pytest.mark.parametrize(
    "text", ["RM8", "by the park", "RM8 1CC", "12345", "IG11 7NBX", "12 Example Road", "75001"]
)
def test_what_is_no_postcode_stays_as_typed(text):
    found = read_postcode(text)
    assert isinstance(found, Fragment)
    assert str(found) == text


@pytest.mark.parametrize("text", [None, "", "   ", "\x00", "\u200b"])
def test_nothing_typed_is_no_postcode_and_no_phone(text):
    assert read_postcode(text) is None
    assert read_phone(text) is None


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("rm8", "RM8"), (" ig11  7 ", "IG11 7"), ("ig11 7n", "IG11 7N"), ("ｉｇ１１", "IG11"), ("park", None)],
)
def test_the_beginning_of_a_postcode_is_known(text, prefix):
    assert read_postcode(text) == Fragment(text.strip().replace("  ", " "), prefix)


def test_every_postcode_of_code_point_open_reads_and_is_written_alike():
    if not CODE_POINT.is_dir():
        pytest.skip(f"needs a release of Code-Point Open in {CODE_POINT}")
    wrong = []
    for path in CODE_POINT.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for [postcode, *_] in csv.reader(file):
                found = read_postcode(postcode)
                squeezed = postcode.replace(" ", "")
                if not isinstance(found, Postcode) or str(found) != f"{squeezed[:-3]} {squeezed[-3:]}":
                    wrong.append(postcode)
    assert wrong == []


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("07700 900123", "+447700900123"),
        ("7700900123", "+447700900123"),  # a spreadsheet takes the leading zero for a number's
        ("+44 7700 900123", "+447700900123"),
        ("+44 (0)7700 900123", "+447700900123"),
        ("0044 (0) 7700 900123", "+447700900123"),
        ("(020) 7946 0123", "+442079460123"),
        ("020/7946 0123", "+442079460123"),
        ("+33 1 99 00 12 34", "+33199001234"),
        ("tel:+44-7700-900123", "+447700900123"),
        ("\u202a07700\u2011900123\u202c", "+447700900123"),
        ("07700 – 900 – 123", "+447700900123"),
        ("０７７００　９００１２３", "+447700900123"),
        ("07700 900123 (daughter)", "+447700900123"),
        ("daughter: 07700 900123", "+447700900123"),
        ("07700 900123 ext 4", "+447700900123"),
        ("07700 900123 / 020 7946 0123", "+447700900123"),
        ("07700 900123 020 7946 0123", "+447700900123"),
        ("07700900123, 02079460123", "+447700900123"),
        ("07700 900123 or +44 20 7946 0123", "+447700900123"),
        ("Flat 12, 07700 900123", "+447700900123"),
        ("0800 1111", "+448001111"),
        ("447700900123", "+447700900123"),
        ("7.700900123E+09", "+447700900123"),  # all digits are there
        ("077OO 9OO123", "+447700900123"),
        ("07700_900_123", "+447700900123"),
        ("[07700] 900123", "+447700900123"),
        ("07700,900,123", "+447700900123"),
        ("p1 07700900123", "+447700900123"),
        ("Flat 1234, 07700 900123", "+447700900123"),
        ("20:00 07700 900123", "+447700900123"),
        ("after 6pm 07700 900123", "+447700900123"),
        ("07700 900 123 or 124", "+447700900123"),
        ("none / 07700900123", "+447700900123"),
        ("07700 900123\n07700 900124", "+447700900123"),
        ("H: 020 8592 1234 M: 07700 900123", "+442085921234"),
        ("tel:+44(0)7700900123;ext=5", "+447700900123"),
        ("\u0660\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0663", "+447700900123"),
    ],
)
def test_a_phone_is_dialled_alike_in_any_notation(typed, e164):
    found = read_phone(typed)
    assert found == Phone(one_line(typed) or "", e164)


@pytest.mark.parametrize(
    "typed",
    [
        "none",
        "0770",
        "ask her neighbour",
        "ask at 12",
        "7946 0123",
        "123 4567",
        "07700 9001234",
        "999",
        "7.70090E+09",
        "7.70090012E+09",
        "7,70090E+09",
        "07700:900:123",
    ],
)
def test_what_nobody_could_dial_is_kept_without_a_number(typed):
    assert read_phone(typed) == Phone(typed, None)


@given(st.integers(0, 99_999_999))
def test_the_dialled_form_of_a_number_reads_as_itself(digits):
    found = read_phone(f"07{digits:09}")
    assert found is not None
    assert found.e164 == f"+447{digits:09}"
    assert (again := read_phone(found.e164)) is not None
    assert again.e164 == found.e164


@given(
    st.sampled_from(["0", "+44", "+44 ", "(0"]),
    st.integers(10**9, 10**10 - 1),
    st.lists(st.sampled_from(["", "", "", " ", "-", ")", "."]), min_size=10, max_size=10),
)
def test_a_usual_number_is_dialled_as_phonenumbers_reads_it(prefix, digits, marks):
    typed = prefix + "".join(digit + mark for digit, mark in zip(str(digits), marks, strict=True))
    found = read_phone(typed)
    number = phonenumbers.parse(typed, "GB")
    assert found is not None
    assert found.e164 == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


FIRST_OF_MARCH = (
    """
1950-03-01|1950-3-1|1950/3/1|1950.03.01|1950-Mar-01|19500301|1950-03-01 00:00:00|1950-03-01T00:00:00Z
1950-03-01T00:00:00+01:00|1950-02-28T23:30:00-01:00|1950-03-01 00:00:00.000|01/03/1950|1/3/1950|01.03.1950|1. 3. 1950
01-03-1950|01 03 1950|01\u201303\u20131950|01\\03\\1950|01/03/1950 00:00|01/03/1950 12:00:00 AM|(01/03/1950)|01/03/1950.
1/3/50|01-Mar-50|01.03.50|1 March 50|01/03/'50|01-Mar-1950|1 March 1950|1st March, 1950|the 1st of March 1950|1Mar1950
01MAR50|March 1, 1950|Mar 1 1950|Wed 1 Mar 1950|Wednesday, 1st March 1950|01031950|18323|18323.0| 1/3/1950\u200b
\uff10\uff11/\uff10\uff13/\uff11\uff19\uff15\uff10|1950\u201103\u201101
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("typed", FIRST_OF_MARCH)
def test_a_date_is_read_in_every_usual_notation(typed):
    assert read_date(typed, TODAY) == date(1950, 3, 1)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("03/25/1950", "1950-03-25"),  # American: it can be no other day
        ("28/11/26", "1926-11-28"),  # a year of two digits lies in the past
        ("27/11/26", "2026-11-27"),
        ("29/02/00", "2000-02-29"),
        ("1950-05-31T23:00:00Z", "1950-06-01"),  # midnight of British summer time
        ("9500", "1926-01-03"),  # no year: a day of a spreadsheet
        ("1950", None),
        ("3/1950", None),
        ("1950-13-01", None),
        ("31/02/1950", None),
        ("00/00/0000", None),
        ("99999", None),
        ("9999-12-31T23:59:59-09:00", None),
        ("unknown", None),
        ("N/A", None),
        ("", None),
    ],
)
def test_a_date_that_can_be_several_days_or_none_is_not_read(typed, found):
    read = read_date(typed, TODAY)
    assert (read and read.isoformat()) == found


@given(st.dates())
def test_every_recommended_notation_of_a_date_gives_the_date(day):
    for layout in DATE_NOTATIONS.values():
        text = day.strftime(layout.replace("%Y", f"{day.year:04}"))
        assert read_date(text, TODAY) == day


@given(st.dates(date(1900, 1, 1), TODAY), st.sampled_from(["%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%B %d, %Y"]))
def test_a_date_in_words_or_with_dots_gives_the_date(day, layout):
    assert read_date(day.strftime(layout), TODAY) == day


@given(st.dates(date(1930, 1, 1), TODAY))
def test_a_year_of_two_digits_is_the_latest_of_the_past(day):
    read = read_date(day.strftime("%d/%m/%y"), TODAY)
    assert read is not None
    assert read <= TODAY
    assert (read.year % 100, read.month, read.day) == (day.year % 100, day.month, day.day)
    assert read >= day


@pytest.mark.parametrize(
    ("typed", "dialled"),
    [
        ("'07700900123", "+447700900123"),
        ("0770090012 3", "+447700900123"),
        ("07700 900123 / 07700 900456", "+447700900123"),
        ("07700900123 (after 6pm)", "+447700900123"),
        ("+44 (0)20 7946 0018 ext 3", "+442079460018"),
        ("020 7946 0018/9", "+442079460018"),
        ("07700 900 l23", "+447700900123"),
        ("O7700 9OO123", "+447700900123"),
        ("Flat 3: 8 07700900123", "+447700900123"),
        ("+44 (07700) 900123", "+447700900123"),
        ("00000000000", None),
        ("1111111111", None),
        ("999", None),
        ("call 2pm", None),
    ],
)
def test_number_is_found_among_what_people_write_around_it(typed: str, dialled: str | None):
    read = read_phone(typed)
    assert read is not None
    assert (read.typed, read.e164) == (typed, dialled)
