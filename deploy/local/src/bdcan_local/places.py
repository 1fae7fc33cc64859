"""Where an operator's command finds a system: the one that runs under a root, or what a file names.

The file is JSON: `databases` (a DSN for each service), `kafka` (`bootstrap`, `username`, `password_file`; `protocol` and
`mechanism` where they differ from ours), `council` (`url`, `api_key_file`; may be absent), `apis` (a URL for each
service; may be absent) and `clock` (absent: the machine's). Give it roles that can only read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bdcan_chassis.clock import Clock, parse_clock
from bdcan_local import runner
from bdcan_local.access import RECONCILE
from bdcan_local.errors import PlatformError
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.processes import SERVICES, System, own_name, service_dsn
from bdcan_local.provision import READER_SUFFIX
from bdcan_local.root import Root
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.settings import read_settings


@dataclass(frozen=True)
class Reading:
    """The databases and Kafka, as who can only read what reconcile reads."""

    databases: Mapping[str, str]
    kafka: Mapping[str, Any]


@dataclass(frozen=True)
class Places:
    """Where everything is. `council`: the URL of its system and our key there."""

    databases: Mapping[str, str]
    kafka: Mapping[str, Any]
    clock: Clock
    clock_text: str = "system"
    council: tuple[str, str] | None = None
    apis: Mapping[str, str] = field(default_factory=dict)
    reading: Reading | None = None
    """What can only read, for who reconciles; None: the same as above."""
    system: System | None = None
    """The system on this machine, where it is one: it has the keys with which people's tokens are made."""


def of_root(root: Root) -> Places:
    """The system that runs under a root. Raises PlatformError if none does."""
    return of_system(runner.found(root, read_settings()))


def of_system(system: System) -> Places:
    """A system on this machine."""
    return Places(
        {service: service_dsn(system, service) for service in SERVICES},
        client_options(system.kafka.bootstrap, ADMIN, system.kafka.password),
        parse_clock(system.clock),
        system.clock,
        (system.url("council"), system.secrets.get("council-api-key")),
        {service: system.url(f"{service}-api") for service in SERVICES},
        Reading(
            {service: service_dsn(system, service, READER_SUFFIX) for service in SERVICES},
            client_options(system.kafka.bootstrap, RECONCILE, system.secrets.get("kafka", RECONCILE)),
        ),
        system,
    )


def of_servers(postgres: str, cluster: str, secrets: SecretsStore) -> Places:
    """A system that `provision` has set up, by the addresses of its servers and the directory of its secrets, as in compose."""
    return Places(
        {
            service: f"postgresql://{own_name(service)}:{quote(password, safe='')}@{postgres}/{own_name(service)}"
            for service in SERVICES
            for password in (secrets.get("postgres", service.replace("-", "_")),)
        },
        client_options(cluster, ADMIN, secrets.get("kafka", ADMIN)),
        parse_clock("system"),
    )


def of_file(path: Path) -> Places:
    """The system that a file names. Raises PlatformError."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        kafka, council = said["kafka"], said.get("council")
        options = client_options(kafka["bootstrap"], kafka["username"], _secret(path, kafka["password_file"]))
        options |= {
            ours: kafka[theirs]
            for theirs, ours in (("protocol", "security_protocol"), ("mechanism", "sasl_mechanism"))
            if theirs in kafka
        }
        clock = said.get("clock", "system")
        return Places(
            {service: said["databases"][service] for service in SERVICES},
            options,
            parse_clock(clock),
            clock,
            council and (council["url"], _secret(path, council["api_key_file"])),
            said.get("apis", {}),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            f"{path} does not say where the system is ({type(error).__name__}: {error})",
            "It needs databases, kafka and, where there is one, council: see docs/operations.md.",
        ) from error


def _secret(beside: Path, name: str) -> str:
    return (beside.parent / name).read_text(encoding="utf-8").strip()
