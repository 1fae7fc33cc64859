"""`python -m tests.mutants [NAME …]`: break the chassis, one guarantee at a time, and see whether a test goes red.

Each mutant is a copy of the chassis's source with one change, put before the installed one. Exit code 0: all were caught.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .table import MUTANTS, Mutant

_ROOT = Path(__file__).parents[2]
_SOURCE = _ROOT / "libs" / "chassis" / "src"
_LIMIT_SECONDS = 300.0  # a mutant may hang where it should have failed: that is noticed, too


def main() -> int:
    """Run all mutants, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="so many at a time, each with servers of its own")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if not options.names or m.name in options.names]
    if unknown := set(options.names) - {m.name for m in MUTANTS}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:38} {mutant.guarantee}")
        return 0
    if _caught_by(None, " ".join(m.tests for m in chosen))[0] != "nobody":
        print("the tests fail without any mutant: mend that first", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(options.jobs) as pool:
        caught = sum(pool.map(_is_caught, chosen))
    print(f"{caught} of {len(chosen)} mutants caught")
    return 0 if caught == len(chosen) else 1


def _is_caught(mutant: Mutant) -> bool:
    started = time.monotonic()
    verdict, witness = _caught_by(mutant, mutant.tests)
    caught = verdict != "nobody"
    print(
        f"{'caught' if caught else 'SURVIVED':9} {mutant.name:38} {mutant.guarantee:18}"
        f" {time.monotonic() - started:5.0f} s  {witness}",
        flush=True,
    )
    return caught


def _caught_by(mutant: Mutant | None, tests: str) -> tuple[str, str]:
    """Who noticed ("test", "time" or "nobody"), and the first test that went red."""
    with tempfile.TemporaryDirectory(prefix="bdcan-mutant-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(_SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            mutate(mutant, source)
        files = [f"libs/chassis/tests/test_{name}.py" for name in dict.fromkeys(tests.split())]
        environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "--no-header",
            *files,
        ]
        try:
            ended = subprocess.run(  # our own tests
                command,
                cwd=_ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LIMIT_SECONDS * (1 if mutant else 4),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "time", f"nothing ended in {_LIMIT_SECONDS:.0f} s"
    if ended.returncode == 0:
        return "nobody", ""
    failed = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED libs", "ERROR libs"))]
    if ended.returncode != 1 or not failed:
        raise RuntimeError(
            f"pytest ended with {ended.returncode}:\n{ended.stdout[-3000:]}{ended.stderr[-2000:]}"
        )
    return "test", failed[0].split(" - ")[0].rpartition("::")[2]


def mutate(mutant: Mutant, source: Path) -> None:
    """Make the change in this copy of the chassis. Raises LookupError where the text does not stand exactly once."""
    file = source / "bdcan_chassis" / mutant.file
    text = file.read_text("utf-8")
    if text.count(mutant.before) != 1:
        raise LookupError(f"{mutant.name}: stands {text.count(mutant.before)} times in {mutant.file}")
    file.write_text(text.replace(mutant.before, mutant.after), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
