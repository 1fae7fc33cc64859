"""Telephone numbers in any notation, British unless they say otherwise."""

from __future__ import annotations

import re

import phonenumbers
from msgspec import Struct

from bdcan_contracts.typed.text import DASH, compatible, one_line

_REGION = "GB"
# a spreadsheet's notation of a number that it found too long
_SCIENTIFIC = re.compile(r"(\d)[.,]?(\d*)[eE]\+?(\d{1,2})")
# capital letters that stand for the digit nought among digits
_NOUGHT = re.compile(r"(?<=\d)[Oo]+(?=[\dOo -]*\d)")
# small and capital letters that stand for the digit one among digits
_ONE = re.compile(r"(?<=\d)[lI](?=[\d -])|(?<=\d[ -])[lI](?=\d)")
# marks that people write between digits, and that mean nothing
_BETWEEN = str.maketrans({**dict.fromkeys("_~*'\u2019,", " "), "[": "(", "]": ")"})
# digits with the marks that people write between them; a letter or a colon ends it
_RUN = re.compile(r"[+(]*\d[\d ().+/-]*")
_GROUP = re.compile(r"[+(]*\d+")
_USUAL = re.compile(r"(?:0|\+44)([1-9][0-9]{9})")
_MARKS = str.maketrans("", "", " -.()")
_MOST_DIGITS = 20
"""No number has more than 15; `00` and `(0)` may be written with it."""
_NEEDS_AREA_CODE = 8
"""Up to so many digits a British number is nearly always one without its area code."""


class Phone(Struct, frozen=True):
    """A telephone number. `str()` is the number as it was typed, for the person who rings."""

    typed: str
    e164: str | None
    """Such as `+447700900123`; None where nobody could dial what was typed."""

    def __str__(self) -> str:
        return self.typed


def read_phone(typed: str | None) -> Phone | None:
    """Read a telephone number, the first that the text has; None where nothing was typed.

    `tel:`, words and extensions, `(0)`, dashes of all kinds, full-width digits and a capital O for a nought do not
    matter. A number counts if its length is possible in its country: whether somebody has it, only ringing can tell.
    A number of which a spreadsheet kept only the first digits (`7.7009E+09`) cannot be dialled.
    """
    text = one_line(typed)
    if text is None:
        return None
    if number := _usual(text):  # nearly all are: to look for others costs twice as much
        return Phone(text, number)
    plain = _NOUGHT.sub(_noughts, DASH.sub("-", compatible(text)))
    plain = _ONE.sub("1", plain)
    if scientific := _SCIENTIFIC.fullmatch(plain):
        digits = scientific[1] + scientific[2]
        plain = digits if len(digits) == int(scientific[3]) + 1 else ""  # else digits are lost
    runs = _RUN.findall(plain.translate(_BETWEEN))
    # a number that begins as numbers do is meant, before a flat or an hour that stands in front of it
    numbers = (_first_number(run, usual=usual) for usual in (True, False) for run in runs)
    return Phone(text, next(filter(None, numbers), None))


def _noughts(letters: re.Match[str]) -> str:
    return "0" * len(letters[0])


def _first_number(run: str, *, usual: bool) -> str | None:
    """The first number in the run, as long as can be: two may stand beside each other. `usual`: it begins with 0 or +."""
    groups = list(_GROUP.finditer(run))[:_MOST_DIGITS]
    for place, first in enumerate(groups):
        if first[0].lstrip("(").startswith(("0", "+")) is not usual:
            continue
        for last in reversed(groups[place:]):
            text = run[first.start() : last.end()]
            if sum(map(str.isdigit, text)) <= _MOST_DIGITS and (number := _dialled(text)):
                return number
    return None


def _usual(text: str) -> str | None:
    """A British number that is complete. To parse one costs 30 µs, more than all else about a request."""
    found = _USUAL.fullmatch(text.translate(_MARKS))
    return f"+44{found[1]}" if found else None


def _dialled(text: str) -> str | None:
    if usual := _usual(text):
        return usual
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    digits = phonenumbers.national_significant_number(number)
    if len(set(digits)) == 1:  # a form that insists on a number gets one like that
        return None
    if len(digits) <= _NEEDS_AREA_CODE and not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
