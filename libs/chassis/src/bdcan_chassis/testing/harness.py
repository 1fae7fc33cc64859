"""A service under test: real Postgres, its real handlers, deadlines, planners and API; no Kafka where none is needed.

async with harness(postgres_server, service, Settings) as given:
    await given.deliver(ReferralAssigned(...))       # through inbox, handlers, outbox: one committed batch
    assert [type(e.data) for e in await given.emitted()] == [...]
    given.clock.advance(timedelta(hours=2)); await given.fire()
    answer = await given.http.get("/v1/tasks")
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from pydantic import BaseModel

from bdcan_chassis.clock import ManualClock
from bdcan_chassis.database import Pool, open_pool
from bdcan_chassis.deadlines import Deadlines
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.http.auth import Authenticator
from bdcan_chassis.http.credentials import ApiKey
from bdcan_chassis.http.server import config_of
from bdcan_chassis.ids import new_id
from bdcan_chassis.logs import configure_logging
from bdcan_chassis.migrate import migrate
from bdcan_chassis.passes import pass_once
from bdcan_chassis.privileges import grant, role_of, run_time_role
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.serving import serving_as
from bdcan_chassis.transaction import Transactions, unpack_headers
from bdcan_chassis.wake import Wakes
from bdcan_contracts.envelope import Event, Headers, decode, encode_body, encode_headers, source_of
from bdcan_contracts.upstreams import Upstream, dump

S = TypeVar("S", bound=ServiceSettings)

START = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)
"""When a harness's clock starts: a Monday morning."""

ALL_SCOPES = (
    "referrals:write",
    "referrals:read",
    "referrals:amend",
    "disclosures:welfare_call",
    "disclosures:delivery_label",
    "disclosures:delivery",
    "disclosures:task",
    "disclosures:escalation",
    "disclosures:triage",
    "disclosures:volunteer_induction",
    "routing:read",
    "routing:write",
    "routing:positions",
    "calls:read",
    "calls:write",
    "tasks:read",
    "tasks:write",
    "volunteers:read",
    "volunteers:write",
    "parcels:read",
    "parcels:write",
    "stock:read",
    "stock:write",
    "escalations:read",
    "escalations:write",
    "rights:read",
    "rights:write",
    "ops:dead-letters",
    "hubs:all",
)


class Databases(Protocol):
    """Makes fresh databases: the `postgres_server` fixture."""

    async def database(self, name: str = "test") -> str:
        """The DSN of the owner of a new, empty database."""
        ...


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A Kafka record without Kafka."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: Headers
    value: bytes | None


