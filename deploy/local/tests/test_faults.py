"""A fault of the machine is reported in two lines: what is wrong, and what to do."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bdcan_local import cli, jars, postgres
from bdcan_local.errors import DownloadError, HalfInitialisedError, InUseError, MachineError
from bdcan_local.guardian import Guardian
from bdcan_local.kafka import Door, Kafka
from bdcan_local.postgres import Postgres
from bdcan_local.root import Root
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.servers import EmbeddedPostgres
from bdcan_local.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(read_settings({}), cache_dir=tmp_path / "cache")


@pytest.fixture
def one_jar(tmp_path: Path) -> Path:
    lock = tmp_path / "lock.json"
    jar = next(jar for jar in jars.read_lock() if jar.artifact == "jspecify")
    lock.write_text(json.dumps({"jars": [vars(jar)]}))
    return lock


def test_missing_network_for_jars_is_reported(settings: Settings, one_jar: Path) -> None:
    offline = replace(settings, maven_url="http://127.0.0.1:9/maven2")
    with pytest.raises(DownloadError) as fault:
        jars.fetch(offline, lock=one_jar)
    assert "cannot be downloaded" in fault.value.what
    assert "BDCAN_MAVEN_URL" in fault.value.todo


@pytest.fixture
def evil_mirror() -> Iterator[str]:
    """A repository that has the same wrong content, with a checksum that fits, for every file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"not the jar"
            answer = hashlib.sha1(content).hexdigest().encode() if self.path.endswith(".sha1") else content
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_exchanged_jar_is_refused_and_not_kept(settings: Settings, one_jar: Path, evil_mirror: str) -> None:
    with pytest.raises(DownloadError, match="is not the file that was locked"):
        jars.fetch(replace(settings, maven_url=evil_mirror), lock=one_jar)
    assert not list(settings.cache_dir.glob("*/*.jar"))


def test_damaged_cached_jar_is_fetched_again(
    settings: Settings, one_jar: Path, platform_settings: Settings
) -> None:
    (jar,) = jars.read_lock(one_jar)
    good = jars.fetch(platform_settings)
    content = next(path for path in good if path.name == jar.name).read_bytes()
    rotten = settings.cache_dir / f"kafka-{jars.KAFKA_VERSION}" / jar.name
    rotten.parent.mkdir(parents=True)
    rotten.write_bytes(content[:-1])
    assert not jars.is_good(rotten, jar)
    rotten.write_bytes(content)
    assert jars.fetch(replace(settings, maven_url="http://127.0.0.1:9"), lock=one_jar) == [rotten]


def test_committed_lock_has_exact_versions_that_match_the_broker() -> None:
    locked = {jar.artifact: jar for jar in jars.read_lock()}
    assert locked["kafka_2.13"].version == locked["kafka-clients"].version == jars.KAFKA_VERSION
    assert all(len(jar.sha256) == 64 for jar in locked.values())


