"""`python -m bdcan_routing api | worker | pulse | migrate | seed | import-gazetteer | …`."""

import sys

from bdcan_chassis.cli import main
from bdcan_routing.app import build


def run() -> int:
    """Run one verb; returns the exit code."""
    verb = sys.argv[1:2]
    if verb == ["pulse"]:
        from bdcan_routing.pulse import run_pulse  # a Faust app: it has its own loop, signals and consumer

        return run_pulse()
    code = main(build)
    if verb == ["migrate"] and code == 0:
        return main(build, ["seed"])
    return code


if __name__ == "__main__":
    sys.exit(run())
