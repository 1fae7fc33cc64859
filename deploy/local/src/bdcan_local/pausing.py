"""`bdcan pause`, `resume`, `loops`: an operator has loops stand still. The services' own verbs do the work, and audit it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from bdcan_chassis import pauses
from bdcan_local.errors import PlatformError
from bdcan_local.processes import System, service_command
from bdcan_local.table import lines, span


class Paused(Struct, frozen=True):
    """A loop that stands still."""

    service: str
    loop: str
    ends_at: datetime
    actor: str
    reason: str
    left_seconds: float

    @property
    def says(self) -> str:
        """In a line."""
        left = span(self.left_seconds)
        return f"{self.service} {self.loop} is paused for {left} more, by {self.actor}: {self.reason}"


def run(system: System, service: str, *verb: str) -> int:
    """Run a verb of a service in this terminal; returns its exit code."""
    command = service_command(system, service, *verb)
    return subprocess.run(command.argv, env=dict(command.environment), check=False).returncode  # noqa: S603 # the words are ours


def loops(system: System, services: Iterable[str]) -> list[dict[str, Any]]:
    """The loops of these services. Raises PlatformError."""

    def ask(service: str) -> list[dict[str, Any]]:
        command = service_command(system, service, "loops", "--json")
        asked = subprocess.run(  # noqa: S603 # the words are ours
            command.argv, env=dict(command.environment), check=False, capture_output=True, text=True
        )
        if asked.returncode:
            raise PlatformError(
                f"{service} does not say which loops it has: {asked.stderr.strip()}",
                "Look at `bdcan status`, and ask again.",
            )
        return json.loads(asked.stdout)

    with ThreadPoolExecutor() as pool:
        return [loop for found in pool.map(ask, services) for loop in found]


def as_text(found: Iterable[Mapping[str, Any]], say: Callable[[str], None]) -> None:
    """The loops for people, those that stand still first."""
    rows = [
        (
            loop["service"],
            loop["loop"],
            "urgent" if loop["urgent"] else None,
            f"paused until {loop['ends_at'][11:19]} by {loop['actor']}" if loop["ends_at"] else "runs",
            loop["reason"],
        )
        for loop in sorted(found, key=lambda loop: loop["ends_at"] is None)
    ]
    for line in lines(("service", "loop", "", "state", "why"), rows):
        say(line)


async def paused(databases: Mapping[str, str]) -> list[Paused]:
    """What stands still in all services. Raises PlatformError where a database does not answer."""
    found: list[Paused] = []
    for service, dsn in databases.items():
        try:
            connection = await asyncpg.connect(dsn, timeout=5, command_timeout=5)
            found += [
                Paused(service, one.loop, one.ends_at, one.actor, one.reason, one.left_seconds)
                for one in await pauses.paused(connection)
            ]
            await connection.close(timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise PlatformError(
                f"{service}'s database does not answer ({type(error).__name__})",
                "See *DatabaseAway* in docs/operations.md.",
            ) from error
    return sorted(found, key=lambda one: one.left_seconds)
