"""Each schema.sql equals the sum of its migrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from bdcan_local.processes import SERVICES
from bdcan_local.schema_files import CHASSIS, path_of, schema_of
from bdcan_local.servers import PostgresServer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("service", [CHASSIS, *SERVICES])
async def test_migrations_make_the_committed_schema(service: str, postgres_server: PostgresServer) -> None:
    made = await schema_of(service, postgres_server)
    assert (ROOT / path_of(service)).read_text("utf-8") == made, "run: make gen"
