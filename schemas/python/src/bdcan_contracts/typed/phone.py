"""Telephone numbers in any notation, British unless they say otherwise."""

from __future__ import annotations

import re

import phonenumbers
from msgspec import Struct

from bdcan_contracts.typed.text import compatible, one_line

_REGION = "GB"
_DASH = re.compile("[\u2010-\u2015\u2212\u30fc]")
# digits with the marks that people write between them; a letter, a comma or a colon ends it
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

    `tel:`, words behind the number, `(0)`, dashes of all kinds and full-width digits do not matter. A number counts if
    its length is possible in its country: whether somebody has it, only ringing can tell.
    """
    text = one_line(typed)
    if text is None:
        return None
    plain = _DASH.sub("-", compatible(text))
    numbers = (_first_number(run) for run in _RUN.findall(plain))
    return Phone(text, next(filter(None, numbers), None))


def _first_number(run: str) -> str | None:
    """The longest beginning of the run that is a number: two numbers may stand beside each other."""
    ends = [group.end() for group in _GROUP.finditer(run)]
    for end in reversed(ends[:_MOST_DIGITS]):
        if sum(map(str.isdigit, run[:end])) <= _MOST_DIGITS and (number := _dialled(run[:end])):
            return number
    return None


def _dialled(text: str) -> str | None:
    # nearly all numbers are British and complete: to parse one costs 30 µs, more than all else about a request
    if usual := _USUAL.fullmatch(text.translate(_MARKS)):
        return f"+44{usual[1]}"
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    digits = phonenumbers.national_significant_number(number)
    if len(digits) <= _NEEDS_AREA_CODE and not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
