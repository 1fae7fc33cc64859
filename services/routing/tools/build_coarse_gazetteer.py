#!/usr/bin/env python
"""Makes the coarse gazetteer: `python services/routing/tools/build_coarse_gazetteer.py DIR > …/gazetteer/coarse.csv`.

DIR is a release of OS Code-Point Open, or the part of one around the borough.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bdcan_routing.gazetteer import coarse
from bdcan_routing.gazetteer.codepoint import GazetteerError, survey


def main() -> int:
    """Print the file; 1 if DIR holds no such table, 2 without DIR."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        found = survey(Path(sys.argv[1]))
    except GazetteerError as error:
        sys.stderr.write("\n".join((str(error), *error.faults, "")))
        return 1
    coarse.write(found.shares, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