@dataclass
class Harness:
    """A running service under test."""

    service: Service
    transactions: Transactions
    clock: ManualClock
    url: str
    authenticator: Authenticator
    http: httpx.AsyncClient
    signing_key: ECKey
    owner: Pool
    """Connections as the owner of the database: what a test looks at and prepares, the service need not be allowed."""
    _offset: int = 0
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    _dispatchers: dict[str, Dispatcher] = field(default_factory=dict)

    def record(
        self,
        data: BaseModel,
        *,
        traffic_class: str | None = None,
        key: str | None = None,
        source: str | None = None,
        topic: str | None = None,
    ) -> FakeRecord:
        """A record as the owner of the event type would write it; give the same one twice to deliver it twice.

        `topic`: an upstream system's own.
        """
        event_type = self.service.catalogue.of(type(data))
        kind = event_type.topic_in(traffic_class)
        subject = key or event_type.subject_of(data)
        headers = encode_headers(
            event_type, new_id(), source or source_of(kind.owner), subject, self.clock.now(), None
        )
        self._offset += 1
        return FakeRecord(
            topic or kind.name, 0, self._offset, self._offset, subject.encode(), headers, encode_body(data)
        )

    async def deliver(self, *what: BaseModel | FakeRecord, traffic_class: str | None = None) -> Counter[str]:
        """Give records to the consumers of their topics, as one batch each; returns the outcomes."""
        records = [
            w if isinstance(w, FakeRecord) else self.record(w, traffic_class=traffic_class) for w in what
        ]
        outcome: Counter[str] = Counter()
        taken = 0
        for consumer in self.service.consumers:
            batch = [r for r in records if r.topic in consumer.topics]
            if batch:
                taken += len(batch)
                dispatcher = self._dispatchers.get(consumer.name) or Dispatcher(
                    consumer, self.transactions, ParkLimit(50, 0.5)
                )
                self._dispatchers[consumer.name] = dispatcher
                outcome += await dispatcher.process(batch)
        assert taken >= len(records), "no consumer of the service reads one of these topics"
        return outcome

    async def emitted(self, *kinds: type[BaseModel]) -> list[Event[Any]]:
        """Empty the outbox; returns its events in order. With `kinds`, returns only events of these models."""
        rows = await self.fetch(
            "WITH gone AS (DELETE FROM chassis.outbox RETURNING seq, topic, record_key, headers, body) SELECT * FROM gone ORDER BY seq"
        )
        events = [
            decode(
                self.service.catalogue,
                self.service.catalogue.topic_of(r["topic"]).name,
                r["record_key"],
                unpack_headers(r["headers"]),
                r["body"],
            )
            for r in rows
        ]
        return [e for e in events if not kinds or isinstance(e.data, kinds)]

    async def fire(self) -> int:
        """Fire the deadlines that are due now, and those that this makes due at once; returns how many fired."""
        deadlines = Deadlines(self.service.deadlines, self.transactions, self.service.settings, Wakes())
        fired = 0
        while now := await deadlines.fire():
            fired += now
            assert fired < 10_000, "deadlines fire for ever"
        return fired

    async def run(self, name: str) -> int:
        """One pass of the planner or gateway of that name."""
        for work in (*self.service.planners, *self.service.gateways):
            if work.name == name:
                return (await pass_once(work, self.transactions))[0]
        raise LookupError(name)

    async def deadlines(self) -> dict[tuple[str, Any], datetime]:
        """All deadlines: (kind, subject) → due."""
        rows = await self.fetch("SELECT kind, subject, due_at FROM chassis.deadline")
        return {(r["kind"], r["subject"]): r["due_at"] for r in rows}

    async def empty(self) -> None:
        """Delete all rows except those of the migrations."""
        await self.owner.execute(_EMPTY)
        self._dispatchers.clear()

    async def until_blocked(self) -> int:
        """Wait until a session of the database waits for a lock of another one; returns its process id."""
        async with asyncio.timeout(30):
            while not (waiting := await self.fetch(_BLOCKED)):  # noqa: ASYNC110 # PostgreSQL tells nobody who waits for a lock: asking is all there is
                await asyncio.sleep(0.01)
        return waiting[0]["pid"]

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a query, as the owner of the database."""
        return await self.owner.fetch(sql, *arguments)

    async def grant(self) -> None:
        """Let the service use the tables that a test has made."""
        async with self.owner.acquire() as connection:
            await grant(connection, await role_of(connection))

    def client(
        self, scopes: Sequence[str], hubs: Sequence[str] = (), sources: Sequence[str] | None = None
    ) -> httpx.AsyncClient:
        """An HTTP client whose key has these scopes and hubs, and these sources: by default, its own name."""
        name = f"test-{len(self.clients) + 1}"
        key = f"{_key(scopes, hubs)} {name}"
        client = httpx.AsyncClient(base_url=self.url, headers={"X-API-Key": key}, timeout=30)
        self.clients.append(client)
        known = ApiKey(
            name=name,
            sha256=_digest(key),
            scopes=list(scopes),
            hubs=list(hubs),
            sources=[name] if sources is None else list(sources),
        )
        self.authenticator.api_keys.get()[known.sha256] = known
        return client

    def person(
        self,
        scopes: Sequence[str],
        hubs: Sequence[str] = (),
        *,
        name: str = "ada",
        volunteer_id: UUID | None = None,
        sources: Sequence[str] = (),
    ) -> httpx.AsyncClient:
        """An HTTP client with a person's access token. `volunteer_id`: the account is that volunteer's."""
        client = httpx.AsyncClient(base_url=self.url, timeout=30)
        claims: dict[str, Any] = {"scope": " ".join(scopes), "hub": list(hubs), "source": list(sources)}
        if volunteer_id is not None:
            claims["volunteer"] = str(volunteer_id)
        client.headers["Authorization"] = f"Bearer {self.token(name, **claims)}"
        self.clients.append(client)
        return client

    def token(self, name: str, **claims: Any) -> str:
        """A person's access token with these claims, signed by the identity provider of the test."""
        settings, now = self.service.settings, int(time.time())
        whole = {
            "iss": settings.oidc_issuer,
            "aud": settings.oidc_audience,
            "sub": name,
            "iat": now,
            "exp": now + 3600,
        }
        header = {"alg": "ES256", "kid": self.signing_key.kid}
        return jwt.encode(header, whole | claims, self.signing_key, algorithms=["ES256"])


_UPSTREAMS = (
    Upstream(
        name="riverside-surgery",
        sources=("riverside-surgery", "midwives"),
        inbound_topic="bdcan.intake.inbound-referrals.v1",
        receipts_topic="bdcan.intake.inbound-receipts.v1",
    ),
    Upstream(
        name="heath-pharmacy",
        inbound_topic="bdcan.intake.inbound-referrals.v1.heath-pharmacy",
        receipts_topic="bdcan.intake.inbound-receipts.v1.heath-pharmacy",
    ),
)
"""Who may submit by Kafka in a test of intake, unless the test says otherwise."""


