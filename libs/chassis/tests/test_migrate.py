"""Migrations: each once, in order, by one runner at a time, and never changed afterwards."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import asyncpg
import pytest
from waiting import until_true

from bdcan_chassis import migrate as migrate_module
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.migrate import migrate, migrations_in


class Package:
    """A Python package with a folder of migrations."""

    def __init__(self, folder: Path) -> None:
        self.name = f"migrated_{secrets.token_hex(4)}"
        self._folder = folder / self.name / "migrations"
        self._folder.mkdir(parents=True)
        (folder / self.name / "__init__.py").write_text("")

    def write(self, name: str, sql: str) -> None:
        (self._folder / name).write_text(sql)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = Package(tmp_path)
    package.write("0001_one.sql", "CREATE TABLE counted (at int);\nINSERT INTO counted VALUES (1);\n")
    package.write("0002_two.sql", "INSERT INTO counted VALUES (2);")
    package.write("notes.txt", "not SQL")
    return package


@pytest.fixture
async def dsn(postgres_server) -> str:
    return await postgres_server.database()


async def counted(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        return [r["at"] for r in await connection.fetch("SELECT at FROM counted ORDER BY ctid")]
    finally:
        await connection.close()


async def test_concurrent_migrations_apply_each_file_once_in_order(dsn: str, package: Package) -> None:
    done = await asyncio.gather(*(migrate(dsn, ["bdcan_chassis", package.name]) for _ in range(6)))
    names = [m.name for m in (*migrations_in("bdcan_chassis"), *migrations_in(package.name))]
    assert max(done, key=len) == names
    assert sum(map(len, done)) == len(names)
    assert await counted(dsn) == [1, 2]
    assert await migrate(dsn, ["bdcan_chassis", package.name]) == []


async def test_only_a_new_file_is_applied(dsn: str, package: Package) -> None:
    await migrate(dsn, [package.name])
    package.write("0003_three.sql", "INSERT INTO counted VALUES (3);")
    assert await migrate(dsn, [package.name]) == [f"{package.name}/0003_three.sql"]
    assert await counted(dsn) == [1, 2, 3]


async def test_edited_migration_is_refused_and_nothing_is_applied(dsn: str, package: Package) -> None:
    await migrate(dsn, [package.name])
    package.write("0001_one.sql", "CREATE TABLE counted (at bigint);")
    package.write("0003_three.sql", "INSERT INTO counted VALUES (3);")
    with pytest.raises(ConfigurationError, match=r"0001_one\.sql was edited"):
        await migrate(dsn, [package.name])
    assert await counted(dsn) == [1, 2]


async def test_older_code_leaves_newer_migrations_alone(dsn: str, package: Package) -> None:
    await migrate(dsn, [package.name])
    package.remove("0002_two.sql")
    assert await migrate(dsn, [package.name]) == []
    assert await counted(dsn) == [1, 2]


async def test_file_that_fails_half_way_is_rolled_back(dsn: str, package: Package) -> None:
    package.write("0003_three.sql", "INSERT INTO counted VALUES (3);\nSELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, [package.name])
    assert await counted(dsn) == [1, 2], "the files before it do"
    package.write("0003_three.sql", "INSERT INTO counted VALUES (3);")
    assert await migrate(dsn, [package.name]) == [f"{package.name}/0003_three.sql"]


@pytest.mark.parametrize("sql", ["SELECT 1 FROM nothing;", "SELECT nothing FROM counted;"])
async def test_file_that_can_never_run_fails_at_once(dsn: str, package: Package, sql: str) -> None:
    package.write("0003_three.sql", sql)
    with pytest.raises((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)):
        await migrate(dsn, [package.name])


async def test_file_without_a_transaction_builds_an_index_beside_traffic(dsn: str, package: Package) -> None:
    package.write(
        "0003_index.sql",
        "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS counted_at ON counted (at);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS counted_at_2 ON counted (at DESC);\n-- the end",
    )
    await asyncio.gather(*(migrate(dsn, [package.name]) for _ in range(3)))
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE 'counted_at%'"
        )
    finally:
        await connection.close()
    assert [r["indisvalid"] for r in rows] == [True, True]


async def test_long_migration_is_not_cut_off(dsn: str, package: Package) -> None:
    package.write("0003_long.sql", "SELECT pg_sleep(1.2); INSERT INTO counted VALUES (3);")
    await migrate(dsn, [package.name], patience=1)
    assert await counted(dsn) == [1, 2, 3]


async def test_waiting_for_another_runner_has_a_time_limit(dsn: str, package: Package) -> None:
    other = await asyncpg.connect(dsn)
    try:
        await other.execute("SELECT pg_advisory_lock($1)", migrate_module._LOCK)
        with pytest.raises(TimeoutError):
            await migrate(dsn, [package.name], patience=0.5)
    finally:
        await other.close()


async def test_migrate_waits_for_the_database_to_start(
    postgres_server, dsn: str, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []
    monkeypatch.setattr(migrate_module, "backoff_seconds", lambda *a: attempts.append(a) or 0.01)
    name = f"late_{secrets.token_hex(4)}"
    late = dsn.rpartition("/")[0] + f"/{name}"
    role = dsn.partition("//")[2].partition(":")[0]
    waiting = asyncio.create_task(migrate(late, [package.name]))
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    try:
        await until_true(lambda: attempts)
        await admin.execute(f'CREATE DATABASE "{name}" OWNER "{role}"')
    finally:
        await admin.close()
    assert len(await waiting) == 2
    assert await counted(late) == [1, 2]
