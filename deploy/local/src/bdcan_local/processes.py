"""The one table of processes: what runs, with which settings, on which port, and how to tell that it is ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_local import access
from bdcan_local.child import Command
from bdcan_local.kafka import PROTOCOL, Kafka
from bdcan_local.ports import LOOPBACK
from bdcan_local.postgres import Postgres
from bdcan_local.provision import READER_SUFFIX
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.supervisor import Unit

# ports, and user ids in compose, go by the place here: a new one goes to the end
SERVICES = ("intake", "routing", "volunteer-match", "foodhub", "escalation")


def own_name(service: str) -> str:
    """What a service's Python package, its database and the database's user are called: `bdcan_volunteer_match`."""
    return f"bdcan_{service.replace('-', '_')}"


ISSUER = "http://localhost/bdcan"
AUDIENCE = "bdcan"
_HTTP_SECONDS = 5.0
_RECOVERY_SECONDS = 900.0
"""How long PostgreSQL may replay its log: after a restore that is a day's work."""

BACKUP_HOURS = 24.0
"""How often a backup is made."""

RECONCILE_SECONDS = 300
"""How often it is looked whether somebody has each need."""

USUAL_PORTS: dict[str, int] = {
    "postgres": 5433,
    "kafka": 9192,
    "kafka-controller": 9193,
    **{f"{service}-api": 8101 + number for number, service in enumerate(SERVICES)},
    **{f"{service}-worker": 8201 + number for number, service in enumerate(SERVICES)},
    "council": 8300,
    "routing-pulse": 8301,
    "reconcile": 8302,
    "backup": 8303,
}


@dataclass(frozen=True)
class System:
    """Everything that the processes of one root directory have in common."""

    data: Path
    ports: Mapping[str, int]
    secrets: SecretsStore
    postgres: Postgres
    kafka: Kafka
    clock: str
    log_level: str
    environment: Mapping[str, str]
    gazetteer: Path | None = None

    def url(self, process: str) -> str:
        """Where a process serves HTTP."""
        return f"http://{LOOPBACK}:{self.ports[process]}"


def platform_units(system: System) -> list[Unit]:
    """PostgreSQL and Kafka. A broker that was killed first waits until its old session is over."""
    postgres, kafka = system.postgres, system.kafka
    return [
        Unit(
            "postgres",
            postgres.command(),
            postgres.is_ready,
            ready_seconds=_RECOVERY_SECONDS,
            stop_seconds=20,
            port=postgres.port,
        ),
        Unit("kafka", kafka.command(), kafka.is_ready, ready_seconds=180, stop_seconds=20, port=kafka.port),
    ]


def one_shot_units(system: System) -> list[list[Unit]]:
    """What has to be done once before the services start: migrations side by side, then the gazetteer if there is one."""
    stages = [
        [
            Unit(f"{service}-migrate", migrate_command(system, service), ready_seconds=180)
            for service in SERVICES
        ]
    ]
    if system.gazetteer is not None:
        imported = service_command(system, "routing", "import-gazetteer", str(system.gazetteer))
        stages.append([Unit("routing-import-gazetteer", imported, ready_seconds=600)])
    return stages


def service_units(system: System) -> list[Unit]:
    """The long-running processes: the council's stand-in, and an API and a worker for each service, and the pulse."""
    units = [
        _unit(
            system,
            "council",
            Command(_python("bdcan_simulator", "council"), _council(system), listens=True),
            _answers,
        )
    ]
    for service in SERVICES:
        for verb in ("api", "worker"):
            name = f"{service}-{verb}"
            units.append(_unit(system, name, service_command(system, service, verb, port_of=name), _is_ready))
    pulse = service_command(system, "routing", "pulse", port_of="routing-pulse")
    units.append(_unit(system, "routing-pulse", pulse, _is_ready))
    return units


