"""`make bench`, or `python -m benchmarks [NAME ...] [--quick]`: everything side by side on one Kafka and one PostgreSQL.

Writes `benchmarks/results.json` and `benchmarks/RESULTS.md`. `--quick` is small and writes nothing: to see whether a
change helps. Names: loop, pipeline, urgent, relay, api, memory, matching; growth, profile and compression
run only when they are named.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from bdcan_local.runner import until_signalled
from benchmarks import (
    api,
    compression,
    growth,
    loop,
    matching,
    memory,
    pipeline,
    profile,
    relay,
    report,
    urgent,
)
from benchmarks.figures import Figure
from benchmarks.platform import machine, platform, versions

Benchmark = Callable[..., Awaitable[list[Figure]]]

BENCHMARKS: dict[str, Benchmark] = {
    "loop": loop.measure,
    "pipeline": pipeline.measure,
    "urgent": urgent.measure,
    "relay": relay.measure,
    "api": api.measure,
    "memory": memory.measure,
    "matching": matching.measure,
    "growth": growth.measure,
    "profile": profile.measure,
    "compression": compression.measure,
}
ONLY_WHEN_NAMED = {"growth", "profile", "compression"}
_PACKAGES = (
    "aiokafka",
    "asyncpg",
    "pydantic",
    "orjson",
    "uvloop",
    "faust-streaming",
    "faststream",
    "ortools",
)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small, one repetition, nothing is written")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = options.names or [name for name in BENCHMARKS if name not in ONLY_WHEN_NAMED]
    return asyncio.run(until_signalled(_run(names, quick=options.quick)))


async def _run(names: list[str], *, quick: bool) -> int:
    surroundings: dict[str, Any] = {"machine": machine(), "versions": versions(_PACKAGES)}
    figures: list[Figure] = []
    async with platform(_say) as servers:
        for name in names:
            _say(f"{name} ...")
            found = await BENCHMARKS[name](servers, 1 if quick else 3, quick=quick)
            figures += found
            for figure in found:
                _say(_line(figure))
            if not quick:
                report.write(found, surroundings)
    return 0


def _line(figure: Figure) -> str:
    line = figure.as_dict()
    samples = " · ".join(
        f"{name} {'/'.join(f'{value:,.4g}' for value in values)}" for name, values in figure.samples.items()
    )
    cpu = " · ".join(f"{name} {value:,.1f}" for name, value in figure.cpu_us.items())
    ratios = f"of bare {line['ratio_to_bare']}, of naive {line['ratio_to_naive']}"
    return f"  {figure.name} [{figure.unit}]: {samples}\n    {ratios}\n    cpu µs: {cpu}"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
