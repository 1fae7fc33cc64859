"""Where the postcode sectors around the borough are. `services/routing/tools/build_sector_centres.py` makes the table.

ATTRIBUTION.md names the owners of the data. It holds no postcode.
"""

from __future__ import annotations

import csv
from importlib.resources import files

from bdcan_volunteer_match.domain.distance import Centre, Distances


def load() -> Distances:
    """Read the table that is shipped."""
    text = (files("bdcan_volunteer_match.sectors") / "centres.csv").read_text("utf-8")
    return Distances(
        {
            line["sector"]: Centre(int(line["easting"]), int(line["northing"]), int(line["within"]))
            for line in csv.DictReader(text.splitlines())
        }
    )
