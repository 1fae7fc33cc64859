"""All secrets of a local system: made at the first start, kept in files that only their owner can read, used again.

kafka/<user>       SCRAM password          postgres/<role>    password
api-keys/<name>    an API key in clear     api-keys.json      hashes and scopes, for the services
signing-key.json   private key that plays the identity provider; jwks.json is its public half
council-api-key, council-callback-secret
grant-secret       signs what a claimed call opens at intake
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from bdcan_local.errors import MachineError

_THINGS = ("referrals", "routing", "calls", "tasks", "volunteers", "parcels", "stock", "escalations")
API_KEYS: dict[str, tuple[str, ...]] = {
    "escalation": ("disclosures:escalation",),
    "simulator": (
        "hubs:all",
        "ops:dead-letters",
        *(f"{thing}:{verb}" for thing in _THINGS for verb in ("read", "write")),
        *(
            f"disclosures:{purpose}"
            for purpose in ("welfare_call", "delivery_label", "delivery", "task", "escalation")
        ),
    ),
}
"""The machines that have a key, and what it opens. People's tokens are made with the signing key (`tokens.py`)."""

SOURCES: dict[str, tuple[str, ...]] = {"simulator": ("simulator", "bench-list")}
"""Whom a machine submits referrals as."""


class SecretsStore:
    """The files under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def jwks_file(self) -> Path:
        """The public keys that tokens are checked with."""
        return self._directory / "jwks.json"

    @property
    def signing_key_file(self) -> Path:
        """The private key that tokens are signed with."""
        return self._directory / "signing-key.json"

    @property
    def api_keys_file(self) -> Path:
        """Hashes of API keys and their scopes."""
        return self._directory / "api-keys.json"

    def path(self, *name: str) -> Path:
        """The file of a secret."""
        return self._directory.joinpath(*name)

    def get(self, *name: str) -> str:
        """The secret of this name, made now if it does not exist."""
        path = self.path(*name)
        if not path.exists():
            _write(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8").strip()

    def prepare(self, api_keys: dict[str, tuple[str, ...]] | None = None) -> None:
        """Makes the keys that stand in files of their own."""
        entries = []
        for name, scopes in (API_KEYS if api_keys is None else api_keys).items():
            digest = hashlib.sha256(self.get("api-keys", name).encode()).hexdigest()
            entry: dict[str, object] = {
                "name": name,
                "sha256": digest,
                "scopes": list(scopes),
                "sources": list(SOURCES.get(name, ())),
            }
            entries.append(entry)
        _write(self.api_keys_file, json.dumps(entries, indent=1) + "\n")
        if not (self.signing_key_file.exists() and self.jwks_file.exists()):
            self._make_signing_key()

    def passwords(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        """Passwords by name."""
        return {name: self.get(kind, name) for name in names}

    def _make_signing_key(self) -> None:
        from joserfc.jwk import ECKey

        key = ECKey.generate_key(
            "P-256", {"use": "sig", "alg": "ES256", "kid": secrets.token_hex(8)}, private=True
        )
        _write(self.signing_key_file, json.dumps(key.as_dict(private=True)))
        _write(self.jwks_file, json.dumps({"keys": [key.as_dict(private=False)]}))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(path.name + ".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise MachineError(
            f"{path} cannot be written: {error.strerror}", "Check free space and rights there."
        ) from error
