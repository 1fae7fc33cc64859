"""`bdcan token`: what a role's token permits, and that the services accept it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bdcan_local import cli
from bdcan_local.errors import PlatformError
from bdcan_local.processes import AUDIENCE, ISSUER
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.tokens import LIFE, ROLES, make_token


@pytest.fixture
def secrets(tmp_path: Path) -> SecretsStore:
    store = SecretsStore(tmp_path / "secrets")
    store.prepare()
    return store


@pytest.mark.parametrize("name", [*ROLES, "hub-3"])
def test_role_has_its_scopes_and_is_accepted(secrets: SecretsStore, name: str) -> None:
    token = make_token(secrets, name)
    keys = KeySet.import_key_set(json.loads(secrets.jwks_file.read_text()))
    claims = jwt.decode(token.text, keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, AUDIENCE, name)
    assert claims["exp"] == token.expires_at.timestamp()
    assert abs(token.expires_at - datetime.now(UTC) - LIFE) < timedelta(minutes=1)
    assert claims["scope"].split() == list(token.scopes)
    assert ("hubs:all" in token.scopes) is (name != "hub-3")
    assert claims["hub"] == (["hub-3"] if name == "hub-3" else [])


def test_clerks_of_the_desk_are_one_source(secrets: SecretsStore) -> None:
    ada, bob = (make_token(secrets, name, role_name="desk") for name in ("ada", "bob"))
    assert (ada.subject, bob.subject) == ("ada", "bob")
    assert ada.sources == bob.sources == make_token(secrets, "desk").sources == ("desk",)
    assert ada.scopes == make_token(secrets, "desk").scopes
    assert make_token(secrets, "cleo", role_name="hub-3").hubs == ("hub-3",)
    for scopes in ((), ("referrals:read",)):
        with pytest.raises(PlatformError, match="no role"):
            make_token(secrets, "ada", scopes, role_name="clerk")


def test_named_scopes_replace_those_of_the_role(secrets: SecretsStore) -> None:
    assert make_token(secrets, "desk", ("stock:read",)).scopes == ("stock:read",)
    assert make_token(secrets, "ada", ("calls:read",), ("heath",)).hubs == ("heath",)


def test_role_with_a_hub_sees_only_that_hub(secrets: SecretsStore) -> None:
    token = make_token(secrets, "picker", hubs=("hub-2",))
    assert (token.hubs, "hubs:all" in token.scopes) == (("hub-2",), False)


def test_token_needs_a_purpose_and_a_first_start(secrets: SecretsStore, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no role"):
        make_token(secrets, "ada")
    with pytest.raises(PlatformError, match="no scope"):
        make_token(secrets, "ada", ("everything",))
    with pytest.raises(PlatformError, match="there is no"):
        make_token(SecretsStore(tmp_path / "elsewhere"), "desk")


def test_command_prints_only_the_token_on_standard_output(
    secrets: SecretsStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["token", "--as", "hub-3", "--root", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.count(".") == 2
    assert len(printed.out.split()) == 1
    assert printed.err.startswith("hub-3 at hub-3 may use referrals:read")
    assert "until" in printed.err
