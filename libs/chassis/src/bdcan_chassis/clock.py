"""Time as a dependency: the domain is told the time and never asks for it.

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
    """What time it is, and how long a stretch of domain time takes in reality."""

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
        """Real time and domain time are one."""
        return span.total_seconds()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that began at `origin` when the machine's clock said `started` (epoch seconds), and runs `speed` times faster.

    All processes that share the three figures agree on the time: that is how a demo plays a day in minutes.
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
    """A clock that stands still until a test moves it."""

    instant: datetime

    def now(self) -> datetime:
        """The instant that was set."""
        return self.instant

    def real_seconds(self, span: timedelta) -> float:
        """Like real time: a runner that waits for a deadline is woken by the test."""
        return span.total_seconds()

    def advance(self, span: timedelta) -> None:
        """Move the clock on."""
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
