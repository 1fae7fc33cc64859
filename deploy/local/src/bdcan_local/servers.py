"""Servers for tests: what a test may ask of PostgreSQL and Kafka, and their embedded form.

PostgresServer  admin_dsn, database(), stop(), start(), restart(), freeze(), thaw()
KafkaBroker     bootstrap, username, password, create_topics(), stop(), start(), freeze(), thaw()
"""

import asyncio
import os
import secrets
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from typing_extensions import override

from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_local import jars
from bdcan_local.child import Child, Command
from bdcan_local.errors import NotReadyError
from bdcan_local.guardian import Guardian
from bdcan_local.kafka import ADMIN, Kafka, client_options
from bdcan_local.ports import free_ports
from bdcan_local.postgres import Postgres
from bdcan_local.provision import close_to_public, make_database
from bdcan_local.settings import Settings

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.05


class Server(ABC):
    """What a test may do to either server."""

    @abstractmethod
    def freeze(self) -> None:
        """Stops its clock: it accepts connections and answers nobody."""

    @abstractmethod
    def thaw(self) -> None:
        """Lets it go on."""

    @abstractmethod
    def close(self) -> None:
        """Ends it for good."""


class PostgresServer(Server):
    """A PostgreSQL server that a test may stop and start again."""

    @property
    @abstractmethod
    def admin_dsn(self) -> str:
        """The superuser's address of the database `postgres`."""

    @abstractmethod
    async def stop(self, mode: str = "immediate") -> None:
        """Stops it: `immediate` as in a crash, `fast` in order. Returns when it has ended."""

    @abstractmethod
    async def start(self) -> None:
        """Starts it again on the same port and data. Returns when it accepts connections."""

    async def restart(self, mode: str = "immediate") -> None:
        """Stops and starts."""
        await self.stop(mode)
        await self.start()

    async def database(self, name: str = "test") -> str:
        """Makes a fresh database; returns the DSN of its owner, as `migrate` takes it.

        The role that runs, without `_owner` behind its name, has the same password (`run_time_dsn`).
        """
        unique = f"{name.replace('-', '_')}_{secrets.token_hex(4)}"
        password = secrets.token_urlsafe(16)
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            await make_database(connection, unique, password, password)
            # a test that is the owner sees the service's sessions, and may end them
            await connection.execute(f'GRANT "{unique}" TO "{unique}{OWNER_SUFFIX}"')
            await close_to_public(connection)
        finally:
            await connection.close()
        address = self.admin_dsn.rpartition("@")[2].partition("/")[0]
        return f"postgresql://{unique}{OWNER_SUFFIX}:{password}@{address}/{unique}"


