"""Migrations: plain SQL files, forward only. Each is applied once, in its own transaction, and never edited afterwards.

The chassis's files go first, then the service's. The last steps give the run-time role its grants (`privileges`) and keep what is about
people out of the planner's statistics (`samples`). The database keeps each applied file's sha256: to edit such a file is
an error. The runner polls `pg_try_advisory_lock`, because a lock that waits deadlocks with CREATE INDEX CONCURRENTLY.
A file whose first line is `-- no transaction` runs statement by statement outside a transaction, for such an index.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg

from bdcan_chassis.columns import columns_in
from bdcan_chassis.database import backoff_seconds, dedicated_connection
from bdcan_chassis.errors import DATABASE_ERRORS, ConfigurationError, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.privileges import grant, role_of
from bdcan_chassis.samples import take_no_samples

log = get_logger(__name__)
_LOCK = 0x6264_6361_6E6D_6967  # "bdcanmig": one migration runner a database
_LONGEST_SECONDS = 86_400.0
_COMMENT = re.compile(
    r"^\s*--.*$", re.MULTILINE
)  # asyncpg fails on a statement that is nothing but a comment
_WRONG_SQL = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
)  # transient elsewhere, because there one waits for this migration


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file. `name` is `<package>/<file>`."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """sha256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(package: str) -> list[Migration]:
    """The SQL files of a package's `migrations` folder, in order of their names."""
    folder: Traversable = files(package) / "migrations"
    return [
        Migration(f"{package}/{f.name}", f.read_text("utf-8"))
        for f in sorted(folder.iterdir(), key=lambda f: f.name)
        if f.name.endswith(".sql")
    ]


async def migrate(dsn: str, packages: list[str], *, patience: float = 60.0) -> list[str]:
    """Apply the missing files as the owner of the database, and what follows from the tables that there are; returns the files' names.

    Waits up to `patience` seconds for the database and for another runner. The files themselves may take as long as they
    need. Raises ConfigurationError if an applied file was changed or the role is no owner, and TimeoutError after the wait.
    """
    wanted = [m for package in packages for m in migrations_in(package)]
    until = asyncio.get_running_loop().time() + patience
    async with asyncio.timeout_at(until) as waiting:
        attempt = 0
        while True:
            try:
                async with dedicated_connection(dsn, "migrate") as connection:
                    await _lock(connection)
                    waiting.reschedule(None)
                    role = await role_of(connection)
                    done = await _apply(connection, wanted)
                    await grant(connection, role)
                    await take_no_samples(connection, columns_in(packages))
                    return done
            except DATABASE_ERRORS as error:
                waiting.reschedule(until)
                if not is_transient(error) or isinstance(error, _WRONG_SQL):
                    raise
                attempt += 1
                log.warning("migrate.waiting", attempt=attempt, exc_info=error)
                await asyncio.sleep(backoff_seconds(attempt, 2))


async def _lock(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 # no event to await
        await asyncio.sleep(backoff_seconds(2))


async def _apply(connection: asyncpg.Connection[asyncpg.Record], wanted: list[Migration]) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration ("
        "name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {
        r["name"]: r["sha256"] for r in await connection.fetch("SELECT name, sha256 FROM schema_migration")
    }
    for migration in wanted:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise ConfigurationError(
                f"migration {migration.name} was edited after it had been applied: add a new file"
            )
    # A newer release may have applied more files than this code has. To roll back the code alone is allowed.
    done: list[str] = []
    for migration in wanted:
        if migration.name in applied:
            continue
        await connection.execute("SET lock_timeout = '5s'; SET statement_timeout = 0")
        if migration.sql.startswith("-- no transaction"):
            for statement in _COMMENT.sub("", migration.sql).split(";\n"):
                if statement.strip():
                    await connection.execute(statement, timeout=_LONGEST_SECONDS)
            await _record(connection, migration)
        else:
            async with connection.transaction():
                await connection.execute(migration.sql, timeout=_LONGEST_SECONDS)
                await _record(connection, migration)
        log.info("migrate.applied", migration=migration.name)
        done.append(migration.name)
    return done


async def _record(connection: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)", migration.name, migration.digest
    )
