"""Files that say which credentials work, and whose they are: API keys, tokens that were revoked, upstream systems.

They are read again when they change.

Whoever rolls a key or revokes a token replaces a file; within `LOOK_SECONDS` every process follows, without a restart.
A file that cannot be read changes nothing: what was read last stays in force, a log line and a gauge tell of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from bdcan_chassis import metrics
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.logs import get_logger
from bdcan_contracts.upstreams import Upstreams, parse

T = TypeVar("T")
log = get_logger(__name__)

LOOK_SECONDS = 2.0
"""How often a process looks whether a file has changed. A look costs a few microseconds."""


class ApiKey(BaseModel):
    """A machine's key: its sha256, and what it opens. Several keys may bear one name: an old one and its successor."""

    model_config = ConfigDict(extra="forbid")
    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: list[str]
    hubs: list[str] = []
    sources: list[str] = []
    expires_at: AwareDatetime | None = None

    def is_live(self, now: float) -> bool:
        """Whether the key works at this second of the epoch."""
        return self.expires_at is None or now < self.expires_at.timestamp()


class Revocations(BaseModel):
    """Tokens that no longer work: single ones by `jti`, and all that a subject was given before an instant."""

    model_config = ConfigDict(extra="forbid")
    tokens: frozenset[str] = frozenset()
    subjects: dict[str, AwareDatetime] = {}

    def name(self, claims: dict[str, Any]) -> bool:
        """Whether the token with these claims is revoked. One that does not say when it was issued counts as old."""
        if claims.get("jti") in self.tokens:
            return True
        before = self.subjects.get(str(claims.get("sub")))
        if before is None:
            return False
        issued = claims.get("iat")
        # whole seconds: a token of the same second is revoked, too
        return not isinstance(issued, int | float) or issued <= before.timestamp()


class WatchedFile(Generic[T]):
    """What a file says, as it was when somebody last looked. Without a path: what it would say if it were empty."""

    def __init__(
        self, setting: str, path: Path | None, parse: Callable[[bytes], T], empty: T, *, may_miss: bool
    ) -> None:
        self._setting, self._path, self._parse, self._empty = setting, path, parse, empty
        self._may_miss = may_miss
        self._looked = time.monotonic()
        self._seen = self._mark()
        self._was_there = False
        self.version = 0
        """Counts how often the file was read anew."""
        self._value = empty
        if path is not None:
            try:
                self._value = self._read()
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"{setting} cannot be read: {type(error).__name__}") from error
            metrics.CREDENTIALS_UNREADABLE.labels(setting).set(0)

    def get(self) -> T:
        """What the file says, at most `LOOK_SECONDS` old."""
        now = time.monotonic()
        if self._path is not None and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._value

    def _look(self) -> None:
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._value = self._read()
        except (OSError, ValueError) as error:
            # the exception's text may hold what the file says
            log.error("auth.file_unreadable", setting=self._setting, error=type(error).__name__)
            metrics.CREDENTIALS_UNREADABLE.labels(self._setting).set(1)
            return
        self.version += 1
        metrics.CREDENTIALS_UNREADABLE.labels(self._setting).set(0)
        log.info("auth.file_read", setting=self._setting)

    def _read(self) -> T:
        if self._path is None or (self._may_miss and self._seen is None and not self._was_there):
            return self._empty
        value = self._parse(self._path.read_bytes())  # one that was there and is gone cannot be read
        self._was_there = True
        return value

    def _mark(self) -> tuple[int, int, int] | None:
        """What changes whenever somebody writes or replaces the file; None while there is none."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def watch_api_keys(path: Path | None) -> WatchedFile[dict[str, ApiKey]]:
    """The API keys by their sha256. Raises ConfigurationError where the file cannot be read at the start."""
    return WatchedFile("BDCAN_API_KEYS_FILE", path, _api_keys, {}, may_miss=False)


def watch_revocations(path: Path | None) -> WatchedFile[Revocations]:
    """The revoked tokens. A file that does not exist yet revokes nothing. Raises ConfigurationError."""
    return WatchedFile(
        "BDCAN_REVOCATIONS_FILE", path, Revocations.model_validate_json, Revocations(), may_miss=True
    )


def watch_upstreams(path: Path | None) -> WatchedFile[Upstreams]:
    """The upstream systems. A file that does not exist yet names none. Raises ConfigurationError."""
    return WatchedFile("BDCAN_UPSTREAMS_FILE", path, parse, Upstreams(), may_miss=True)


class _KafkaUser(BaseModel):
    ends_at: AwareDatetime | None = None


class _Holder(BaseModel):
    name: str
    users: list[_KafkaUser] = []


class _Outside(BaseModel):
    holders: list[_Holder] = []


def watch_kafka_users(path: Path | None) -> WatchedFile[dict[str, datetime]]:
    """When the last Kafka user of each system outside ends, where all of its users end. Raises ConfigurationError.

    A file that does not exist yet names none.
    """
    return WatchedFile("BDCAN_OUTSIDE_FILE", path, _kafka_users, {}, may_miss=True)


def watch_secrets(
    setting: str, path: Path | None, otherwise: tuple[bytes, ...]
) -> WatchedFile[tuple[bytes, ...]]:
    """Secrets that are believed now, one on each line of a file; without a file, `otherwise`. Raises ConfigurationError."""
    return WatchedFile(setting, path, _secrets, otherwise, may_miss=False)


def _secrets(content: bytes) -> tuple[bytes, ...]:
    found = tuple(line.strip() for line in content.splitlines() if line.strip())
    if not found:
        raise ValueError("no secret")
    return found


def _kafka_users(content: bytes) -> dict[str, datetime]:
    ends: dict[str, datetime] = {}
    for holder in _Outside.model_validate_json(content).holders:
        found = [user.ends_at for user in holder.users if user.ends_at is not None]
        if found and len(found) == len(holder.users):
            ends[holder.name] = max(found)
    return ends


def _api_keys(content: bytes) -> dict[str, ApiKey]:
    keys = TypeAdapter(list[ApiKey]).validate_json(content)
    metrics.API_KEY_EXPIRES.replace({(name,): ends.timestamp() for name, ends in _ends(keys).items()})
    return {key.sha256: key for key in keys}


def _ends(keys: list[ApiKey]) -> dict[str, datetime]:
    """When the last key of each name expires. A name of which one key never expires is left out."""
    ends: dict[str, datetime] = {}
    for key in keys:
        if key.expires_at is not None:
            ends[key.name] = max(key.expires_at, ends.get(key.name, key.expires_at))
    for key in keys:
        if key.expires_at is None:
            ends.pop(key.name, None)
    return ends
