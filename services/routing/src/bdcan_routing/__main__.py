"""`python -m bdcan_routing api | worker | pulse | migrate | seed | import-gazetteer | previous-gazetteer | …`."""

import sys

from bdcan_chassis.process import run_service
from bdcan_chassis.signals import exit_when_told

APP = "bdcan_routing.app"


def run() -> int:
    """Run one verb; returns the exit code."""
    verb = sys.argv[1:2]
    if verb == ["pulse"]:
        exit_when_told()
        from bdcan_routing.pulse import run_pulse  # a Faust app: it has its own loop, signals and consumer

        return run_pulse()
    code = run_service(APP)
    if verb == ["migrate"] and code == 0:
        return run_service(APP, ["seed"])
    return code


if __name__ == "__main__":
    sys.exit(run())
