"""`python -m bdcan_foodhub api | worker | migrate | …`."""

from __future__ import annotations

import sys

from bdcan_chassis.cli import main
from bdcan_foodhub.app import build

sys.exit(main(build))
