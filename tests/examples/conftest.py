"""A real Kafka with a real intake on it, and the examples as somebody outside would build them."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bdcan_local import processes, runner
from bdcan_local.access import (
    Grant,
    Operation,
    Pattern,
    ResourceType,
    TopicSpec,
)
from bdcan_local.cluster import Cluster
from bdcan_local.kafka import ADMIN, PROTOCOL, Door, client_options
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.processes import System, Table
from bdcan_local.root import Root
from bdcan_local.settings import read_settings
from bdcan_local.supervisor import Unit

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
BUILT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bdcan-examples"
"""Where examples are built, by the hash of what they are made of: a second run builds nothing."""

TOOLS: Mapping[str, tuple[str, ...]] = {
    "go": ("go", "version"),
    "jq": ("jq", "--version"),
    "kcat": ("kcat", "-V"),
    "mvn": ("mvn", "-v"),
    "node": ("node", "--version"),
    "npm": ("npm", "--version"),
}
"""The tools that an example may need, and how each says its version."""

_BUILD_SECONDS = 400


@pytest.fixture(scope="session", autouse=True)
def uv_keeps_to_its_project() -> Iterator[None]:
    """The environment that a developer, or make, names for this repository is not for the examples."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"):
            patched.delenv(name, raising=False)
        yield


def _of_intake(units: list[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.name.startswith("intake")]


def _migrations(system: System) -> list[list[Unit]]:
    return [_of_intake(stage) for stage in processes.one_shot_units(system)]


def _services(system: System) -> list[Unit]:
    return _of_intake(processes.service_units(system))


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority of the tests (`authority.pem`), and what it signed for the broker (`broker.pem`)."""
    folder = tmp_path_factory.mktemp("tls")
    signer, signed_by = _certificate("an authority of the tests", None)
    key, certificate = _certificate(LOOPBACK, (signer, signed_by))
    (folder / "authority.pem").write_bytes(signed_by.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "broker.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return folder


def _certificate(name: str, signed_by: tuple[Any, x509.Certificate] | None) -> tuple[Any, x509.Certificate]:
    """A key and its certificate: an authority's own, or one for an address of this machine."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issuer = (key, subject) if signed_by is None else (signed_by[0], signed_by[1].subject)
    made = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    ).add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
    if signed_by is not None:
        address = x509.IPAddress(ipaddress.ip_address(name))
        made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return key, made.sign(signer, hashes.SHA256())


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory, tls: Path) -> AsyncIterator[System]:
    """PostgreSQL, Kafka, and intake's API and worker: what an upstream system meets."""
    root, [port] = Root(tmp_path_factory.mktemp("system")), free_ports(1)
    door, table = Door("TLS", port, port, tls / "broker.pem"), Table(_migrations, _services)
    plan = runner.Plan(usual_ports=False, table=table, kafka_doors=(door,))
    async with runner.running(root, read_settings(), plan, lambda _text: None) as running:
        yield running.system


@pytest.fixture(scope="session")
def onboard(system: System) -> Callable[..., dict[str, Any]]:
    """Run `bdcan upstream …` or `bdcan consumer …`; gives what it says to hand over."""

    def run(*words: str) -> dict[str, Any]:
        bdcan = Path(sys.executable).with_name("bdcan")
        answer = subprocess.run(
            [bdcan, *words, "--root", system.data.parent, "--json", "--show-secrets"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return run


@pytest.fixture(scope="session")
def handed_over(system: System) -> dict[str, str]:
    """What an upstream system is given, as the environment of its program."""
    demo, user = system.secrets.upstreams().named("demo"), system.secrets.demo_user()
    assert demo is not None
    return {
        "BDCAN_BOOTSTRAP": system.kafka.bootstrap,
        "BDCAN_PROTOCOL": PROTOCOL,
        "BDCAN_USER": user,
        "BDCAN_PASSWORD_FILE": str(system.secrets.path("kafka", user)),
        "BDCAN_GROUP": f"{user}.receipts",
        "BDCAN_INBOUND_TOPIC": str(demo.inbound_topic),
        "BDCAN_RECEIPTS_TOPIC": str(demo.receipts_topic),
        "BDCAN_SOURCE": demo.sources[0],
    }


@pytest.fixture(scope="session")
def by_tls(system: System, tls: Path) -> dict[str, str]:
    """What the program of a system outside is told to come by TLS."""
    [door] = system.kafka.doors
    return {
        "BDCAN_BOOTSTRAP": f"{LOOPBACK}:{door.port}",
        "BDCAN_PROTOCOL": "SASL_SSL",
        "BDCAN_CA_FILE": str(tls / "authority.pem"),
    }


@pytest.fixture(scope="session")
def administrator(system: System) -> Iterator[Cluster]:
    """The cluster, as its administrator sees it."""
    with Cluster(client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def silent_topic(administrator: Cluster, handed_over: Mapping[str, str]) -> str:
    """A topic that the upstream system may read, and that nobody writes to."""
    spec = TopicSpec("test.silent", 1, ())
    administrator.make_topics([spec], replicas=1)
    user = handed_over["BDCAN_USER"]
    administrator.grant([Grant(user, ResourceType.TOPIC, spec.name, Pattern.LITERAL, Operation.READ)])
    administrator.wait_until_ready([spec])
    return spec.name


@pytest.fixture(scope="session")
def need() -> Callable[[Mapping[str, str]], None]:
    """Skip the test where a tool is not installed, or is older than this."""

    def needed(tools: Mapping[str, str]) -> None:
        for tool, least in tools.items():
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed: install it to try this example")
            said = subprocess.run(TOOLS[tool], capture_output=True, text=True, check=True).stdout
            found = re.search(r"[0-9]+(\.[0-9]+)+", said)
            if found and _numbers(found[0]) < _numbers(least):
                pytest.skip(f"{tool} is {found[0]}: this example needs {least}")

    return needed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.fixture(scope="session")
def built() -> Callable[[str, Sequence[str], Sequence[Path]], Path]:
    """Copy an example to a place outside the source tree and build it there; gives the place."""

    def build(name: str, command: Sequence[str], beside: Sequence[Path] = ()) -> Path:
        folders = [EXAMPLES / name, *beside]
        whole = BUILT / _digest(folders)
        place = whole / folders[0].relative_to(REPOSITORY)
        if not (whole / "complete").exists():
            for folder in folders:
                _copy(folder, whole / folder.relative_to(REPOSITORY))
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
            )
            assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
            (whole / "complete").touch()
        return place

    return build


def _digest(folders: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in _sources(folder):
            digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def _copy(folder: Path, target: Path) -> None:
    for path in _sources(folder):
        copied = target / path.relative_to(folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)


def _sources(folder: Path) -> list[Path]:
    """The files of an example, without what somebody built or installed beside them."""
    made = {"node_modules", "target", ".venv", "__pycache__"}
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in found if not made & set(path.relative_to(folder).parts))
