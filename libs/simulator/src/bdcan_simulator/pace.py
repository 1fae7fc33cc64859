"""When submissions go in: all at once, or evenly over a stretch of time, so that a long run has work in flight throughout."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

_PORTION_SECONDS = 5
"""A sender of lists or batches sends so many seconds' worth at a time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Spreads submissions over `seconds` of real time from when it was made; over none, unless told."""

    seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    async def turn(self, place: int, of: int) -> None:
        """Wait until number `place` (from 0) among `of` is to go in."""
        left = self._began + self.seconds * place / of - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    def portion(self, most: int, of: int) -> int:
        """How many among `of` go in together: `most`, or fewer where they are spread."""
        if not self.seconds:
            return most
        return max(1, min(most, math.ceil(of * _PORTION_SECONDS / self.seconds)))
