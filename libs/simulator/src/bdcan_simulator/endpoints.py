"""Where a running system is: `endpoints.json`, which whoever started it wrote, and the secrets that it points to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bdcan_chassis.clock import Clock, parse_clock

SERVICES = ("intake", "routing", "volunteer-match", "foodhub", "escalation")


class EndpointsError(Exception):
    """The file, or a secret that it points to, cannot be read."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class KafkaEndpoint(_Part):
    """The brokers, and the upstream systems' user there."""

    bootstrap: str
    protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"]
    mechanism: str
    username: str
    password_file: Path


class ServiceEndpoint(_Part):
    """Where a service's API answers."""

    api: str


class Auth(_Part):
    """What the simulator needs to make people's tokens in place of an identity provider, and its own key."""

    issuer: str
    audience: str
    signing_key_file: Path
    api_key_file: Path


class _File(_Part):
    kafka: KafkaEndpoint
    services: dict[str, ServiceEndpoint]
    auth: Auth
    clock: str = "system"
    upstreams_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A running system, as the people and systems around it see it."""

    kafka: KafkaEndpoint
    kafka_password: str
    apis: dict[str, str]
    issuer: str
    audience: str
    signing_key: str
    """A private EC key: JWK as JSON, or PEM."""
    api_key: str
    clock: Clock
    upstreams_file: Path | None = None
    """The list of upstream systems: who is a sandbox."""


def read_endpoints(path: Path) -> Endpoints:
    """Read endpoints.json and the files that it names (relative ones beside it). Raises EndpointsError."""
    try:
        found = _File.model_validate_json(path.read_bytes())
        clock = parse_clock(found.clock)
    except OSError as error:
        raise EndpointsError(f"{path} cannot be read ({error.strerror}). Is the system running?") from error
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) or "file" for e in error.errors(include_input=False))
        raise EndpointsError(f"{path} does not describe a running system: {fields}") from error
    except ValueError as error:
        raise EndpointsError(f"{path}: {error}") from error
    missing = [name for name in SERVICES if name not in found.services]
    if missing:
        raise EndpointsError(f"{path} lacks the services {', '.join(missing)}")
    return Endpoints(
        kafka=found.kafka,
        kafka_password=_secret(path, found.kafka.password_file),
        apis={name: found.services[name].api.rstrip("/") for name in SERVICES},
        issuer=found.auth.issuer,
        audience=found.auth.audience,
        signing_key=_secret(path, found.auth.signing_key_file),
        api_key=_secret(path, found.auth.api_key_file),
        clock=clock,
        upstreams_file=found.upstreams_file and path.parent / found.upstreams_file,
    )


def _secret(beside: Path, path: Path) -> str:
    try:
        return (beside.parent / path).read_text().strip()
    except OSError as error:
        raise EndpointsError(f"the secret {path.name} cannot be read ({error.strerror})") from error