def endpoints(system: System) -> dict[str, object]:
    """Where everything is, for the simulator: `run/endpoints.json`."""
    upstream = system.secrets.demo_user()
    return {
        "kafka": {
            "bootstrap": system.kafka.bootstrap,
            "protocol": PROTOCOL,
            "mechanism": "SCRAM-SHA-512",
            "username": upstream,
            "password_file": str(system.secrets.path("kafka", upstream)),
        },
        "services": {
            service: {"api": system.url(f"{service}-api"), "ops": system.url(f"{service}-worker")}
            for service in SERVICES
        },
        "pulse": {"ops": system.url("routing-pulse")},
        "council": {"url": system.url("council")},
        "auth": {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "signing_key_file": str(system.secrets.signing_key_file),
            "api_key_file": str(system.secrets.path("api-keys", "simulator")),
        },
        "clock": system.clock,
        "upstreams_file": str(system.secrets.upstreams_file),
    }


def sandbox_unit(system: System, endpoints: Path) -> Unit:
    """Who plays the referrals of sandbox systems to their end."""
    command = Command(_python("bdcan_simulator", "sandbox", "--against", str(endpoints)), _common(system))

    async def is_ready() -> bool:
        return True

    return Unit("sandbox", command, is_ready)


def reconcile_unit(system: System, root: Path, every_seconds: float = RECONCILE_SECONDS) -> Unit:
    """Who looks every few minutes whether somebody has each need, and tells Prometheus."""
    return _watching(system, "reconcile", "--root", str(root), "--every", str(every_seconds))


def backup_unit(system: System, root: Path, directory: Path, every_hours: float = BACKUP_HOURS) -> Unit:
    """Who makes a backup every day, and streams PostgreSQL's log beside it."""
    return _watching(system, "backup", str(directory), "--root", str(root), "--every", str(every_hours))


def _watching(system: System, name: str, *words: str) -> Unit:
    """A command of ours that goes on, and serves metrics."""
    port = system.ports[name]
    argv = _python("bdcan_local.cli", name, *words, "--port", str(port))

    async def is_ready() -> bool:
        return await http_status(port, "/metrics") == 200

    command = Command(argv, _common(system), listens=True)
    return Unit(name, command, is_ready, ready_seconds=120, port=port, url=system.url(name))


@dataclass(frozen=True)
class Table:
    """The processes beside PostgreSQL and Kafka: those that run once first, stage by stage, and those that stay."""

    one_shot: Callable[[System], list[list[Unit]]] = one_shot_units
    services: Callable[[System], list[Unit]] = service_units


def _unit(system: System, name: str, command: Command, check: Callable[[int], Awaitable[bool]]) -> Unit:
    port = system.ports[name]
    return Unit(name, command, lambda: check(port), ready_seconds=120, port=port, url=system.url(name))


def service_command(system: System, service: str, *arguments: str, port_of: str | None = None) -> Command:
    """`python -m bdcan_<service> …` with all that it needs of the system. `port_of`: the process whose port it serves on."""
    environment = _service_environment(system, service)
    if port_of is not None:
        variable = "BDCAN_HTTP_PORT" if arguments[0] == "api" else "BDCAN_OPS_PORT"
        environment[variable] = str(system.ports[port_of])
    return Command(_python(own_name(service), *arguments), environment, listens=True)


def migrate_command(system: System, service: str) -> Command:
    """`python -m bdcan_<service> migrate`, as the owner of the service's database."""
    environment = _service_environment(system, service)
    environment["BDCAN_DATABASE_URL"] = service_dsn(system, service, OWNER_SUFFIX)
    return Command(_python(own_name(service), "migrate"), environment, listens=True)


def database_roles() -> list[str]:
    """The names under which passwords of all services' roles are kept: who runs, who owns, and who reconciles."""
    return [
        service.replace("-", "_") + suffix
        for service in SERVICES
        for suffix in ("", OWNER_SUFFIX, READER_SUFFIX)
    ]


