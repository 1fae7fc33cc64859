"""A full disk, as a service sees it: PostgreSQL answers each INSERT, UPDATE and COPY with its error 53100; reading and deleting go on.

A file system with a quota wants root; triggers that raise the server's own error do not, and can be taken away in a moment.
What a full disk does to the server itself (it may end when it cannot write its log) is what stopping the server shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from bdcan_chassis.database import Connection


async def fill(connection: Connection, schemas: Sequence[str] = ("chassis", "public")) -> None:
    """From here on nothing can be written to the tables of these schemas. Needs their owner or a superuser.

    `public` alone, the service's own tables: the disk may be full for one table while another has room in its pages.
    """
    async with connection.transaction():
        await connection.execute(_REFUSE)
        for place in await connection.fetch(_TABLES, schemas):
            await connection.execute(_FILL.format(place["name"]))


async def free(connection: Connection) -> None:
    """There is room again. Nothing happens if there was."""
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
