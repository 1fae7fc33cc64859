"""The command line of the contract tools."""

from __future__ import annotations

import argparse
from pathlib import Path

from bdcan_contract_tools import generated, rules
from bdcan_contract_tools.sources import SCHEMAS, load


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 where all is well, 1 where something was found."""
    parser = argparse.ArgumentParser(prog="bdcan_contract_tools", description=__doc__)
    parser.add_argument("command", choices=["generate", "check"])
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="the schemas folder")
    options = parser.parse_args(arguments)
    sources = load(options.schemas)
    if options.command == "generate":
        for path in generated.write(sources):
            print(f"wrote {path.name}")
        return 0
    found = [*rules.breaches(sources), *generated.stale(sources)]
    print("\n".join(found) or "contracts: all well")
    return 1 if found else 0
