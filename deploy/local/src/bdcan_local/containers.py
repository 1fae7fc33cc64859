"""The same two test servers as containers (BDCAN_TEST_BACKEND=testcontainers): PostgreSQL's and Apache's own images."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any

from typing_extensions import override

from bdcan_local.errors import PlatformError
from bdcan_local.kafka import ADMIN, Kafka
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.postgres import SUPERUSER, Postgres
from bdcan_local.servers import KafkaBroker, PostgresServer, Server, wait_until_ready

_POSTGRES_IMAGE = "postgres:18"
_KAFKA_IMAGE = "apache/kafka:4.3.1"
_CONFIGURATION = "/mnt/bdcan/server.properties"


class _InContainer(Server):
    """A server in a container."""

    _container: Any

    @override
    def freeze(self) -> None:
        self._container.get_wrapped_container().pause()

    @override
    def thaw(self) -> None:
        self._container.get_wrapped_container().unpause()


class ContainerPostgres(_InContainer, PostgresServer):
    """PostgreSQL in a container, on a port that stays the same when it is stopped and started."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_ports(1)[0]
        self._postgres = Postgres(Path(), port, secrets.token_urlsafe(16))
        self._container = (
            DockerContainer(_POSTGRES_IMAGE)
            .with_env("POSTGRES_PASSWORD", self._postgres.password)
            .with_env("POSTGRES_INITDB_ARGS", "--auth=scram-sha-256")
            .with_command("postgres -c max_connections=200 -c fsync=off -c full_page_writes=off")
        )
        _publish(self._container, 5432, port)
        self._container.start()
        wait_until_ready(self._postgres, _POSTGRES_IMAGE)

    @property
    @override
    def admin_dsn(self) -> str:
        return self._postgres.dsn(SUPERUSER)

    @override
    async def stop(self, mode: str = "immediate") -> None:
        await asyncio.to_thread(_stop, self._container, {"immediate": "SIGKILL", "fast": "SIGINT"}[mode])

    @override
    async def start(self) -> None:
        await asyncio.to_thread(self._container.get_wrapped_container().start)
        await asyncio.to_thread(wait_until_ready, self._postgres, _POSTGRES_IMAGE)

    @override
    def close(self) -> None:
        self._container.stop()


class ContainerKafka(_InContainer, KafkaBroker):
    """Apache Kafka in a container, with the embedded broker's own configuration."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        self.password = secrets.token_urlsafe(16)
        port, controller_port = free_ports(2)
        self._folder = tempfile.TemporaryDirectory(prefix="bdcan-kafka-")
        self._kafka = Kafka(Path(self._folder.name), port, controller_port, self.password, ())
        properties = Path(self._folder.name) / "server.properties"
        inside = self._kafka.configuration(data="/var/lib/kafka/data", host="0.0.0.0")  # noqa: S104 - in the container
        properties.write_text(inside, encoding="utf-8")
        # the image's user is another one than ours; the folder itself is private
        properties.chmod(0o644)
        Path(self._folder.name).chmod(0o755)
        scram = f"SCRAM-SHA-512=[name={ADMIN},password={self.password}]"
        start = (
            "test -e /var/lib/kafka/data/meta.properties || /opt/kafka/bin/kafka-storage.sh format "
            f"--cluster-id $(/opt/kafka/bin/kafka-storage.sh random-uuid) --config {_CONFIGURATION} --add-scram '{scram}'; "
            f"exec /opt/kafka/bin/kafka-server-start.sh {_CONFIGURATION}"
        )
        self._container = (
            DockerContainer(_KAFKA_IMAGE)
            .with_volume_mapping(self._folder.name, "/mnt/bdcan", "ro")
            .with_command(["bash", "-c", start])
        )
        _publish(self._container, port, port)
        self._container.start()
        wait_until_ready(self._kafka, _KAFKA_IMAGE)

    @property
    @override
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    @override
    async def stop(self, *, kill: bool = False) -> None:
        await asyncio.to_thread(_stop, self._container, "SIGKILL" if kill else "SIGTERM")

    @override
    async def start(self) -> None:
        await asyncio.to_thread(self._container.get_wrapped_container().start)
        await asyncio.to_thread(wait_until_ready, self._kafka, _KAFKA_IMAGE)

    @override
    def close(self) -> None:
        self._container.stop()
        self._folder.cleanup()


def _publish(container: Any, inside: int, port: int) -> None:
    # the library's own method cannot name an interface, and would publish to the whole network
    container.ports[inside] = (LOOPBACK, port)


def _stop(container: Any, signal_name: str) -> None:
    wrapped = container.get_wrapped_container()
    wrapped.kill(signal_name)
    if wrapped.wait(timeout=30) is None:
        raise PlatformError(
            f"the container {wrapped.name} does not stop", "Look at its log with `docker logs`."
        )
