"""`python -m bdcan_escalation api | worker | migrate | …`."""

from __future__ import annotations

import sys

from bdcan_chassis.cli import main
from bdcan_escalation.app import build

sys.exit(main(build))
