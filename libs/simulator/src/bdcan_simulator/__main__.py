"""`python -m bdcan_simulator demo | load | council`."""

from __future__ import annotations

import sys

from bdcan_simulator.cli import main

sys.exit(main())
