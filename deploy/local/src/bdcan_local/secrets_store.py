"""All secrets of a local system: made at the first start, kept in files that only their owner can read, used again.

kafka/<user>       SCRAM password          postgres/<role>    password
api-keys/<name>    an API key in clear     api-keys.json      hashes and scopes, for the services
revocations.json   tokens that were revoked
signing-key.json   private key that plays the identity provider; jwks.json is its public half
council-api-key, council-callback-secret
grant-secret       signs what a claimed call opens at intake
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bdcan_local.errors import MachineError, PlatformError

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

    @property
    def revocations_file(self) -> Path:
        """Tokens that were revoked."""
        return self._directory / "revocations.json"

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
        entries = {entry["sha256"]: entry for entry in self._api_keys()}
        for name, scopes in (API_KEYS if api_keys is None else api_keys).items():
            digest = _sha256(self.get("api-keys", name))
            opens = {"scopes": list(scopes), "sources": list(SOURCES.get(name, ()))}
            entries[digest] = entries.get(digest, {}) | {"name": name, "sha256": digest} | opens
        self._keep_api_keys(entries.values())
        if not self.revocations_file.exists():
            _write(self.revocations_file, "{}\n")
        if not (self.signing_key_file.exists() and self.jwks_file.exists()):
            self._make_signing_key()

    def roll_api_key(
        self, name: str, keep_old: timedelta, lasts: timedelta | None, now: datetime
    ) -> tuple[datetime, datetime | None]:
        """Makes a new key of a name. The old ones work for `keep_old` longer, the new one for `lasts` (None: for ever).

        Returns when the old ones end, and the new one. Raises PlatformError where nobody has such a key.
        """
        entries = self._api_keys()
        old = [entry for entry in entries if entry["name"] == name]
        if not old:
            names = ", ".join(sorted({entry["name"] for entry in entries}))
            raise PlatformError(f"there is no API key {name!r}", f"There are: {names}.")
        old_end, new_end = now + keep_old, None if lasts is None else now + lasts
        for entry in old:
            ends = entry.get("expires_at")
            if ends is None or datetime.fromisoformat(ends) > old_end:
                entry["expires_at"] = old_end.isoformat()
        key = secrets.token_urlsafe(24)
        fresh = {**old[-1], "sha256": _sha256(key), "expires_at": new_end and new_end.isoformat()}
        # first the services learn of the new key, then its owner
        self._keep_api_keys([*entries, fresh])
        _write(self.path("api-keys", name), key)
        return old_end, new_end

    def revoke(self, now: datetime, *, token_id: str | None = None, subject: str | None = None) -> None:
        """Revokes one token by its `jti`, or all that a subject was given until now."""
        found = json.loads(self.revocations_file.read_text("utf-8")) if self.revocations_file.exists() else {}
        tokens, subjects = set(found.get("tokens", ())), dict(found.get("subjects", {}))
        if token_id is not None:
            tokens.add(token_id)
        if subject is not None:
            subjects[subject] = now.isoformat()
        said = {"tokens": sorted(tokens), "subjects": subjects}
        _write(self.revocations_file, json.dumps(said, indent=1) + "\n")

    def _api_keys(self) -> list[dict[str, Any]]:
        if not self.api_keys_file.exists():
            return []
        return json.loads(self.api_keys_file.read_text("utf-8"))

    def _keep_api_keys(self, entries: Iterable[dict[str, Any]]) -> None:
        now = datetime.now(UTC)
        live = [
            e for e in entries if not (e.get("expires_at") and datetime.fromisoformat(e["expires_at"]) <= now)
        ]
        _write(self.api_keys_file, json.dumps(live, indent=1) + "\n")

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


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(path.name + ".new")
        fresh.touch(mode=0o600)
        if path.exists():  # whoever may read it goes on reading it
            fresh.chmod(path.stat().st_mode & 0o777)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise MachineError(
            f"{path} cannot be written: {error.strerror}", "Check free space and rights there."
        ) from error
