"""`python -m tests.rehearsal`: exit code 0: each fault was noticed in time, and nothing else was said; 1: not."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bdcan_local.child import PRIVATE
from bdcan_local.errors import PlatformError
from bdcan_local.root import Root
from bdcan_local.runner import until_signalled
from bdcan_local.settings import read_settings
from bdcan_simulator.client import open_client
from bdcan_simulator.endpoints import read_endpoints
from bdcan_simulator.identity import Identities
from tests.resilience.system import SPEED as CALM_SPEED
from tests.resilience.system import injured

from .calm import SECONDS, calm
from .faults import FAULTS, Fault, Scene
from .promises import PROMISES, SPEED
from .watchers import Watchers, watchers

_IN_TIME = 90.0
_PATIENCE = 180.0
_LOOK_ON_SECONDS = 30.0
"""For how long it is seen what else fires, after the right alert."""
_LOOK_SECONDS = 1.0


@dataclass
class Outcome:
    """What a fault led to; seconds since it began and since it was mended."""

    fault: Fault
    fired: float | None = None
    cleared: float | None = None
    beside: frozenset[str] = frozenset()

    @property
    def well(self) -> bool:
        """Whether the right alert fired in time, and nothing that it does not explain."""
        noticed = not self.fault.fires or (self.fired is not None and self.fired <= _IN_TIME)
        return noticed and self.cleared is not None and self.beside <= {*self.fault.beside}


def main() -> int:
    """Rehearse as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=Path(".local/rehearsal"), help="data and logs (default %(default)s)"
    )
    parser.add_argument(
        "--only", default="", help="faults whose name has one of these texts, with commas between"
    )
    parser.add_argument(
        "--calm",
        type=float,
        default=SECONDS,
        metavar="SECONDS",
        help="how long the calm lasts (default an hour)",
    )
    options = parser.parse_args()
    os.umask(PRIVATE)
    try:
        return asyncio.run(until_signalled(_rehearse(options.root.resolve(), options.only, options.calm)))
    except PlatformError as error:
        sys.stderr.write(f"error: {error.what}\n       {error.todo}\n")
        return error.exit_code


async def _rehearse(directory: Path, chosen: str, calm_seconds: float) -> int:
    outcomes = []
    for faults, speed in ((FAULTS, 1.0), (PROMISES, SPEED), ((calm(calm_seconds),), CALM_SPEED)):
        part = [fault for fault in faults if any(text in fault.name for text in chosen.split(","))]
        if part:
            outcomes += await _rehearse_on_one(directory, part, speed)
    _say("")
    _say(
        "fault                                    must fire                    fired after  over after  beside it"
    )
    for outcome in outcomes:
        _say(_line(outcome))
    return 0 if all(outcome.well for outcome in outcomes) else 1


async def _rehearse_on_one(directory: Path, faults: list[Fault], speed: float) -> list[Outcome]:
    """Rehearse faults on one system, one after the other."""
    root, outcomes = Root(directory), []
    async with (
        injured(directory, read_settings(), None, _say, speed=speed) as system,
        watchers(root) as watching,
    ):
        ends = read_endpoints(root.endpoints)
        async with open_client(ends.apis, Identities.of(ends), timeout_seconds=5) as client:
            scene = Scene(system, root, client, ends.clock, watching)
            if speed == 1.0:  # the others begin with empty shelves, or with people who fill them
                await scene.stock()
            await _silence(watching, _PATIENCE)
            for fault in faults:
                outcomes.append(outcome := await _rehearsed(fault, scene, watching))
                _say(_line(outcome))
    return outcomes


async def _rehearsed(fault: Fault, scene: Scene, watching: Watchers) -> Outcome:
    outcome, heard = Outcome(fault), set[str]()
    feeding = asyncio.create_task(scene.feed(*fault.needs) if fault.needs else asyncio.sleep(0))
    try:
        async with fault.injury(scene):
            began = time.monotonic()
            while (waited := time.monotonic() - began) < (_PATIENCE if fault.fires else fault.calm_seconds):
                firing = await watching.firing()
                heard |= firing.keys()
                if outcome.fired is None and _is_told(fault, firing):
                    outcome.fired = waited
                if outcome.fired is not None and waited > outcome.fired + _LOOK_ON_SECONDS:
                    break
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
    outcome.beside = frozenset(heard - set(fault.fires))
    outcome.cleared = await _silence(watching, fault.goes_on_seconds)
    return outcome


def _is_told(fault: Fault, firing: Mapping[str, frozenset[str]]) -> bool:
    """Whether one of the right alerts fires, and names the cause."""
    return any(name in firing and (not fault.cause or fault.cause in firing[name]) for name in fault.fires)


async def _silence(watching: Watchers, patience: float) -> float | None:
    """The seconds until nothing fires any more; None where something goes on."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < patience:
        if not await watching.active() and not await watching.firing():
            return waited
        await asyncio.sleep(_LOOK_SECONDS)
    return None


def _line(outcome: Outcome) -> str:
    def seconds(value: float | None, *, expected: bool = True) -> str:
        return f"{value:.0f} s" if value is not None else "never" if expected else "-"

    fault = outcome.fault
    return (
        f"{fault.name:<40} {', '.join(fault.fires) or 'nothing':<28}"
        f" {seconds(outcome.fired, expected=bool(fault.fires)):>11} {seconds(outcome.cleared):>11}"
        f"  {', '.join(sorted(outcome.beside)) or '-'}{'' if outcome.well else '   NOT WELL'}"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