class KafkaBroker(Server):
    """A Kafka broker that a test may stop and start again."""

    username = ADMIN
    password: str

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """Host and port."""

    @abstractmethod
    async def stop(self, *, kill: bool = False) -> None:
        """Stops it in order, or with SIGKILL. Returns when it has ended."""

    @abstractmethod
    async def start(self) -> None:
        """Starts it again on the same port and data. Returns when it answers."""

    def client_options(self, username: str | None = None, password: str | None = None) -> dict[str, Any]:
        """Arguments for any aiokafka client: as the administrator, or as the given user."""
        return client_options(self.bootstrap, username or self.username, password or self.password)

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Makes topics, name to number of partitions, and waits until they can be used. Existing ones are left alone."""
        from bdcan_local.access import TopicSpec
        from bdcan_local.cluster import Cluster

        specs = [TopicSpec(name, count, ()) for name, count in partitions.items()]

        def work() -> None:
            with Cluster(self.client_options()) as cluster:
                cluster.make_topics(specs, replicas=1)
                cluster.wait_until_ready(specs)

        await asyncio.to_thread(work)


class _Embedded(Server):
    """A server that is a child of the test session."""

    _runs: "_Runs"

    @override
    def freeze(self) -> None:
        self._runs.tell(signal.SIGSTOP)

    @override
    def thaw(self) -> None:
        self._runs.tell(signal.SIGCONT)


class EmbeddedPostgres(_Embedded, PostgresServer):
    """PostgreSQL as a child of the test session. fsync is off: tests want speed, and no test cuts the power."""

    def __init__(self, directory: Path, guardian: Guardian) -> None:
        self._postgres = Postgres(directory, free_ports(1)[0], secrets.token_urlsafe(16), durable=False)
        self._runs = _Runs(directory.parent / "postgres.log", guardian)
        self._postgres.prepare()
        blocking(self.start())

    @property
    @override
    def admin_dsn(self) -> str:
        return self._postgres.dsn()

    @override
    async def stop(self, mode: str = "immediate") -> None:
        stop_signal = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode]
        await asyncio.to_thread(self._runs.stop, stop_signal)

    @override
    async def start(self) -> None:
        await self._runs.start(self._postgres.command(), self._postgres)

    @override
    def close(self) -> None:
        self._runs.stop(signal.SIGQUIT)


class EmbeddedKafka(_Embedded, KafkaBroker):
    """Kafka as a child of the test session."""

    def __init__(self, directory: Path, settings: Settings, guardian: Guardian) -> None:
        self.password = secrets.token_urlsafe(16)
        port, controller_port = free_ports(2)
        self._kafka = Kafka(directory, port, controller_port, self.password, jars.fetch(settings))
        self._runs = _Runs(directory.parent / "kafka.log", guardian)
        self._kafka.prepare()
        blocking(self.start())

    @property
    @override
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    @override
    async def stop(self, *, kill: bool = False) -> None:
        await asyncio.to_thread(self._runs.stop, signal.SIGKILL if kill else signal.SIGTERM)

    @override
    async def start(self) -> None:
        await self._runs.start(self._kafka.command(), self._kafka)

    @override
    def close(self) -> None:
        self._runs.stop(signal.SIGKILL)


def _children(pid: int) -> list[int]:
    listed = subprocess.run(  # our own words
        ("ps", "-A", "-o", "pid=,ppid="),  # noqa: S607 # wherever it is
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


class Answers(Protocol):
    """A server that can be asked whether it is ready."""

    async def is_ready(self) -> bool:
        """Whether it answers now."""
        ...


class _Runs:
    """One child at a time, over and over."""

    def __init__(self, log: Path, guardian: Guardian) -> None:
        self._log = log
        self._guardian = guardian
        self._child: Child | None = None

    async def start(self, command: Command, server: Answers) -> None:
        if self._child is not None:
            return
        self._child = Child(command, self._log, self._guardian)
        end = time.monotonic() + _READY_SECONDS
        while not await server.is_ready():
            if self._child.exit_code() is not None or time.monotonic() > end:
                last = self._log.read_text(errors="replace")[-2000:]
                self.stop(signal.SIGKILL)
                raise NotReadyError(f"{self._log.stem} did not become ready:\n{last}", "See the log above.")
            await asyncio.sleep(_POLL_SECONDS)

    def tell(self, to_all: signal.Signals) -> None:
        """Signal the process and its children: each backend of PostgreSQL leads a session of its own."""
        if self._child is not None:
            for pid in (self._child.pid, *_children(self._child.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, to_all)

    def stop(self, stop_signal: signal.Signals) -> None:
        if self._child is not None:
            self._child.stop(20, stop_signal)
            self._child = None


def wait_until_ready(server: Answers, name: str) -> None:
    """Blocks until the server answers, at most a minute."""

    async def wait() -> None:
        end = time.monotonic() + _READY_SECONDS
        while not await server.is_ready():
            if time.monotonic() > end:
                raise NotReadyError(f"{name} did not become ready", "See its log.")
            await asyncio.sleep(_POLL_SECONDS)

    blocking(wait())


def blocking(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine from plain code, also where an event loop runs already: in a thread of its own."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except (NotReadyError, OSError) as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
