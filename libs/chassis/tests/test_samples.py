"""PostgreSQL keeps no sample of what a column says about people, neither from before nor from now on."""

from __future__ import annotations

import asyncpg

from bdcan_chassis.columns import Columns
from bdcan_chassis.samples import take_no_samples

_SAMPLED = "SELECT attname FROM pg_stats WHERE tablename = 'resident' ORDER BY attname"


async def test_name_is_in_no_statistics(postgres_server) -> None:
    connection = await asyncpg.connect(await postgres_server.database())
    await connection.execute("CREATE TABLE resident (id int, name text)")
    await connection.executemany(
        "INSERT INTO resident VALUES ($1, $2)", [(1, "Zebedee"), (2, "Zebedee"), (3, "Ann")]
    )
    await connection.execute("ANALYZE resident")
    assert [row[0] for row in await connection.fetch(_SAMPLED)] == ["id", "name"]
    columns = [Columns("resident", person="name", ids="id"), Columns("not_there_yet", person="name")]
    for _ in range(2):
        await take_no_samples(connection, columns)
        assert [row[0] for row in await connection.fetch(_SAMPLED)] == ["id"]
        await connection.execute("ANALYZE resident")
    await connection.close()
