"""How often a caller may call. Reads and lists close before writes, and writes before the doors for urgent needs.

Each kind of door has a budget of its own for each caller, so that a program that reads in a loop never keeps itself from
handing in a referral. The counts live in the process's memory: a service has one API process, and after a restart
everybody begins anew. The sliding window counts in constant time.
"""

from __future__ import annotations

import math
import time
from enum import StrEnum

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import Scope

from bdcan_chassis import metrics
from bdcan_chassis.http.problems import NoRoomError, TooManyRequestsError
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings

log = get_logger(__name__)

_SHARE_OF_OTHERS = 0.8
_QUIET_SECONDS = 10.0  # a caller in a loop writes one line in so long


class Door(StrEnum):
    """Kinds of routes, each with a budget of its own."""

    READING = "reading"
    LISTS = "lists"
    WRITING = "writing"
    URGENT = "urgent"


class Limiter:
    """Counts the requests of callers, and the failed sign-ins of addresses. An app has one."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._budgets = {
            Door.READING: parse(settings.http_rate_reading),
            Door.LISTS: parse(settings.http_rate_lists),
            Door.WRITING: parse(settings.http_rate_writing),
            Door.URGENT: parse(settings.http_rate_urgent),
        }
        self._failures = parse(settings.http_rate_failures)
        self._logged: dict[str, float] = {}
        self._room = settings.http_body_room
        self._held = 0

    def admit(self, caller: str, door: Door) -> None:
        """Count a request. Raises TooManyRequestsError if the caller's budget for such doors is spent."""
        budget = self._budgets[door]
        if not self._window.hit(budget, door, caller):
            self._tell(f"rate-{door}", caller)
            raise TooManyRequestsError(
                _seconds(self._window.get_window_stats(budget, door, caller).reset_time)
            )

    def count_failure(self, scope: Scope) -> None:
        """Count a request without good credentials. Raises TooManyRequestsError if its address sent too many.

        Good credentials are never counted: behind one proxy, a stranger who guesses must not shut out everybody.
        """
        address = scope["client"][0] if scope.get("client") else "unknown"
        if not self._window.hit(self._failures, "failures", address):
            self._tell("sign-ins", None)
            reset = self._window.get_window_stats(self._failures, "failures", address).reset_time
            raise TooManyRequestsError(_seconds(reset))

    def hold(self, size: int, door: Door) -> None:
        """Count bytes of a body that are in memory now. Raises NoRoomError; the last fifth is for urgent doors."""
        self._held += size
        if self._held > self._room * (1 if door is Door.URGENT else _SHARE_OF_OTHERS):
            self._tell("body-room", None)
            raise NoRoomError

    def let_go(self, size: int) -> None:
        """A request is answered, and its body is forgotten."""
        self._held -= size

    def _tell(self, reason: str, caller: str | None) -> None:
        metrics.LIMITED.labels(reason).inc()
        now = time.monotonic()
        if now - self._logged.get(reason, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._logged[reason] = now
            log.warning("http.limited", reason=reason, caller=caller)


def _seconds(reset_time: float) -> int:
    return max(1, math.ceil(reset_time - time.time()))
