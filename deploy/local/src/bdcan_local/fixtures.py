"""pytest fixtures: one real PostgreSQL and one real Kafka per test session, started when a test first asks.

Two backends, chosen by BDCAN_TEST_BACKEND: `embedded` (the default, no containers) and `testcontainers`.
A guardian stops the servers even when pytest is killed.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from bdcan_local.child import PRIVATE
from bdcan_local.guardian import Guardian
from bdcan_local.servers import KafkaBroker, PostgresServer
from bdcan_local.settings import Settings, read_settings


@pytest.fixture(scope="session")
def platform_settings() -> Settings:
    """How the tests' servers run."""
    return read_settings()


@pytest.fixture(scope="session")
def platform_directory() -> Iterator[Path]:
    """Where the servers of this session keep their data; removed at the end."""
    os.umask(PRIVATE)  # as on any other start: what tests write may be the data of a real gazetteer
    directory = Path(tempfile.mkdtemp(prefix="bdcan-test-"))
    yield directory
    rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def guardian(platform_directory: Path) -> Iterator[Guardian]:  # noqa: ARG001 - data must outlive the servers
    """Ends with the session, however that ends."""
    with Guardian() as guardian:
        yield guardian


@pytest.fixture(scope="session")
def postgres_server(
    platform_settings: Settings, platform_directory: Path, guardian: Guardian
) -> Iterator[PostgresServer]:
    """A PostgreSQL server; `await postgres_server.database()` gives the DSN of a fresh, empty database."""
    if platform_settings.test_backend == "testcontainers":
        from bdcan_local.containers import ContainerPostgres

        server: PostgresServer = ContainerPostgres()
    else:
        from bdcan_local.servers import EmbeddedPostgres

        server = EmbeddedPostgres(platform_directory / "postgres", guardian)
    yield server
    server.close()


@pytest.fixture(scope="session")
def kafka_broker(
    platform_settings: Settings, platform_directory: Path, guardian: Guardian
) -> Iterator[KafkaBroker]:
    """A Kafka broker with SCRAM and ACLs; `username` and `password` are the administrator's."""
    broker = make_broker(platform_settings, platform_directory / "kafka", guardian)
    yield broker
    broker.close()


def make_broker(settings: Settings, directory: Path, guardian: Guardian) -> KafkaBroker:
    """Another broker; whoever asks for it closes it."""
    if settings.test_backend == "testcontainers":
        from bdcan_local.containers import ContainerKafka

        return ContainerKafka()
    from bdcan_local.servers import EmbeddedKafka

    return EmbeddedKafka(directory, settings, guardian)
