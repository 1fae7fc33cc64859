"""The only reading of the environment in this package. Every variable is optional."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bdcan_local.errors import PlatformError

MAX_SPEED = 10_000.0
MAVEN_CENTRAL = "https://repo1.maven.org/maven2"


@dataclass(frozen=True)
class Settings:
    """Where things are kept, and how tests and the demo run.

    Attributes:
        cache_dir: verified Kafka jars (BDCAN_CACHE_DIR, else the platform's cache directory).
        maven_url: where jars come from (BDCAN_MAVEN_URL, else Maven Central): for networks with a mirror.
        test_backend: "embedded" or "testcontainers" (BDCAN_TEST_BACKEND).
        demo_speed: how many simulated seconds pass in a real one (BDCAN_DEMO_SPEED).
        gazetteer: directory of a Code-Point Open release to import (GAZETTEER), or None.
        log_level: of all services (BDCAN_LOG_LEVEL).
        secrets, cluster, address, intake: where `bdcan upstream` and `bdcan consumer` work, and what they hand over
            (BDCAN_SECRETS, BDCAN_CLUSTER, BDCAN_KAFKA_ADDRESS, BDCAN_INTAKE_ADDRESS), where no option says it.
        environment: what children inherit, without anything that configures this system.
    """

    cache_dir: Path
    maven_url: str
    test_backend: str
    demo_speed: float
    gazetteer: Path | None
    log_level: str
    environment: Mapping[str, str]
    secrets: Path | None = None
    cluster: str | None = None
    address: str | None = None
    intake: str | None = None
    backups: Path | None = None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the process environment, or the given one."""
    env = os.environ if environment is None else environment
    gazetteer = env.get("GAZETTEER")
    if gazetteer and not Path(gazetteer).is_dir():
        raise PlatformError(
            f"GAZETTEER={gazetteer} is not a directory", "Name the directory of a Code-Point Open release."
        )
    return Settings(
        cache_dir=Path(env["BDCAN_CACHE_DIR"]) if env.get("BDCAN_CACHE_DIR") else _user_cache(env),
        maven_url=env.get("BDCAN_MAVEN_URL") or MAVEN_CENTRAL,
        test_backend=env.get("BDCAN_TEST_BACKEND") or "embedded",
        demo_speed=_speed(env.get("BDCAN_DEMO_SPEED") or "120"),
        gazetteer=Path(gazetteer).resolve() if gazetteer else None,
        log_level=env.get("BDCAN_LOG_LEVEL") or "INFO",
        # a BDCAN_ variable of the caller's shell must not reach a service that was not meant
        environment={name: value for name, value in env.items() if not name.startswith("BDCAN_")},
        secrets=Path(env["BDCAN_SECRETS"]) if env.get("BDCAN_SECRETS") else None,
        cluster=env.get("BDCAN_CLUSTER"),
        address=env.get("BDCAN_KAFKA_ADDRESS"),
        intake=env.get("BDCAN_INTAKE_ADDRESS"),
        backups=Path(env["BDCAN_BACKUP_DIR"]) if env.get("BDCAN_BACKUP_DIR") else None,
    )


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= MAX_SPEED:
        raise PlatformError(
            f"BDCAN_DEMO_SPEED={text} is not a speed", f"Give a number from 1 to {MAX_SPEED:.0f}."
        )
    return speed


def _user_cache(env: Mapping[str, str]) -> Path:
    if env.get("XDG_CACHE_HOME"):
        return Path(env["XDG_CACHE_HOME"]) / "bdcan"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bdcan"
    return Path.home() / ".cache" / "bdcan"
