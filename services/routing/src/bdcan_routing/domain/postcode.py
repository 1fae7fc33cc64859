"""Postcodes as people write them, made comparable. Whether one exists is the gazetteer's knowledge, not this file's."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

_UNIT = re.compile(r"(?P<outcode>[A-Z]{1,2}\d[A-Z\d]?)(?P<sector>\d)(?P<unit>[ABD-HJLNP-UW-Z]{2})")
_PART = re.compile(r"(?P<outcode>[A-Z]{1,2}\d[A-Z\d]?)(?: (?P<sector>\d)(?P<letter>[ABD-HJLNP-UW-Z])?)?")
_NOISE = re.compile(r"[^0-9A-Z]+")
# A letter that no British postcode has in that place, and the digit that it is mistaken for.
_MISREAD = str.maketrans("OILSBZ", "011582")
_NEVER_IN_OUTCODE = str.maketrans("OIL", "011")


class Postcode(Struct, frozen=True, order=True):
    """A well-formed unit postcode; `str()` is its usual form, capitals with one space."""

    outcode: str
    inward: str

    def __str__(self) -> str:
        return f"{self.outcode} {self.inward}"

    @property
    def sector(self) -> str:
        """Such as `IG11 7`: some 50 to 100 postcodes."""
        return f"{self.outcode} {self.inward[0]}"

    @property
    def sector_letter(self) -> str:
        """The sector and the next letter, such as `IG11 7N`: some ten postcodes, mostly neighbours."""
        return f"{self.outcode} {self.inward[:2]}"

    @property
    def prefixes(self) -> tuple[str, str, str]:
        """What a gazetteer may know it by, the narrowest first."""
        return (self.sector_letter, self.sector, self.outcode)


@lru_cache(maxsize=2048)  # each is read twice: to ask the gazetteer, and to place the home
def normalise(text: str | None) -> Postcode | None:
    """Read a postcode in any notation; None where the text is none.

    Case, spaces, dashes and dots do not matter, nor does a letter that stands where only a digit can and looks like
    one (`RM8 OAB`, `RM1O 7AB`).
    """
    squeezed = _squeeze(text)
    if not 5 <= len(squeezed) <= 7:
        return None
    outcode, inward = squeezed[:-3], squeezed[-3:]
    inward = inward[0].translate(_MISREAD) + inward[1:]
    if len(outcode) > 2:  # in the last place of a long outcode O, I and L are never letters
        outcode = outcode[:-1] + outcode[-1].translate(_NEVER_IN_OUTCODE)
    found = _UNIT.fullmatch(outcode + inward)
    return Postcode(found["outcode"], found["sector"] + found["unit"]) if found else None


def known_part(text: str | None) -> str | None:
    """The prefix that an incomplete postcode does give: `rm8 1` is `RM8 1`, `ig11` is `IG11`. None where there is none."""
    words = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text or "").upper()).strip()
    found = _PART.fullmatch(words)
    return found.group(0) if found else None


def _squeeze(text: str | None) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", text or "").upper())
