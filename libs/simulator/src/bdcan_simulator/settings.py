"""What a run needs to be told: arguments first, the environment where there is none (REFERRALS, SEED, GAZETTEER)."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_REFERRALS = 300
DEFAULT_SEED = 2020


@dataclass(frozen=True, slots=True)
class Settings:
    """One run."""

    against: Path
    referrals: int
    seed: int
    gazetteer: Path | None
    seconds: float | None
    """Real seconds after which the play ends, whatever is left. None: as long as something moves."""
    spread_seconds: float
    """Real seconds over which the requests come in."""
    report: Path | None
    live: bool
    """Whether somebody may be watching: no CI."""


def add_arguments(parser: argparse.ArgumentParser, *, report: bool) -> None:
    """The arguments of a verb that plays."""
    environment = os.environ
    parser.add_argument(
        "--against", type=Path, required=True, metavar="ENDPOINTS_JSON", help="the running system"
    )
    parser.add_argument(
        "--referrals",
        type=_positive,
        default=environment.get("REFERRALS") or DEFAULT_REFERRALS,
        help=f"how many residents ask for help (REFERRALS, {DEFAULT_REFERRALS})",
    )
    parser.add_argument(
        "--seed", type=int, default=environment.get("SEED") or DEFAULT_SEED, help=f"(SEED, {DEFAULT_SEED})"
    )
    parser.add_argument(
        "--gazetteer",
        type=Path,
        default=environment.get("GAZETTEER") or None,
        metavar="DIR",
        help="draw real postcodes from Code-Point Open CSV files (GAZETTEER)",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="default: none, the play goes on for as long as something moves",
    )
    parser.add_argument(
        "--spread",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="hand the requests in evenly over so long (default: at once)",
    )
    if report:
        parser.add_argument(
            "--report", type=Path, required=True, metavar="FILE", help="where the JSON report goes"
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that the arguments and the environment say."""
    return Settings(
        against=options.against,
        referrals=options.referrals,
        seed=options.seed,
        gazetteer=options.gazetteer,
        seconds=options.time_limit,
        spread_seconds=options.spread,
        report=getattr(options, "report", None),
        live=not os.environ.get("CI"),
    )


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError("must be from 1 to 1,000,000")
    return number