def _key(scopes: Sequence[str], hubs: Sequence[str]) -> str:
    return "test-key " + " ".join(scopes) + " @ " + " ".join(hubs) + "."


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def run_time_dsn(dsn: str) -> str:
    """The DSN of the role that runs, from its owner's: on a test's database both have one password."""
    owner = urlsplit(dsn).username or ""
    return dsn.replace(f"{owner}:", f"{run_time_role(owner)}:", 1)


def settings_for(settings_class: type[S], dsn: str, keys_file: Path, **more: Any) -> S:
    """Settings for tests. Fields without a default get harmless values, unless the test gives others."""
    values: dict[str, Any] = {
        "database_url": dsn,
        "kafka_bootstrap": "127.0.0.1:1",
        "kafka_username": "test",
        "kafka_password": "test",
        "jwks": str(keys_file),
        "oidc_issuer": "https://issuer.example.org",
        "api_keys_file": keys_file,
        "upstreams_file": keys_file.with_name("upstreams.json"),
        "grant_secret": "a secret of the tests, long enough",
    }
    return settings_class.model_validate(values | more)


@asynccontextmanager
async def harness(
    databases: Databases, build: Callable[[S], Service], settings_class: type[S], **more: Any
) -> AsyncIterator[Harness]:
    """A service on an empty, migrated database, with its API on a free port. `more` are settings."""
    dsn, used = await _database_of(databases, build.__module__)
    with tempfile.TemporaryDirectory() as folder:
        keys_file = Path(folder) / "keys.json"
        keys_file.write_text(
            json.dumps(
                [
                    {
                        "name": "test",
                        "sha256": _digest(_key(ALL_SCOPES, ())),
                        "scopes": list(ALL_SCOPES),
                        "hubs": [],
                        "sources": ["test", "shielding-list", "a-list", "nhs-list", "midwives"],
                    }
                ]
            )
        )
        keys_file.with_name("upstreams.json").write_bytes(dump(_UPSTREAMS))
        signing_key = ECKey.generate_key("P-256", {"kid": "test"}, private=True)
        key_set = Path(folder) / "jwks.json"
        key_set.write_text(json.dumps(KeySet([signing_key]).as_dict(private=False)))
        more = {"jwks": str(key_set), "revocations_file": Path(folder) / "revocations.json"} | more
        service = build(settings_for(settings_class, run_time_dsn(dsn), keys_file, **more))
        configure_logging(service.name, "test", "WARNING", service.personal_fields)
        await migrate(dsn, service.migration_packages)
        clock = ManualClock(START)
        pool = await open_pool(run_time_dsn(dsn), 10, "test")
        owner = await open_pool(dsn, 5, "test-owner")
        if used:
            await owner.execute(_EMPTY)
        transactions = Transactions(
            pool,
            clock,
            service.name,
            service.catalogue,
            service.deadlines,
            service.settings.calendar,
            service.erase_again,
            service.upstreams,
            service.tracer("api"),
        )
        app = service.api(transactions)
        config = config_of(app, service.settings)
        config.port = 0
        try:
            async with (
                serving_as(config) as url,
                httpx.AsyncClient(
                    base_url=url, headers={"X-API-Key": _key(ALL_SCOPES, ())}, timeout=30
                ) as http,
            ):
                running = Harness(
                    service, transactions, clock, url, app.state.authenticator, http, signing_key, owner
                )
                try:
                    yield running
                finally:
                    for client in running.clients:
                        await client.aclose()
        finally:
            await pool.close()
            await owner.close()
            if transactions.tracer is not None:
                await transactions.tracer.close()


# making and removing a database for each test takes longer than the tests
_used: WeakKeyDictionary[Databases, dict[str, str]] = WeakKeyDictionary()


async def _database_of(databases: Databases, owner: str) -> tuple[str, bool]:
    """The database that the tests of one service share one after the other, and whether a test has used it before."""
    of_service = _used.setdefault(databases, {})
    if owner in of_service:
        return of_service[owner], True
    of_service[owner] = await databases.database()
    return of_service[owner], False


_BLOCKED = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""

_EMPTY = """
DO $$ BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' RESTART IDENTITY CASCADE'
        FROM pg_tables WHERE schemaname IN ('public', 'chassis') AND tablename <> 'schema_migration'
            AND tablename NOT LIKE '%secret' -- a database is born with the secret of its hashes
    );
END $$
"""
