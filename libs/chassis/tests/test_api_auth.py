"""An API admits only callers whose credential is right in every respect."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http import auth
from bdcan_chassis.http.auth import Authenticator
from bdcan_chassis.http.problems import UnauthorizedError
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import Harness

ISSUER = "https://issuer.example.org"


@dataclass
class Provider:
    """An identity provider: its keys, and the file in which it publishes them."""

    file: Path
    keys: list[Any]
    http: httpx.AsyncClient

    def publish(self) -> None:
        self.file.write_text(json.dumps(KeySet(self.keys).as_dict(private=False)))

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = key or self.keys[0]
        whole = {
            "iss": ISSUER,
            "aud": "bdcan",
            "sub": "worker-1",
            "exp": int(time.time()) + 300,
            "scope": "tasks:read tasks:write",
            "hub": ["north"],
        } | claims
        head = {"alg": "ES256", "kid": key.kid} | (header or {})
        return jwt.encode(
            head,
            {k: v for k, v in whole.items() if v is not ...},
            key,
            algorithms=["ES256", "RS256", "HS256"],
        )

    async def get(self, token: str, path: str = "/toy/hubs/north") -> httpx.Response:
        return await self.http.get(path, headers={"Authorization": f"Bearer {token}"})


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid}, private=True)


@pytest.fixture
async def provider(ledger: Harness) -> AsyncIterator[Provider]:
    authenticator = ledger.authenticator
    authenticator._keys, authenticator._fetched = None, 0.0
    authenticator._checked.clear()
    async with httpx.AsyncClient(base_url=ledger.url, timeout=30) as http:
        provider = Provider(Path(ledger.service.settings.jwks), [new_key("first")], http)
        provider.publish()
        yield provider


async def test_missing_and_wrong_credentials_get_the_same_401(
    provider: Provider,
) -> None:
    for headers in (
        {},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "not a key"},
        {"X-API-Key": "\xe9\xff".encode("latin-1").decode("latin-1").encode("latin-1")},
        {"Authorization": "Bearer a.b.c"},
    ):
        answer = await provider.http.get("/toy/hubs/north", headers=headers)  # type: ignore[arg-type] # httpx takes bytes, too
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:bdcan:problem:unauthorized"


async def test_token_grants_what_its_scopes_and_hubs_say(
    provider: Provider,
) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
    provider.keys.append(rsa)
    provider.publish()
    assert (await provider.get(provider.token())).json() == {"number": 1}
    assert (await provider.get(provider.token(rsa, {"alg": "RS256"}))).status_code == 200
    assert (await provider.get(provider.token(aud=["other", "bdcan"]))).status_code == 200
    assert (await provider.get(provider.token(hub="north"))).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": ...},
        {"exp": "tomorrow"},
        {"nbf": 32503680000},
        {"iss": "https://elsewhere.example.org"},
        {"iss": ...},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ...},
        {"sub": ...},
    ],
    ids=str,
)
async def test_token_with_a_wrong_claim_is_401(provider: Provider, claims: dict[str, Any]) -> None:
    answer = await provider.get(provider.token(**claims))
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The access token is not valid.", "which check failed is not said"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forged_token_is_401(provider: Provider) -> None:
    good = provider.token()
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    stranger = new_key("first")
    public = json.dumps(provider.keys[0].as_dict(private=False))
    shared = OctKey.import_key(public.encode())
    shared_token = jwt.encode({"alg": "HS256", "kid": "first"}, claims, shared, algorithms=["HS256"])
    forged = {
        "alg none": f"{_part({'alg': 'none', 'kid': 'first'})}.{body}.",
        "alg None with a signature": f"{_part({'alg': 'None'})}.{body}.{signature}",
        "another's signature": provider.token(stranger),
        "public key as a shared secret": shared_token,
        "claims changed": f"{head}.{_part(claims | {'scope': 'hubs:all tasks:read'})}.{signature}",
        "signature cut": f"{head}.{body}.{signature[:-4]}",
        "no signature": f"{head}.{body}.",
        "key inside of the token": provider.token(stranger, {"jwk": stranger.as_dict(private=False)}),
    }
    for what, token in forged.items():
        assert (await provider.get(token)).status_code == 401, what
    assert (await provider.get(good)).status_code == 200


async def test_unknown_kid_is_401_and_rarely_fetches_the_key_set(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, published = [], Authenticator._published
    monkeypatch.setattr(Authenticator, "_published", lambda self: reads.append(1) or published(self))
    await provider.get(provider.token())
    for _ in range(5):
        assert (await provider.get(provider.token(new_key("unknown")))).status_code == 401
    assert len(reads) == 1


async def test_rotation_accepts_the_new_key_and_refuses_the_old_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = provider.keys[0]
    assert (await provider.get(provider.token(old))).status_code == 200
    new = new_key("second")
    provider.keys = [new]
    provider.publish()
    assert (await provider.get(provider.token(new))).status_code == 401, "looked up a moment ago"
    monkeypatch.setattr(auth, "_REFRESH_SECONDS", 0.0)
    assert (await provider.get(provider.token(new))).status_code == 200
    assert (await provider.get(provider.token(old))).status_code == 401


async def test_checked_token_outlives_its_withdrawn_key_by_a_minute_at_most(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, short = provider.token(), provider.token(exp=int(time.time()) + 1)
    assert (await provider.get(token)).status_code == 200
    assert (await provider.get(short)).status_code == 200
    provider.keys = [new_key("second")]
    provider.publish()
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr("time.time", lambda: now + 40)
        assert (await provider.get(short)).status_code == 401, "a token's own end comes first"
        later.setattr(auth, "_KEYS_SECONDS", 0.0)
        assert (await provider.get(token)).status_code == 200, "it was checked a moment ago"
        later.setattr("time.time", lambda: now + 61)
        assert (await provider.get(token)).status_code == 401


async def test_unreadable_key_set_keeps_the_known_keys(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_REFRESH_SECONDS", 0.0)
    good = provider.token()
    assert (await provider.get(good)).status_code == 200
    provider.file.write_text('{"keys": [')
    assert (await provider.get(provider.token(new_key("unknown")))).status_code == 401
    assert (await provider.get(good)).status_code == 200


async def test_key_set_that_was_never_read_is_503(
    provider: Provider,
) -> None:
    good = provider.token()
    for broken in ('{"keys": [', "[]", None):
        if broken is None:
            provider.file.unlink()
        else:
            provider.file.write_text(broken)
        answer = await provider.get(good)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    provider.publish()
    assert (await provider.get(good)).status_code == 200


async def test_missing_scope_is_403_and_is_named(ledger: Harness, provider: Provider) -> None:
    for answer in (
        await provider.get(provider.token(scope="tasks:write")),
        await provider.get(provider.token(scope=...)),
        await provider.get(provider.token(scope="tasks:reading xtasks:read TASKS:READ")),
        await ledger.client(["tasks:write"]).get("/toy/hubs/north"),
    ):
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:bdcan:problem:forbidden"
        assert "tasks:read" in answer.json()["detail"]


async def test_record_of_another_hub_is_404(ledger: Harness, provider: Provider) -> None:
    for answer in (
        await provider.get(provider.token(hub=["south"])),
        await provider.get(provider.token(hub=...)),
        await provider.get(provider.token(hub=None)),
        await provider.get(provider.token(hub=7)),
        await ledger.client(["tasks:read"], ["south"]).get("/toy/hubs/north"),
    ):
        assert answer.status_code == 404
    assert (await ledger.client(["tasks:read", "hubs:all"]).get("/toy/hubs/north")).status_code == 200
    assert (await ledger.client(["tasks:read"], ["north"]).get("/toy/hubs/north")).status_code == 200


def test_residents_without_a_hub_are_visible_only_borough_wide() -> None:
    hub = auth.Caller("a", frozenset(), frozenset({"north"}))
    borough = auth.Caller("b", frozenset({auth.ALL_HUBS}), frozenset())
    assert (hub.sees_hub("north"), hub.sees_hub("south"), hub.sees_hub(None)) == (True, False, False)
    assert (borough.sees_hub("south"), borough.sees_hub(None)) == (True, True)
    assert (hub.visible_hubs, borough.visible_hubs) == (["north"], None)


@pytest.fixture(scope="module")
def authenticator(tmp_path_factory: pytest.TempPathFactory) -> Authenticator:
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(KeySet([new_key("first")]).as_dict(private=False)))
    return Authenticator(_settings(jwks=str(file)))


def _settings(**more: Any) -> ServiceSettings:
    values: dict[str, Any] = {
        "database_url": "postgresql://unused",
        "kafka_bootstrap": "unused",
        "kafka_username": "unused",
        "kafka_password": "unused",
        "jwks": "unused",
        "oidc_issuer": ISSUER,
    }
    return ServiceSettings.model_validate(values | more)


_SOME = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from(["first", "ES256", "none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "jwk", "crit", "b64", "typ", "zip", "enc"]), inner)
    ),
    max_leaves=8,
)


async def test_any_text_as_a_token_is_only_refused(
    authenticator: Authenticator,
) -> None:
    @settings(max_examples=300, deadline=None)
    @example("")
    @example("a.b.c.d.e")
    @example("e30.e30.")
    @example("\xff.\u20ac.")
    @for_all(
        st.text()
        | st.builds(lambda *parts: ".".join(map(_part, parts)), _SOME, _SOME, _SOME)
        | st.builds(lambda *parts: ".".join(map(_part, parts)), _SOME, _SOME)
    )
    def check(token: str) -> None:
        with pytest.raises(UnauthorizedError):
            asyncio.run_coroutine_threadsafe(authenticator.caller(token, None), loop).result(20)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(check)


def test_missing_or_wrong_key_file_names_its_setting_and_quotes_nothing(
    tmp_path: Path,
) -> None:
    secret = secrets.token_hex(8)
    wrong = tmp_path / "keys.json"
    for text in (None, "{", f'[{{"name": "{secret}"}}]', f'[{{"name": "a", "sha256": 1, "{secret}": 1}}]'):
        if text is not None:
            wrong.write_text(text)
        with pytest.raises(ConfigurationError, match="BDCAN_API_KEYS_FILE") as caught:
            Authenticator(_settings(api_keys_file=wrong))
        assert secret not in str(caught.value)
