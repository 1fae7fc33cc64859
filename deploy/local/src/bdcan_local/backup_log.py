"""PostgreSQL's log, streamed to where the backups are: with it a restore reaches any moment, up to the last second.

The server keeps what was not streamed yet, up to a limit: should the stream stand still for long, the log has a gap. It then
goes on in another directory, and a restore across the gap is refused: the next backup is behind it.
"""

from __future__ import annotations

from pathlib import Path

import asyncpg

from bdcan_local.backup import Site, address, environment
from bdcan_local.backup_manifest import log_directories, next_log_directory
from bdcan_local.child import Command
from bdcan_local.postgres import binaries

SLOT = "bdcan_log"
"""By this name the server remembers how far the log was streamed."""

_LAG = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(r.flush_lsn, s.restart_lsn, pg_current_wal_lsn()))::bigint
FROM (VALUES (1)) AS one LEFT JOIN pg_replication_slots AS s ON s.slot_name = $1
    LEFT JOIN pg_stat_replication AS r ON r.pid = s.active_pid
"""


async def stream(site: Site, directory: Path) -> Command:
    """What streams the log of the server's present timeline. It ends where the server ends."""
    connection = await asyncpg.connect(site.dsn(), timeout=10)
    try:
        timeline = int((await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn())"))[:8], 16)
        kept = await connection.fetchval(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", SLOT
        )
        if kept == "lost":
            await connection.execute("SELECT pg_drop_replication_slot($1)", SLOT)
        if kept in {None, "lost"}:
            await connection.execute("SELECT pg_create_physical_replication_slot($1, true)", SLOT)
    finally:
        await connection.close()
    there = log_directories(directory, timeline)
    log = there[-1] if there and kept not in {None, "lost"} else next_log_directory(directory, timeline)
    log.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = (
        str(binaries() / "pg_receivewal"),
        "--directory",
        str(log),
        "--slot",
        SLOT,
        "--no-loop",
        "--synchronous",
    )
    return Command((*argv, "--no-password", *address(site)), environment(site), directory)


async def behind(site: Site) -> int:
    """How many bytes of the log are not streamed yet."""
    connection = await asyncpg.connect(site.dsn(), timeout=10)
    try:
        return await connection.fetchval(_LAG, SLOT)
    finally:
        await connection.close()
