"""Postcodes and telephone numbers as people write them.

Neither is ever a reason to refuse anybody: what cannot be used is kept as it was typed, and flagged.
"""

from __future__ import annotations

import re

_NO_POSTCODE_CHARACTER = re.compile(r"[^A-Z0-9]")
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d[ABD-HJLNP-UW-Z]{2})")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-/]")
# "(0)" is written after a country code for those who dial inside the country: it is not part of the number
_TRUNK_ZERO = re.compile(r"^((?:\+|00)\d{1,3})\s*\(0\)")
_UK = re.compile(r"(?:\+44|0044|0)([1-9]\d{8,9})")
_ABROAD = re.compile(r"(?:\+|00)([1-9]\d{7,14})")

SENT_POSTCODE_CHARACTERS = 12
"""What an event's `postcode` holds at most; anything longer is no postcode, and may be an address."""


def tidy_postcode(typed: str) -> tuple[str, bool]:
    """The unit postcode in capitals with one space and True, or what was typed and False.

    The pattern fits every row of Code-Point Open. Whether a postcode exists is for routing to look up.
    """
    found = _POSTCODE.fullmatch(_NO_POSTCODE_CHARACTER.sub("", typed.upper()))
    return (f"{found[1]} {found[2]}", True) if found else (typed, False)


def postcode_sector(postcode: str) -> str | None:
    """The sector (`RM10 8`) of a tidy postcode; None where it is no postcode."""
    tidied, usable = tidy_postcode(postcode)
    return tidied[:-2] if usable else None


def can_be_rung(typed: str) -> bool:
    """Whether somebody could dial this: a British number, or one with a country code."""
    digits = _PHONE_PUNCTUATION.sub("", _TRUNK_ZERO.sub(r"\1", typed))
    return bool(_UK.fullmatch(digits) or _ABROAD.fullmatch(digits))
