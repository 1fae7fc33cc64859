"""The coarse gazetteer that is shipped: how many postcodes of each sector lie in which ward, by letter where that helps.

Routing uses it until somebody imports a release. `tools/build_coarse_gazetteer.py` makes it. ATTRIBUTION.md names the
owners of the data. It holds no postcode, only counts.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import TextIO

from msgspec import Struct

from bdcan_routing.domain.wards import vintage_of

NAME = "the coarse gazetteer"
_HEAD = ("prefix", "place_gss", "postcodes", "share")


class Coarse(Struct, frozen=True):
    """The file's content. `digest` is its sha256."""

    digest: str
    vintage: int
    shares: Mapping[str, Mapping[str, int]]

    @property
    def borough_count(self) -> int:
        """How many postcodes of the borough it was made from."""
        return sum(
            count
            for prefix, places in self.shares.items()
            if len(prefix.partition(" ")[2]) == 1
            for place, count in places.items()
            if vintage_of(place)
        )


def load() -> Coarse:
    """Read the file that is shipped."""
    text = (files("bdcan_routing.gazetteer") / "coarse.csv").read_text("utf-8")
    shares: dict[str, dict[str, int]] = {}
    for line in csv.DictReader(text.splitlines()):
        shares.setdefault(line["prefix"], {})[line["place_gss"]] = int(line["postcodes"])
    vintage = next(v for places in shares.values() for gss in places if (v := vintage_of(gss)))
    return Coarse(hashlib.sha256(text.encode()).hexdigest(), vintage, shares)


def write(shares: Mapping[str, Mapping[str, int]], to: TextIO) -> None:
    """Write shares as such a file, always in the same order."""
    out = csv.writer(to, lineterminator="\n")
    out.writerow(_HEAD)
    for prefix, places in sorted(shares.items()):
        total = sum(places.values())
        for gss, count in sorted(places.items(), key=lambda item: (-item[1], item[0])):
            out.writerow((prefix, gss, count, f"{count / total:.3f}"))
