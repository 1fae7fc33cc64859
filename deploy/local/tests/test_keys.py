"""`bdcan roll-key` and `bdcan revoke`: two keys alive, and tokens that stop working."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bdcan_chassis.http.credentials import watch_api_keys, watch_revocations
from bdcan_local import cli
from bdcan_local.errors import HalfInitialisedError
from bdcan_local.secrets_store import SecretsStore, _sha256
from bdcan_local.tokens import make_token


@pytest.fixture
def secrets(tmp_path: Path) -> SecretsStore:
    store = SecretsStore(tmp_path / "secrets")
    store.prepare()
    return store


def test_a_rolled_key_lives_beside_the_old_one_until_that_ends(secrets: SecretsStore) -> None:
    old = secrets.get("api-keys", "simulator")
    assert cli.main(["roll-key", "simulator", "--secrets", str(secrets.path()), "--lasts", "90"]) == 0
    new = secrets.get("api-keys", "simulator")
    secrets.prepare()  # as the next start does
    keys = watch_api_keys(secrets.api_keys_file).get()
    before, after = keys[_sha256(old)], keys[_sha256(new)]
    assert (before.scopes, before.sources) == (after.scopes, after.sources)
    assert before.name == after.name == "simulator"
    assert before.expires_at is not None
    assert after.expires_at is not None
    days = [
        round((ends - datetime.now(UTC)) / timedelta(days=1))
        for ends in (before.expires_at, after.expires_at)
    ]
    assert days == [7, 90]
    assert [key.name for key in keys.values()].count("escalation") == 1


def test_a_key_that_has_ended_leaves_the_file(secrets: SecretsStore) -> None:
    old = secrets.get("api-keys", "simulator")
    cli.main(["roll-key", "simulator", "--secrets", str(secrets.path()), "--keep-old", "0"])
    assert _sha256(old) not in watch_api_keys(secrets.api_keys_file).get()


def test_an_unknown_key_is_named(secrets: SecretsStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["roll-key", "nobody", "--secrets", str(secrets.path())]) != 0
    assert "escalation, simulator" in capsys.readouterr().err


def test_list_of_upstream_systems_that_is_gone_is_not_made_anew(secrets: SecretsStore) -> None:
    secrets.upstreams_file.unlink()
    with pytest.raises(HalfInitialisedError, match="is gone"):
        secrets.prepare()
    assert not secrets.upstreams_file.exists()


def test_start_and_command_at_once_lose_no_key(secrets: SecretsStore) -> None:
    with ThreadPoolExecutor() as pool:
        with secrets.locked():
            starting = pool.submit(secrets.prepare)
            secrets.make_api_key("hill-surgery", ("referrals:read",), ("hill-surgery",), None)
            with pytest.raises(TimeoutError):
                starting.result(timeout=0.5)
        starting.result()
    assert secrets.api_keys("hill-surgery")


def test_a_token_and_a_person_are_revoked(secrets: SecretsStore) -> None:
    token, directory = make_token(secrets, "desk"), str(secrets.path())
    assert cli.main(["revoke", "--token", token.token_id, "--secrets", directory]) == 0
    assert cli.main(["revoke", "--subject", "hub-3", "--secrets", directory]) == 0
    revoked = watch_revocations(secrets.revocations_file).get()
    now = int(datetime.now(UTC).timestamp())
    assert revoked.name({"sub": "desk", "jti": token.token_id, "iat": now})
    assert revoked.name({"sub": "hub-3", "jti": "another", "iat": now - 60})
    assert not revoked.name({"sub": "desk", "jti": "another", "iat": now - 60})
    assert not revoked.name({"sub": "hub-3", "jti": "another", "iat": now + 60})


def test_whoever_may_read_a_file_may_read_its_successor(secrets: SecretsStore) -> None:
    secrets.api_keys_file.chmod(0o644)
    cli.main(["roll-key", "simulator", "--secrets", str(secrets.path())])
    assert secrets.api_keys_file.stat().st_mode & 0o777 == 0o644
    assert secrets.path("api-keys", "simulator").stat().st_mode & 0o777 == 0o600
    assert json.loads(secrets.api_keys_file.read_text())
