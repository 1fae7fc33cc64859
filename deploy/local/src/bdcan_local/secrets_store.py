"""All secrets of a local system: made at the first start, kept in files that only their owner can read, used again.

kafka/<user>       SCRAM password          postgres/<role>    password
api-keys/<name>    an API key in clear     api-keys.json      hashes and scopes, for the services
revocations.json   tokens that were revoked
upstreams.json     the upstream systems, for intake; outside.json: Kafka users of all systems outside, and those that only read
outside.jsonl      who did what about them
signing-key.json   private key that plays the identity provider; jwks.json is its public half
council-api-key, council-callback-secret
grant-secret       signs what a claimed call or a parcel in hand opens at intake
"""

import fcntl
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bdcan_contracts import upstreams as contract
from bdcan_contracts.upstreams import Upstream, Upstreams
from bdcan_local import outside as kafka_outside
from bdcan_local.access import Outsider
from bdcan_local.errors import HalfInitialisedError, MachineError, PlatformError
from bdcan_local.outside import Outside, outsiders, upstream_holder

T = TypeVar("T")

_THINGS = ("referrals", "routing", "calls", "tasks", "volunteers", "parcels", "stock", "escalations")
API_KEYS: dict[str, tuple[str, ...]] = {
    "escalation": ("disclosures:escalation", "traces:continue"),
    "volunteer-match": ("routing:positions", "hubs:all", "traces:continue"),
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

ACTS = "outside.jsonl"
"""Who did what about systems outside, and API keys: a chained file."""

DEMO = "demo"
"""The upstream system of every new platform, which the simulator plays. Its topics have no name behind them."""
DEMO_SOURCES = ("riverside-surgery", "heath-pharmacy", "faith-forum")


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

    @property
    def upstreams_file(self) -> Path:
        """The upstream systems."""
        return self._directory / "upstreams.json"

    @property
    def outside_file(self) -> Path:
        """Kafka users of systems outside, and the systems that only read."""
        return self._directory / "outside.json"

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
        """Makes what is missing. Raises HalfInitialisedError where the list of upstream systems is gone."""
        with self.locked():
            self._prepare(API_KEYS if api_keys is None else api_keys)

    def _prepare(self, api_keys: dict[str, tuple[str, ...]]) -> None:
        entries = {entry["sha256"]: entry for entry in self._api_keys()}
        for name, scopes in api_keys.items():
            digest = _sha256(self.get("api-keys", name))
            opens = {"scopes": list(scopes), "sources": list(SOURCES.get(name, ()))}
            entries[digest] = entries.get(digest, {}) | {"name": name, "sha256": digest} | opens
        self._keep_api_keys(entries.values())
        if not self.upstreams_file.exists():
            if self.outside_file.exists():
                raise HalfInitialisedError(
                    f"{self.upstreams_file} is gone", "Put back a copy of it: it names all that may submit."
                )
            self.keep_upstreams(Upstreams((_demo(),)))
        holder = self.outside().holder(upstream_holder(DEMO))
        if not holder.issued:
            self.keep_outside(self.outside().put(holder.issue(datetime.now(UTC), None)))
        if not self.revocations_file.exists():
            _write(self.revocations_file, "{}\n")
        if not (self.signing_key_file.exists() and self.jwks_file.exists()):
            self._make_signing_key()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the upstream systems and the API keys meanwhile."""
        path = self.path("lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
        except OSError as error:
            raise MachineError(
                f"{path} cannot be written: {error.strerror}", "Check free space and rights there."
            ) from error
        with path.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def upstreams(self) -> Upstreams:
        """The upstream systems. Raises HalfInitialisedError where the file is damaged."""
        return _parsed(self.upstreams_file, contract.parse, Upstreams())

    def keep_upstreams(self, upstreams: Upstreams) -> None:
        """Keep them; intake reads them within two seconds."""
        _write(self.upstreams_file, contract.dump(upstreams).decode())

    def outside(self) -> Outside:
        """What is kept of systems outside for Kafka. Raises HalfInitialisedError where the file is damaged."""
        return _parsed(self.outside_file, kafka_outside.parse, Outside())

    def keep_outside(self, outside: Outside) -> None:
        """Keep it."""
        _write(self.outside_file, kafka_outside.dump(outside).decode())

    def outsiders(self, now: datetime) -> list[Outsider]:
        """What the systems outside may do in Kafka at this time."""
        return outsiders(self.upstreams(), self.outside(), now)

    def demo_user(self) -> str:
        """The Kafka user that the simulator plays; one without a password that works, if somebody has revoked it."""
        holder = self.outside().holder(upstream_holder(DEMO))
        return holder.newest.user if holder.newest else holder.name

    def api_keys(self, name: str) -> list[dict[str, Any]]:
        """The entries of a name's keys, the newest last."""
        return [entry for entry in self._api_keys() if entry["name"] == name]

    def sources_of_keys(self) -> set[str]:
        """Whom the owners of keys submit referrals as."""
        return {source for entry in self._api_keys() for source in entry.get("sources", ())}

    def make_api_key(
        self, name: str, scopes: Iterable[str], sources: Iterable[str], ends_at: datetime | None
    ) -> None:
        """A first key of a name, or one beside those that it has."""
        key = secrets.token_urlsafe(24)
        entry = {
            "name": name,
            "sha256": _sha256(key),
            "scopes": list(scopes),
            "sources": list(sources),
            "expires_at": ends_at and ends_at.isoformat(),
        }
        self._keep_api_keys([*self._api_keys(), entry])
        _write(self.path("api-keys", name), key)

    def set_sources(self, name: str, sources: Iterable[str]) -> None:
        """All keys of a name submit as these sources."""
        own = list(sources)
        self._keep_api_keys(
            {**entry, "sources": own} if entry["name"] == name else entry for entry in self._api_keys()
        )

    def drop_api_keys(self, name: str) -> None:
        """No key of this name works any more."""
        self._keep_api_keys(entry for entry in self._api_keys() if entry["name"] != name)
        self.path("api-keys", name).unlink(missing_ok=True)

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


def _demo() -> Upstream:
    from bdcan_contracts.catalogue import INBOUND_RECEIPTS, INBOUND_REFERRALS  # its models take time

    return Upstream(
        DEMO,
        DEMO_SOURCES,
        INBOUND_REFERRALS.name,
        INBOUND_RECEIPTS.name,
        contact="played by the simulator",
    )


def _parsed(path: Path, parse: Callable[[bytes], T], empty: T) -> T:
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        return empty
    except ValueError as error:
        raise HalfInitialisedError(
            f"{path} is damaged: {error}", "Put back a copy of it. The services work with what it said last."
        ) from error


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
