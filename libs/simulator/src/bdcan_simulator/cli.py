"""The command line. Exit codes: 0 passed, 1 not passed, 2 the command or the surroundings are at fault, 130 Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from bdcan_chassis.printable import printable
from bdcan_simulator.client import ServiceError
from bdcan_simulator.endpoints import EndpointsError
from bdcan_simulator.postcodes import GazetteerError
from bdcan_simulator.settings import add_arguments, settings_of


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bdcan_simulator", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser("demo", help="play a day of March 2020 and report what became of everyone")
    add_arguments(demo, report=True)
    load = verbs.add_parser("load", help="only hand requests in")
    add_arguments(load, report=False)
    sandbox = verbs.add_parser(
        "sandbox", help="play the referrals of sandbox systems to their end, until Ctrl-C"
    )
    sandbox.add_argument(
        "--against", type=Path, required=True, metavar="ENDPOINTS_JSON", help="the running system"
    )
    verbs.add_parser("council", help="stand in for the council's server")  # `__main__` runs it
    options = parser.parse_args(argv)
    os.umask(0o077)  # its report and the council's cases are about people
    return _sandbox(options) if options.verb == "sandbox" else _play(options)


def _sandbox(options: argparse.Namespace) -> int:
    from bdcan_simulator import sandbox

    try:
        return _run(sandbox.play(options.against))
    except KeyboardInterrupt:
        return 130


def _play(options: argparse.Namespace) -> int:
    from bdcan_simulator import demo

    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # a broker that is away is expected, and shown otherwise
    settings = settings_of(options)
    verb = demo.demo if options.verb == "demo" else demo.load
    try:
        return _run(verb(settings, Console()))
    except KeyboardInterrupt:
        return 130


def _run(work: Coroutine[Any, Any, int]) -> int:
    code = 2
    try:
        code = asyncio.run(work)
    except* (EndpointsError, ServiceError, GazetteerError) as group:
        print(f"error: {printable(_first(group))}", file=sys.stderr)
    return code


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
