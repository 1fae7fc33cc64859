"""`python -m bdcan_local.compose_secrets DIRECTORY`: the secrets of a docker-compose system, each for one reader.

Made once, kept in the volume. A service finds its settings as files named after them (BDCAN_SECRETS_DIR), in a
directory that only its own user can read; see docker-compose.yml for who has which user id.
"""

import json
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_local import access
from bdcan_local.kafka import ADMIN, MECHANISM, PROTOCOL
from bdcan_local.postgres import SUPERUSER
from bdcan_local.processes import AUDIENCE, ISSUER, SERVICES, own_name
from bdcan_local.provision import EXPORTER, READER_SUFFIX
from bdcan_local.secrets_store import SecretsStore

_KAFKA_USER = 1000
_POSTGRES_USER = 999
_FIRST_SERVICE_USER = 10001
_FIRST_OWNER_USER = 10021  # of the containers that migrate
_COUNCIL_USER, _DEMO_USER, _SANDBOX_USER, _GRAFANA_USER, _RECONCILE_USER = 10101, 10102, 10103, 472, 10107
_POSTGRES_EXPORTER_USER, _KAFKA_EXPORTER_USER = 10108, 10109


def main(arguments: list[str] | None = None) -> int:
    """Makes what is missing; needs root, because the files belong to different users."""
    directory = Path((sys.argv[1:] if arguments is None else arguments)[0])
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    store = SecretsStore(directory)
    store.prepare()
    users = access.users(CATALOGUE.topics, store.outsiders(datetime.now(UTC)))
    store.passwords("kafka", (ADMIN, *users))
    store.get("postgres", SUPERUSER)
    for number, service in enumerate(SERVICES):
        settings = {"bdcan_kafka_password": store.get("kafka", f"bdcan-{service}")}
        if service == "escalation":
            settings |= {
                "bdcan_intake_api_key": store.get("api-keys", "escalation"),
                "bdcan_council_api_key": store.get("council-api-key"),
                "bdcan_council_callback_secret": store.get("council-callback-secret"),
            }
        if service == "volunteer-match":
            settings["bdcan_routing_api_key"] = store.get("api-keys", "volunteer-match")
        if service in {"intake", "volunteer-match", "foodhub"}:
            settings["bdcan_grant_secret"] = store.get("grant-secret")
        for folder, suffix, user in (
            (service, "", _FIRST_SERVICE_USER + number),
            (f"{service}-migrate", OWNER_SUFFIX, _FIRST_OWNER_USER + number),
        ):
            own = {"bdcan_database_url": _dsn(store, service, suffix)}
            _give(directory / "services" / folder, settings | own, user)
    council = {
        "bdcan_council_api_key": store.get("council-api-key"),
        "bdcan_council_callback_secret": store.get("council-callback-secret"),
    }
    _give(directory / "services" / "council", council, _COUNCIL_USER)
    for folder, user in (("demo", _DEMO_USER), ("sandbox", _SANDBOX_USER)):
        own = directory / "services" / folder
        _give(own, _simulator(own, store), user)
    own = directory / "services" / "reconcile"
    _give(own, _reconcile(own, store), _RECONCILE_USER)
    exporter = {"password": store.get("postgres", EXPORTER)}
    _give(directory / "services" / "postgres-exporter", exporter, _POSTGRES_EXPORTER_USER)
    # it reads its password from nowhere else than its arguments, and those from a file
    login = (f"--sasl.username={access.EXPORTER}", f"--sasl.password={store.get('kafka', access.EXPORTER)}")
    exporter = {"arguments": "\n".join(login) + "\n"}
    _give(directory / "services" / "kafka-exporter", exporter, _KAFKA_EXPORTER_USER)
    grafana = directory / "services" / "grafana" / "admin-password"
    if not grafana.exists():
        _give(grafana.parent, {grafana.name: secrets.token_urlsafe(18)}, _GRAFANA_USER)
    for path in (directory, directory / "services", directory / "kafka", directory / "postgres"):
        path.chmod(0o755)
    os.chown(directory / "kafka" / ADMIN, _KAFKA_USER, _KAFKA_USER)
    os.chown(directory / "postgres" / SUPERUSER, _POSTGRES_USER, _POSTGRES_USER)
    for public in (
        store.jwks_file,
        store.api_keys_file,
        store.revocations_file,
        store.upstreams_file,
        store.outside_file,
    ):
        # public keys, hashes of long random keys, ids of tokens, names of organisations, when their users end
        public.chmod(0o644)
    return 0


def _dsn(store: SecretsStore, service: str, suffix: str) -> str:
    password = store.get("postgres", service.replace("-", "_") + suffix)
    return f"postgresql://{own_name(service)}{suffix}:{password}@postgres:5432/{own_name(service)}"


def _simulator(own: Path, store: SecretsStore) -> dict[str, str]:
    """What the simulator needs to play everybody: addresses, a signing key, an API key, the upstream password."""
    upstream = store.demo_user()
    endpoints = {
        "kafka": {
            "bootstrap": "kafka:9092",
            "protocol": PROTOCOL,
            "mechanism": MECHANISM,
            "username": upstream,
            "password_file": str(own / "kafka-password"),
        },
        "services": {
            service: {"api": f"http://{service}-api:8000", "ops": f"http://{service}-worker:9000"}
            for service in SERVICES
        },
        "pulse": {"ops": "http://routing-pulse:9000"},
        "council": {"url": "http://council:8300"},
        "auth": {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "signing_key_file": str(own / "signing-key.json"),
            "api_key_file": str(own / "api-key"),
        },
        "clock": "system",
        "upstreams_file": str(store.upstreams_file),
    }
    return {
        "endpoints.json": json.dumps(endpoints, indent=1) + "\n",
        "kafka-password": store.get("kafka", upstream),
        "signing-key.json": store.signing_key_file.read_text("utf-8"),
        "api-key": store.get("api-keys", "simulator"),
    }


def _reconcile(own: Path, store: SecretsStore) -> dict[str, str]:
    """Where the system is for who reconciles, as roles that can only read."""
    endpoints = {
        "databases": {service: _dsn(store, service, READER_SUFFIX) for service in SERVICES},
        "kafka": {
            "bootstrap": "kafka:9092",
            "username": access.RECONCILE,
            "password_file": str(own / "kafka-password"),
        },
        "council": {"url": "http://council:8300", "api_key_file": str(own / "council-key")},
    }
    return {
        "endpoints.json": json.dumps(endpoints, indent=1) + "\n",
        "kafka-password": store.get("kafka", access.RECONCILE),
        "council-key": store.get("council-api-key"),
    }


def _give(directory: Path, files: dict[str, str], user: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o400)
        os.chown(path, user, user)
    directory.chmod(0o500)
    os.chown(directory, user, user)


if __name__ == "__main__":
    sys.exit(main())
