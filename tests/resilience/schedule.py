"""Which fault strikes whom, when and for how long: all drawn from the seed, so that a run can be had again.

Every kind of fault comes once before any comes again. Faults overlap now and then, as they do in life.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from bdcan_local.processes import SERVICES

WORKERS = tuple(f"{service}-worker" for service in SERVICES)
APIS = tuple(f"{service}-api" for service in SERVICES)
PROCESSES = (*WORKERS, *APIS, "routing-pulse", "council")

SESSION_SECONDS = 6
"""After so long a silent worker loses its partitions. The shortest that a broker allows: faults are to outlast it."""

FIRST_AT, QUIET_END = 3.0, 6.0
"""Seconds without a new fault after the load began, and before it ends."""


class Kind(StrEnum):
    """What can go wrong."""

    KILL = "kill -9"
    TERM = "SIGTERM"
    RESTART = "restart"
    ROLL = "rolling restart"
    PAUSE = "pause"
    ZOMBIE = "zombie"
    USURPED = "zombie with a successor"
    SECOND = "second worker"
    SKEW = "skewed clock"
    POSTGRES_DOWN = "postgres immediate shutdown"
    BACKEND_KILL = "postgres backend kill -9"
    KAFKA_STOP = "kafka stop"
    KAFKA_KILL = "kafka kill -9"
    KAFKA_PAUSE = "kafka pause"
    CRASH_WITHOUT_POSTGRES = "kill -9 while postgres is down"
    CRASH_WITHOUT_KAFKA = "kill -9 while kafka is paused"
    DISK_FULL = "disk full"
    NET_CUT = "connections cut"
    NET_HOLE = "connections swallowed"
    NET_SLOW = "connections slow"


NETWORK = frozenset({Kind.NET_CUT, Kind.NET_HOLE, Kind.NET_SLOW})
"""Faults that need a proxy in front of PostgreSQL and Kafka."""

_SECONDS: dict[Kind, tuple[float, float]] = {
    Kind.PAUSE: (1, 4),
    Kind.ZOMBIE: (SESSION_SECONDS + 2, SESSION_SECONDS + 8),
    Kind.USURPED: (SESSION_SECONDS + 3, SESSION_SECONDS + 8),
    Kind.SECOND: (4, 12),
    Kind.SKEW: (6, 20),
    Kind.POSTGRES_DOWN: (0.5, 10),
    Kind.KAFKA_STOP: (0.5, 10),
    Kind.KAFKA_PAUSE: (2, 12),
    Kind.CRASH_WITHOUT_POSTGRES: (4, 8),
    Kind.CRASH_WITHOUT_KAFKA: (4, 8),
    Kind.DISK_FULL: (2, 12),
    Kind.NET_CUT: (1, 10),
    Kind.NET_HOLE: (4, 12),
    Kind.NET_SLOW: (5, 15),
}
"""How long a fault lasts; those that are not here are over at once."""

_VERY_LONG: dict[Kind, float] = {Kind.ZOMBIE: 38.0, Kind.USURPED: 38.0, Kind.NET_HOLE: 70.0}
"""Now and then, in a long run: past PostgreSQL's lock and idle time-outs (20 and 30 s), past a command's (60 s)."""

_LONG_RUN_SECONDS = 240.0
_VERY_LONG_SHARE = 0.2
_GAP_SECONDS = (2.5, 9.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One injury. `at`: seconds after the load began; `how`: what else there is to say, by kind.

    SKEW: minutes by which the clock is wrong. NET_SLOW: milliseconds of delay. BACKEND_KILL: which connection,
    as a share from 0 to 1. DISK_FULL: below one half the service's own tables alone. Others: nothing.
    """

    at: float
    kind: Kind
    victim: str
    seconds: float = 0.0
    how: float = 0.0


def plan(seed: int, seconds: float) -> list[Fault]:
    """The faults of a run of so many seconds, in the order of their time. The last is over when the load ends."""
    random = Random(f"{seed}/faults")
    gap = min(max((seconds - FIRST_AT - QUIET_END) / len(Kind), _GAP_SECONDS[0]), _GAP_SECONDS[1])
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = FIRST_AT
    while at <= seconds - QUIET_END:
        if not any(_fits(kind, seconds - at) for kind in deck):
            deck += _shuffled(random)
        kind = next(kind for kind in deck if _fits(kind, seconds - at))
        deck.remove(kind)
        faults.append(_fault(random, kind, at, seconds))
        at += gap * random.uniform(0.6, 1.4)
    return faults


def _shuffled(random: Random) -> list[Kind]:
    kinds = list(Kind)
    random.shuffle(kinds)
    return kinds


def _fits(kind: Kind, room: float) -> bool:
    return _SECONDS.get(kind, (0.0, 0.0))[0] <= room


def _fault(random: Random, kind: Kind, at: float, run_seconds: float) -> Fault:
    seconds = random.uniform(*_SECONDS.get(kind, (0.0, 0.0)))
    if run_seconds >= _LONG_RUN_SECONDS and kind in _VERY_LONG and random.random() < _VERY_LONG_SHARE:
        seconds = _VERY_LONG[kind]
    seconds = min(seconds, run_seconds - at)
    victim, how = _victim(random, kind, run_seconds), _how(random, kind)
    return Fault(round(at, 2), kind, victim, round(seconds, 2), round(how, 3))


def _victim(random: Random, kind: Kind, run_seconds: float) -> str:
    match kind:
        case (
            Kind.ZOMBIE
            | Kind.USURPED
            | Kind.SECOND
            | Kind.SKEW
            | Kind.CRASH_WITHOUT_POSTGRES
            | Kind.CRASH_WITHOUT_KAFKA
        ):
            return random.choice(WORKERS)
        case Kind.ROLL:
            everything = run_seconds >= _LONG_RUN_SECONDS and random.random() < 0.5
            return "everything" if everything else random.choice(SERVICES)
        case Kind.POSTGRES_DOWN | Kind.BACKEND_KILL:
            return "postgres"
        case Kind.KAFKA_STOP | Kind.KAFKA_KILL | Kind.KAFKA_PAUSE:
            return "kafka"
        case Kind.NET_CUT | Kind.NET_HOLE | Kind.NET_SLOW:
            return f"{random.choice(SERVICES)}:{random.choice(('postgres', 'kafka'))}"
        case Kind.DISK_FULL:
            return f"{random.choice(SERVICES)}:disk"
        case Kind.KILL | Kind.TERM | Kind.RESTART | Kind.PAUSE:
            # most of what can break is in the workers
            return random.choice((*WORKERS, *PROCESSES))


def _how(random: Random, kind: Kind) -> float:
    match kind:
        case Kind.SKEW:
            return random.choice((-1, 1)) * random.uniform(1, 10)
        case Kind.NET_SLOW:
            return random.uniform(100, 1500)
        case Kind.BACKEND_KILL | Kind.DISK_FULL:
            return random.random()
        case _:
            return 0.0
