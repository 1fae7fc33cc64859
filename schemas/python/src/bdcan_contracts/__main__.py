"""`python -m bdcan_contracts check FILE…`: what a receipt would say, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `check`."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file, or a directory of JSON files"
    )
    parser.add_argument("--source", action="append", default=[], help="one of your sources; default: any")
    parser.add_argument("--json", action="store_true", help="for programs: a JSON list")


def check_files(options: argparse.Namespace) -> int:
    """Print what receipts would say; returns 1 where one would be a refusal, and 2 where there is no such file."""
    from bdcan_contracts.inbound.check import check, files_in  # the models take a while

    try:
        verdicts = [
            check(path, date.today(), tuple(options.source))  # noqa: DTZ011 # the sender's own day
            for path in files_in(options.files)
        ]
    except OSError as error:
        sys.stderr.write(f"cannot read {error.filename or error}\n")
        return 2
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(verdicts)).decode() + "\n")
    else:
        for verdict in verdicts:
            sys.stdout.write(verdict.text + "\n")
    return int(any(verdict.problems for verdict in verdicts))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bdcan_contracts", description="The contracts of BD CAN Plus.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_arguments(commands.add_parser("check", help="say what a receipt would say about files"))
    return check_files(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
