"""`python -m bdcan_volunteer_match api | worker | migrate | …`."""

from __future__ import annotations

import sys

from bdcan_chassis.cli import main
from bdcan_volunteer_match.app import build

if __name__ == "__main__":
    sys.exit(main(build))
