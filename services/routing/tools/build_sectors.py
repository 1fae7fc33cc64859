#!/usr/bin/env python
"""Makes the middle of each sector: `python services/routing/tools/build_sectors.py DIR > …/gazetteer/sectors.csv`.

DIR is a release of OS Code-Point Open, or the part of one around the borough.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bdcan_routing.gazetteer import codepoint, sectors


def main() -> int:
    """Print the file; 1 if DIR holds no such table, 2 without DIR."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        sectors.write(sectors.centres(codepoint.rows(Path(sys.argv[1]))), sys.stdout)
    except codepoint.GazetteerError as error:
        sys.stderr.write("\n".join((str(error), *error.faults, "")))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