def service_dsn(system: System, service: str, suffix: str = "") -> str:
    """Where a service's database is, as the role that runs, or as the one with this suffix."""
    password = system.secrets.get("postgres", service.replace("-", "_") + suffix)
    return system.postgres.dsn(own_name(service) + suffix, password, own_name(service))


def _service_environment(system: System, service: str) -> dict[str, str]:
    secrets, user = system.secrets, access.kafka_user(service)
    environment = {
        **_common(system),
        "BDCAN_DATABASE_URL": service_dsn(system, service),
        "BDCAN_KAFKA_BOOTSTRAP": system.kafka.bootstrap,
        "BDCAN_KAFKA_USERNAME": user,
        "BDCAN_KAFKA_PASSWORD": secrets.get("kafka", user),
        "BDCAN_KAFKA_PROTOCOL": PROTOCOL,
        "BDCAN_HTTP_HOST": LOOPBACK,
        "BDCAN_JWKS": str(secrets.jwks_file),
        "BDCAN_OIDC_ISSUER": ISSUER,
        "BDCAN_OIDC_AUDIENCE": AUDIENCE,
        "BDCAN_API_KEYS_FILE": str(secrets.api_keys_file),
        "BDCAN_REVOCATIONS_FILE": str(secrets.revocations_file),
    }
    match service:
        case "escalation":
            environment |= {
                "BDCAN_INTAKE_URL": system.url("intake-api"),
                "BDCAN_INTAKE_API_KEY": secrets.get("api-keys", "escalation"),
                "BDCAN_COUNCIL_URL": system.url("council"),
                "BDCAN_COUNCIL_API_KEY": secrets.get("council-api-key"),
                "BDCAN_COUNCIL_CALLBACK_SECRET": secrets.get("council-callback-secret"),
            }
        case "intake" | "volunteer-match" | "foodhub":
            environment["BDCAN_GRANT_SECRET"] = secrets.get("grant-secret")
            if service == "volunteer-match":
                environment["BDCAN_ROUTING_URL"] = system.url("routing-api")
                environment["BDCAN_ROUTING_API_KEY"] = secrets.get("api-keys", "volunteer-match")
                environment["BDCAN_INTAKE_URL"] = system.url("intake-api")
            if service == "intake":
                environment["BDCAN_UPSTREAMS_FILE"] = str(secrets.upstreams_file)
                environment["BDCAN_OUTSIDE_FILE"] = str(secrets.outside_file)
        case "routing":
            environment["BDCAN_DATA_DIR"] = str(system.data / "pulse")
            if system.gazetteer is not None:
                environment["BDCAN_GAZETTEER"] = str(system.gazetteer)
        case _:
            pass
    return environment


def _council(system: System) -> dict[str, str]:
    return {
        **_common(system),
        "BDCAN_COUNCIL_PORT": str(system.ports["council"]),
        "BDCAN_COUNCIL_API_KEY": system.secrets.get("council-api-key"),
        "BDCAN_COUNCIL_CALLBACK_SECRET": system.secrets.get("council-callback-secret"),
        "BDCAN_COUNCIL_STATE": str(system.data / "council.sqlite"),  # it owes call-backs across a restart
        "BDCAN_COUNCIL_CALLBACK_URL": system.url("escalation-api") + "/v1/call-backs",
    }


def _common(system: System) -> dict[str, str]:
    return {
        "BDCAN_SHOWN_PER_HOUR": "1000000",  # the simulator plays all people of the borough with one account
        **system.environment,
        "PYTHONUNBUFFERED": "1",  # a log that ends in the middle says nothing about a crash
        "BDCAN_CLOCK": system.clock,
        "BDCAN_LOG_LEVEL": system.log_level,
    }


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


async def _is_ready(port: int) -> bool:
    return await http_status(port, "/readyz") == 200


async def _answers(port: int) -> bool:
    return await http_status(port, "/livez") is not None


async def http_status(port: int, path: str) -> int | None:
    """The status that a local HTTP server answers with, or None if it does not answer within five seconds."""
    try:
        async with asyncio.timeout(_HTTP_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