def test_interrupted_initdb_starts_over(tmp_path: Path, guardian: Guardian) -> None:
    leftover = tmp_path / "postgres" / "data" / "base"
    leftover.mkdir(parents=True)
    (leftover.parent / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(tmp_path / "postgres", guardian)
    server.close()
    assert (tmp_path / "postgres" / "complete.json").exists()


def test_databases_with_lost_files_are_refused_and_not_touched(
    tmp_path: Path,
) -> None:
    server = Postgres(tmp_path / "postgres", 1, "secret", durable=False)
    server.prepare()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(HalfInitialisedError, match="parts of it are missing"):
        server.prepare()
    assert (tmp_path / "postgres" / "data" / "PG_VERSION").exists()


def test_databases_of_another_version_are_refused(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", 1, "secret", durable=False)
    server.prepare()
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(HalfInitialisedError, match="belongs to PostgreSQL 17"):
        server.prepare()


def test_interrupted_format_of_kafka_starts_over_and_later_loss_is_refused(
    tmp_path: Path, platform_settings: Settings
) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("half")
    kafka = Kafka(tmp_path / "kafka", 1, 2, "secret", tuple(jars.fetch(platform_settings)))
    kafka.prepare()
    assert "cluster.id" in (tmp_path / "kafka" / "data" / "meta.properties").read_text()
    kafka.prepare()
    (tmp_path / "kafka" / "data" / "meta.properties").unlink()
    with pytest.raises(HalfInitialisedError, match="parts of it are missing"):
        kafka.prepare()


def test_listener_for_a_proxy_advertises_the_proxy_and_authenticates() -> None:
    kafka = Kafka(Path("kafka"), 1, 2, "secret", (), doors=(Door("INTAKE", 3, 4),))
    settings = dict(line.split("=", 1) for line in kafka.configuration("data").splitlines())
    assert settings["listeners"] == "CLIENT://127.0.0.1:1,INTAKE://127.0.0.1:3,CONTROLLER://127.0.0.1:2"
    assert settings["advertised.listeners"] == "CLIENT://127.0.0.1:1,INTAKE://127.0.0.1:4"
    protocols = settings["listener.security.protocol.map"]
    assert protocols == "CLIENT:SASL_PLAINTEXT,INTAKE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert "ScramLoginModule" in settings["listener.name.intake.scram-sha-512.sasl.jaas.config"]


def test_listener_with_a_keystore_speaks_tls() -> None:
    door = Door("OUTSIDE", 3, 3, Path("broker.pem"))
    configuration = Kafka(Path("kafka"), 1, 2, "secret", (), doors=(door,)).configuration("data")
    settings = dict(line.split("=", 1) for line in configuration.splitlines())
    protocols = settings["listener.security.protocol.map"].split(",")
    assert protocols == ["CLIENT:SASL_PLAINTEXT", "OUTSIDE:SASL_SSL", "CONTROLLER:SASL_PLAINTEXT"]
    assert settings["listener.name.outside.ssl.keystore.location"] == "broker.pem"
    assert "listener.name.client.ssl.keystore.location" not in settings


def test_full_disk_is_reported_with_the_space_needed(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="MB are needed"):
        Root(tmp_path).check_space(needed_bytes=2**60)


def test_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be used"):
        Root(tmp_path / "file").lock()


def test_root_held_by_another_runner_is_refused(tmp_path: Path) -> None:
    held = Root(tmp_path)
    held.lock()
    assert Root(tmp_path).is_locked()
    with pytest.raises(InUseError, match="another runner"):
        Root(tmp_path).lock()


def test_unsupported_platform_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MachineError, match="no PostgreSQL binary"):
        postgres.binaries()


def test_secrets_are_kept_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    store = SecretsStore(tmp_path / "secrets")
    store.prepare()
    first, key = store.get("kafka", "admin"), store.signing_key_file.read_text()
    store.prepare()
    assert store.get("kafka", "admin") == first
    assert store.signing_key_file.read_text() == key
    files = [path for path in store.path().rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert '"d"' not in store.jwks_file.read_text()
    assert store.get("api-keys", "simulator") not in store.api_keys_file.read_text()


@pytest.mark.parametrize(
    ("argv", "variables", "code", "what"),
    [
        (["logs", "nothing", "--root", "{root}"], {}, 1, "there is no log of 'nothing'"),
        (["status", "--root", "{root}"], {}, 3, ""),
        (["down", "--root", "{root}"], {}, 0, ""),
        (
            ["demo", "--root", "{root}"],
            {"BDCAN_DEMO_SPEED": "fast"},
            1,
            "BDCAN_DEMO_SPEED=fast is not a speed",
        ),
        (["demo", "--root", "{root}"], {"GAZETTEER": "nowhere"}, 1, "GAZETTEER=nowhere is not a directory"),
    ],
)
def test_fault_is_two_lines_and_an_exit_code(
    argv: list[str],
    variables: dict[str, str],
    code: int,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cli.main([word.format(root=tmp_path / "root") for word in argv]) == code
    errors = capsys.readouterr().err
    assert what in errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == (2 if what else 0)
