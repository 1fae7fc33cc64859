"""What a run shows while it goes on: each fault and how long recovery took, how far the load has come, memory."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from bdcan_local.errors import NotReadyError
from bdcan_simulator.play import Stages

from .faults import Faults
from .schedule import Fault, Kind
from .system import Injured

RECOVERY_SECONDS = 240.0
_LOOK_SECONDS = 0.2
STAGES = ("submitted", "received", "assigned", "called", "helped", "closed")


@dataclass
class Struck:
    """A fault that was done. Seconds count from the beginning of the load; `recovered` from when it was undone."""

    fault: Fault
    began: float
    healed: float
    recovered: float | None


@dataclass
class Log:
    """The faults of a run, as they strike, on the terminal and as JSON lines."""

    path: Path
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    struck: list[Struck] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")

    @property
    def seconds(self) -> float:
        """Since the load began."""
        return time.monotonic() - self.began

    def strikes(self, fault: Fault) -> None:
        """It is about to be done."""
        lasting = f" for {fault.seconds:.1f} s" if fault.seconds else ""
        more = _more(fault)
        self.say(f"{self.seconds:6.1f} s  {fault.kind.value}: {fault.victim}{lasting}{more}")

    def is_over(self, struck: Struck) -> None:
        """It was undone, and all that it hurt is ready again, or is not."""
        self.struck.append(struck)
        line = asdict(struck.fault) | {
            "began": round(struck.began, 2),
            "healed": round(struck.healed, 2),
            "recovered_after": None if struck.recovered is None else round(struck.recovered, 2),
        }
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")


def _more(fault: Fault) -> str:
    match fault.kind:
        case Kind.SKEW:
            return f", {fault.how:+.1f} min"
        case Kind.NET_SLOW:
            return f", {fault.how:.0f} ms"
        case _:
            return ""


async def strike_all(faults: list[Fault], hand: Faults, system: Injured, log: Log) -> None:
    """Do all faults at their time, and wait until everything is ready after the last."""
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            await asyncio.sleep(max(0.0, fault.at - log.seconds))
            group.create_task(_strike(fault, hand, system, log))


async def _strike(fault: Fault, hand: Faults, system: Injured, log: Log) -> None:
    log.strikes(fault)
    began = log.seconds
    try:
        await hand.strike(fault)
    except NotReadyError as error:
        log.say(f"{log.seconds:6.1f} s  {error.what.splitlines()[0]}")
        log.is_over(Struck(fault, began, log.seconds, None))
        return
    healed = log.seconds
    log.is_over(Struck(fault, began, healed, await recovered(system, hand.victims(fault))))


async def recovered(system: Injured, names: list[str]) -> float | None:
    """Seconds until each of them has been ready; None if one has not in time.

    Not all at one moment: the next fault strikes within seconds, and brings down some of them again.
    """
    began, missing = time.monotonic(), set(names)
    while time.monotonic() - began < RECOVERY_SECONDS:
        missing -= await system.ready_ones(missing)
        if not missing:
            return time.monotonic() - began
        await asyncio.sleep(_LOOK_SECONDS)
    return None


def recovery_table(struck: list[Struck]) -> list[str]:
    """For each kind of fault: how many, and how long until what it hurt was ready again."""
    by_kind: dict[Kind, list[float]] = defaultdict(list)
    for one in struck:
        by_kind[one.fault.kind].append(RECOVERY_SECONDS if one.recovered is None else one.recovered)
    lines = [f"{'fault':32} {'times':>5} {'median s':>9} {'worst s':>8}"]
    return lines + [
        f"{kind.value:32} {len(times):5} {median(times):9.1f} {max(times):8.1f}"
        for kind in Kind
        if (times := by_kind.get(kind))
    ]


@dataclass
class Progress:
    """How far the load has come, by phase."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    _phases: list[tuple[str, float, Stages]] = field(default_factory=list)
    _last: Stages = field(default_factory=lambda: Stages(0))
    _said: float = 0.0

    def watch(self, stages: Stages) -> None:
        """The simulator looked."""
        self._last = stages
        now = time.monotonic()
        if now - self._said > 10:
            self._said = now
            self.say(
                f"{now - self.began:6.1f} s  "
                + " · ".join(f"{stage} {getattr(stages, stage)}" for stage in STAGES)
            )

    def phase(self, name: str) -> None:
        """From now on it is this phase; an empty name ends the last."""
        self._phases.append((name, time.monotonic(), self._last))

    async def phase_after(self, seconds: float, name: str) -> None:
        """From then on it is this phase."""
        await asyncio.sleep(seconds)
        self.phase(name)

    def table(self) -> list[str]:
        """Throughput of each phase, referrals a second that came at least so far."""
        lines = [f"{'phase':32} {'seconds':>8} " + " ".join(f"{stage + '/s':>12}" for stage in STAGES)]
        for (name, since, before), (_, until, after) in zip(self._phases, self._phases[1:], strict=False):
            seconds = until - since
            rates = [(getattr(after, stage) - getattr(before, stage)) / seconds for stage in STAGES]
            lines.append(f"{name:32} {seconds:8.1f} " + " ".join(f"{rate:12.1f}" for rate in rates))
        return lines


def memory_table(start: dict[str, float], end: dict[str, float]) -> list[str]:
    """Resident memory of each process, in MB."""
    lines = [f"{'process':32} {'MB at start':>12} {'MB at end':>10}"]
    lines += [f"{name:32} {start[name]:12.0f} {end.get(name, 0):10.0f}" for name in start]
    return lines
