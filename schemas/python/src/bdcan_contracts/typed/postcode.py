"""British postcodes in any notation. Whether one exists is for routing's gazetteer to say."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from bdcan_contracts.typed.text import compatible, one_line

_UNIT = re.compile(r"(?P<outcode>[A-Z]{1,2}\d[A-Z\d]?)(?P<sector>\d)(?P<unit>[ABD-HJLNP-UW-Z]{2})")
_BEGINNING = re.compile(r"[A-Z]{1,2}\d[A-Z\d]?(?: \d[ABD-HJLNP-UW-Z]?)?")
_NOISE = re.compile(r"[^0-9A-Z]+")
# a letter that no British postcode has in that place, and the digit that it is mistaken for
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
    def prefixes(self) -> tuple[str, ...]:
        """What a gazetteer may know it by, the narrowest first."""
        return (self.sector_letter, self.sector, self.outcode)


class Fragment(Struct, frozen=True):
    """What somebody typed for a postcode and is none; `str()` is the text as it was typed."""

    typed: str
    prefix: str | None
    """The beginning of a postcode where the text is one: `rm8 1` gives `RM8 1`, `ig11` gives `IG11`."""

    def __str__(self) -> str:
        return self.typed


GivenPostcode = Postcode | Fragment | None
"""What there is where a postcode belongs; None: nobody gave one."""


@lru_cache(maxsize=4096)  # routing and intake each need it twice, and the homes of a list share postcodes
def read_postcode(typed: str | None) -> GivenPostcode:
    """Read a postcode; None where nothing was typed.

    Case, spaces, dashes, dots and full-width letters do not matter, nor does a letter that stands where only a digit
    can and looks like one (`RM8 OAB`, `RM1O 7AB`). The grammar fits every row of Code-Point Open.
    """
    text = one_line(typed)
    if text is None:
        return None
    plain = compatible(text).upper()
    return _unit(_NOISE.sub("", plain)) or Fragment(text, plain if _BEGINNING.fullmatch(plain) else None)


def _unit(squeezed: str) -> Postcode | None:
    if not 5 <= len(squeezed) <= 7:
        return None
    outcode, inward = squeezed[:-3], squeezed[-3:]
    inward = inward[0].translate(_MISREAD) + inward[1:]
    if len(outcode) > 2:  # in the last place of a long outcode O, I and L are never letters
        outcode = outcode[:-1] + outcode[-1].translate(_NEVER_IN_OUTCODE)
    found = _UNIT.fullmatch(outcode + inward)
    return Postcode(found["outcode"], found["sector"] + found["unit"]) if found else None
