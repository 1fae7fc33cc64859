"""`python -m bdcan_escalation api | worker | migrate | …`."""

import sys

from bdcan_chassis.process import run_service

if __name__ == "__main__":
    sys.exit(run_service("bdcan_escalation.app"))
