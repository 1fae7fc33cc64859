"""The service on an empty database, and what its tests talk about."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # volunteer_match_story.py is shared by the tests of this service

from bdcan_chassis.testing.harness import Databases, Harness, harness
from bdcan_volunteer_match.app import service
from bdcan_volunteer_match.settings import Settings


class EmptiedDatabase:
    """One database for all tests, emptied before each: making and removing a hundred takes longer than the tests."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._dsn: str | None = None

    async def database(self, name: str = "volunteer_match") -> str:
        """The DSN of the database, with all its tables empty."""
        if self._dsn is None:
            self._dsn = await self._databases.database(name)
            return self._dsn
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(_EMPTY)
        finally:
            await connection.close()
        return self._dsn


_EMPTY = """
DO $$ BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
        WHERE schemaname IN ('public', 'chassis') AND tablename <> 'schema_migration'
    );
END $$
"""


@pytest.fixture(scope="session")
def emptied(postgres_server) -> EmptiedDatabase:
    return EmptiedDatabase(postgres_server)


@pytest.fixture
async def given(emptied: EmptiedDatabase) -> AsyncIterator[Harness]:
    async with harness(emptied, service, Settings) as running:
        yield running
