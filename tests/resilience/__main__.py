"""`python -m tests.resilience --seconds 600 --seed 7`: a fault run. Exit code 0: all invariants hold, 1: not, 130: Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from bdcan_local.child import PRIVATE
from bdcan_local.errors import PlatformError
from bdcan_local.runner import until_signalled

from .run import Run, resilience

_A_SECOND = 4
"""Referrals that come in each second unless told otherwise: what two cores see through while half of it is down."""


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.resilience", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="load under faults (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of faults and residents (default %(default)s)")
    parser.add_argument("--referrals", type=int, help=f"default: {_A_SECOND} a second")
    parser.add_argument("--root", type=Path, help="data, logs, findings (default .local/resilience/SEED)")
    options = parser.parse_args()
    os.umask(PRIVATE)
    # brokers and databases that are away are what this is about
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    run = Run(
        seed=options.seed,
        seconds=options.seconds,
        referrals=options.referrals or int(options.seconds * _A_SECOND),
        directory=(options.root or Path(".local/resilience") / str(options.seed)).resolve(),
    )
    try:
        return asyncio.run(until_signalled(resilience(run, _say)))
    except PlatformError as error:
        sys.stderr.write(f"error: {error.what}\n       {error.todo}\n")
        return error.exit_code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
