"""The command line of the contract tools: `generate`, `check`, `compat`, `release`, `retire`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bdcan_contract_tools import examples, generated, releases, rules
from bdcan_contract_tools.compat import unproven
from bdcan_contract_tools.sources import SCHEMAS, SourceError, Sources, load


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 where all is well, 1 where something was found."""
    options = _parser().parse_args(arguments)
    try:
        sources = load(options.schemas)
        match options.command:
            case "generate":
                found = []
                for path in generated.write(sources):
                    print(f"wrote {path.name}")
            case "check":
                found = list(breaches(sources))
            case "compat":
                found = list(map(str, unproven(sources, releases.released(sources.root, options.against))))
            case "release":
                found = list(breaches(sources, released=False))
                if not found:
                    for line in releases.release(sources):
                        print(line)
            case _:
                found = []
                releases.retire(sources, options.type)
    except SourceError as error:
        found = [str(error)]
    for fault in found:
        print(fault, file=sys.stderr)
    if not found:
        print(f"contracts: {options.command}: all well")
    return 1 if found else 0


def breaches(sources: Sources, *, released: bool = True) -> Iterator[str]:
    """All that `check` finds; without `released`, nothing about releases."""
    if found := list(rules.breaches(sources)):
        yield from found  # nothing sound can be made of such sources, so the rest would only add noise
        return
    yield from generated.stale(sources)
    yield from examples.faults(sources, generated.models_module(sources))
    if released:
        yield from map(str, unproven(sources, releases.released(sources.root)))
        yield from releases.unreleased(sources)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bdcan_contract_tools", description=__doc__)
    parser.add_argument(
        "--schemas", type=Path, default=SCHEMAS, help="the schemas folder (default: this checkout's)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help="write everything that is made from the schemas")
    commands.add_parser("check", help="every rule of the contracts; finds, never writes")
    compat = commands.add_parser("compat", help="is every change since the last release proven additive?")
    compat.add_argument(
        "--against", metavar="REV", help="compare with the release in this git revision instead"
    )
    commands.add_parser("release", help="release what is new or proven additive")
    retire = commands.add_parser("retire", help="forget a type that is out of the catalogue")
    retire.add_argument("type")
    return parser
