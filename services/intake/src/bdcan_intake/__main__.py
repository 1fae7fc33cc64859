"""`python -m bdcan_intake api | worker | migrate | …`."""

import sys

from bdcan_chassis.cli import main
from bdcan_intake.app import build

if __name__ == "__main__":
    sys.exit(main(build))
