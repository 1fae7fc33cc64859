"""`python -m bdcan_simulator demo | load | sandbox | council`."""

from __future__ import annotations

import sys

from bdcan_chassis.signals import exit_when_told


def run() -> int:
    """Run one verb; returns the exit code."""
    if sys.argv[1:2] == ["council"]:  # somebody may stop it while it imports
        exit_when_told()
        from bdcan_simulator import council

        return council.main()
    from bdcan_simulator.cli import main

    return main()


sys.exit(run())
