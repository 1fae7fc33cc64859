"""The toy service as a process: `python ledger_process.py worker`, configured by the environment like any service."""

from __future__ import annotations

import os
import sys
import time

from ledger import Faults, ledger_catalogue, ledger_service

from bdcan_chassis.cli import main
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings


def build() -> Service:
    faults = Faults()
    slow = float(os.environ.get("LEDGER_SLOW", "0"))
    if slow:
        faults.before_write = lambda: time.sleep(slow)
    return ledger_service(ServiceSettings.load(), ledger_catalogue(os.environ["LEDGER_TAG"]), faults)


if __name__ == "__main__":
    sys.exit(main(build))
