"""Time as a dependency: the domain gets the time as an argument and never asks for it.

Domain time (deadlines, timestamps in events) comes from a Clock. Infrastructure time (inbox retention, token
expiry, lag) is real time and comes from the database or the operating system.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and how many real seconds a span of domain time takes."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def real_seconds(self, span: timedelta) -> float:
        """Seconds that really pass while `span` of domain time passes."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        return datetime.now(UTC)

    def real_seconds(self, span: timedelta) -> float:
        """The span itself: domain time is real time."""
        return span.total_seconds()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that showed `origin` when the machine's clock said `started` (epoch seconds), and runs `speed` times faster.

    All processes with the same three figures agree on the time. A demo uses it to play a day in minutes.
    """

    origin: datetime
    started: float
    speed: float

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        return self.origin + timedelta(seconds=(time.time() - self.started) * self.speed)

    def real_seconds(self, span: timedelta) -> float:
        """Seconds that really pass while `span` of domain time passes."""
        return span.total_seconds() / self.speed


@dataclass(slots=True)
class ManualClock:
    """A clock that only a test moves."""

    instant: datetime

    def now(self) -> datetime:
        """The instant that was set."""
        return self.instant

    def real_seconds(self, span: timedelta) -> float:
        """The span itself: the test wakes a runner that waits for a deadline."""
        return span.total_seconds()

    def advance(self, span: timedelta) -> None:
        """Move the clock forward."""
        self.instant += span


def parse_clock(text: str) -> Clock:
    """Read `system`, or `scaled:<ISO origin>:<epoch seconds>:<speed>`. Raises ValueError."""
    if text == "system":
        return SystemClock()
    kind, _, rest = text.partition(":")
    parts = rest.rsplit(":", 2)
    if kind != "scaled" or len(parts) != 3:
        raise ValueError("a clock is 'system' or 'scaled:<ISO origin>:<epoch seconds>:<speed>'")
    origin = datetime.fromisoformat(parts[0])
    started, speed = float(parts[1]), float(parts[2])
    if origin.tzinfo is None or not math.isfinite(started) or not 0 < speed < math.inf:
        raise ValueError(
            "a scaled clock needs an origin with an offset from UTC, a start and a speed above 0"
        )
    return ScaledClock(origin.astimezone(UTC), started, speed)
