"""A full disk, as a service sees it: PostgreSQL answers each INSERT, UPDATE and COPY with its error 53100.

Triggers raise the server's own error; reads and deletes still work. A file system with a quota would need root, and
triggers are removed in a moment. A real full disk may also end the server, when it cannot write its log: to stop the
server shows that.
"""

from __future__ import annotations

from collections.abc import Sequence

from bdcan_chassis.database import Connection


async def fill(connection: Connection, schemas: Sequence[str] = ("chassis", "public")) -> None:
    """Refuse all writes to the tables of these schemas. Needs their owner or a superuser.

    Give `public` alone for the service's own tables: a disk may be full for one table while another has room in its pages.
    """
    async with connection.transaction():
        await connection.execute(_REFUSE)
        for place in await connection.fetch(_TABLES, schemas):
            await connection.execute(_FILL.format(place["name"]))


async def free(connection: Connection) -> None:
    """Allow writes again. Does nothing if they are allowed."""
    async with connection.transaction():
        await connection.execute(_FREE)


_REFUSE = """
SET LOCAL lock_timeout = '3s';
CREATE OR REPLACE FUNCTION no_space_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device';
END $$
"""

_TABLES = """
SELECT c.oid::regclass::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'r' ORDER BY c.oid
"""

_FILL = "CREATE TRIGGER no_space_left BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION no_space_left()"

_FREE = """
SET LOCAL lock_timeout = '3s';
DROP FUNCTION IF EXISTS no_space_left() CASCADE
"""
