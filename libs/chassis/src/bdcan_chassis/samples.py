"""PostgreSQL samples no column that is about people: an erasure does not reach its statistics.

ANALYZE copies up to a hundred values of a column to where any later query can read them, and keeps them until it runs again. In a table that
seldom changes that is months. No plan of ours needs to know how a name or a note is distributed.
"""

from __future__ import annotations

from collections.abc import Iterable

from bdcan_chassis.columns import Columns
from bdcan_chassis.database import Connection


async def take_no_samples(connection: Connection, columns: Iterable[Columns]) -> None:
    """Have ANALYZE pass by these columns' personal ones from now on, and forget what it has sampled of them. As their owner."""
    named = [(one.table, name) for one in columns for name in one.person.split()]
    tables, names = [table for table, _ in named], [name for _, name in named]
    for row in await connection.fetch(_SAMPLED, tables, names):
        async with connection.transaction():
            await connection.execute(row["statement"])
            await connection.execute(_FORGET, row["nspname"], row["relname"], row["attname"])


_SAMPLED = """
SELECT n.nspname, c.relname, a.attname,
    format('ALTER TABLE %I.%I ALTER COLUMN %I SET STATISTICS 0', n.nspname, c.relname, a.attname) AS statement
FROM unnest($1::text[], $2::text[]) AS person (relation, name)
JOIN pg_class AS c ON c.oid = to_regclass(person.relation)
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = person.name AND NOT a.attisdropped
WHERE a.attstattarget IS DISTINCT FROM 0
ORDER BY n.nspname, c.relname, a.attnum
"""

_FORGET = "SELECT pg_clear_attribute_stats($1, $2, $3, false)"
