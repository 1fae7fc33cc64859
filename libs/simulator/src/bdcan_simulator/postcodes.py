"""Where residents live: postcodes of the borough, of its neighbours, and the unusable things people write.

Without a gazetteer, postcodes are made up inside real sectors: well-formed, and of no particular house. With a
directory of OS Code-Point Open CSV files, real unit postcodes are drawn from it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

DISTRICT = "E09000002"
"""Barking and Dagenham."""

_AREAS = {"ig", "rm"}  # a release has one file for each postcode area of Great Britain

# Sectors with the number of their postcodes inside the borough, counted in Code-Point Open of 2025; sectors that lie
# mostly outside are left out: a made-up postcode there could belong to either side.
_INSIDE = {
    "IG11 0": 282, "IG11 7": 278, "IG11 8": 183, "IG11 9": 247, "RM10 7": 198, "RM10 8": 213, "RM10 9": 172,
    "RM6 6": 164, "RM8 1": 178, "RM8 2": 234, "RM8 3": 155, "RM9 4": 166, "RM9 5": 176, "RM9 6": 194,
}  # fmt: skip
_OUTSIDE = ("IG1 1", "IG1 2", "IG3 8", "IG5 0", "RM1 4", "RM3 7", "RM7 8", "RM12 5", "RM14 2")
_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # Royal Mail's inward codes avoid C I K M O V

UNUSABLE = ("not sure", "IG11", "RM8 ???", "B'ham road", "RM1O 7", "n/k", "ask her son")
"""What people type where a postcode belongs."""


class GazetteerError(Exception):
    """The directory holds no gazetteer that can be drawn from."""


class PostcodeSource(Protocol):
    """Gives postcodes of homes."""

    def inside(self, random: Random) -> str:
        """A postcode in the borough."""
        ...

    def outside(self, random: Random) -> str:
        """A postcode of a neighbouring borough."""
        ...


class MadeUpPostcodes:
    """Well-formed postcodes in real sectors."""

    def inside(self, random: Random) -> str:
        """A postcode in a sector of the borough, sectors weighted by their size."""
        sector = random.choices(tuple(_INSIDE), weights=tuple(_INSIDE.values()))[0]
        return sector + random.choice(_LETTERS) + random.choice(_LETTERS)

    def outside(self, random: Random) -> str:
        """A postcode in a sector of which no postcode is in the borough."""
        return random.choice(_OUTSIDE) + random.choice(_LETTERS) + random.choice(_LETTERS)


@dataclass(frozen=True, slots=True)
class RealPostcodes:
    """Unit postcodes of a gazetteer."""

    borough: tuple[str, ...]
    neighbours: tuple[str, ...]

    def inside(self, random: Random) -> str:
        """A postcode whose district is the borough's."""
        return random.choice(self.borough)

    def outside(self, random: Random) -> str:
        """A postcode of the same release whose district is another."""
        return random.choice(self.neighbours)


def read_code_point(directory: Path) -> RealPostcodes:
    """Read the CSV files of a Code-Point Open release. Raises GazetteerError where none holds the borough."""
    borough: list[str] = []
    neighbours: list[str] = []
    for path in sorted(p for p in directory.rglob("*.csv") if p.stem.lower() in _AREAS):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                if len(row) >= 10 and row[9].startswith("E05"):
                    (borough if row[8] == DISTRICT else neighbours).append(row[0])
    if not borough or not neighbours:
        raise GazetteerError(
            f"{directory} holds no Code-Point Open files of Barking and Dagenham and its neighbours"
        )
    return RealPostcodes(tuple(borough), tuple(neighbours))


def postcodes(gazetteer: Path | None) -> PostcodeSource:
    """Real postcodes where there is a gazetteer, made-up ones otherwise."""
    return read_code_point(gazetteer) if gazetteer else MadeUpPostcodes()


def as_written(random: Random, postcode: str) -> str:
    """The postcode as somebody may write it: in small letters, or without its space."""
    choice = random.random()
    if choice < 0.8:
        return postcode
    return postcode.replace(" ", "") if choice < 0.9 else postcode.lower()
