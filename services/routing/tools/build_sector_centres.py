#!/usr/bin/env python
"""Makes volunteer-match's sector centres: `python services/routing/tools/build_sector_centres.py DIR > …/sectors/centres.csv`.

DIR is a release of OS Code-Point Open, or the part of one around the borough. `within` is the mean distance between two postcodes
of the sector, over all pairs.
"""

from __future__ import annotations

import csv
import sys
from itertools import combinations
from math import hypot
from pathlib import Path
from statistics import fmean

from bdcan_routing.domain.positions import middle
from bdcan_routing.gazetteer.codepoint import GazetteerError, rows
from bdcan_routing.gazetteer.sectors import points_by_sector


def main() -> int:
    """Print the table; 1 if DIR holds no such table, 2 without DIR."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        found = points_by_sector(rows(Path(sys.argv[1])))
    except GazetteerError as error:
        sys.stderr.write("\n".join((str(error), *error.faults, "")))
        return 1
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("sector", "easting", "northing", "within"))
    for sector, places in sorted(found.items()):
        pairs = combinations(places, 2)
        within = fmean(hypot(a[0] - b[0], a[1] - b[1]) for a, b in pairs) if len(places) > 1 else 0.0
        out.writerow((sector, *middle(places), round(within)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
