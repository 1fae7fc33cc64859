"""A stand-in for Community Solutions' case system: for tests, demos, and nobody's real details.

It takes a case once per Idempotency-Key and answers with signed call-backs: acknowledged, then accepted (mostly, and
later closed) or declined (a few). What becomes of a case follows from its id, so that a run can be repeated. Cases
and the call-backs still owed are kept in a SQLite file where one is named, so that a restart forgets neither.

    BDCAN_COUNCIL_PORT  BDCAN_COUNCIL_API_KEY  BDCAN_COUNCIL_CALLBACK_SECRET  BDCAN_COUNCIL_CALLBACK_URL
    BDCAN_COUNCIL_HOST (127.0.0.1)  BDCAN_COUNCIL_STATE (a file; in memory without)
    BDCAN_SECRETS_DIR (a folder of files named like the settings, in lower case)
    BDCAN_COUNCIL_STEP_SECONDS (0.5: between two steps of a case)  BDCAN_COUNCIL_DECLINED_SHARE (0.08)
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID, uuid5

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bdcan_simulator.stand_in import StandInSettings, run_stand_in, serve_until

log = logging.getLogger(__name__)

_NAMESPACE = UUID("5b0c6b2e-7d4e-5a41-8a68-0c0b6d2f7a10")
_POLL_SECONDS = 0.05
_AT_ONCE = 20
_RETRY_MOST_SECONDS = 30.0
_GIVE_UP_AFTER = 200
"""Attempts at one call-back: at half a minute each, an hour and a half."""

_REASONS = ("not-eligible", "already-known-to-us", "not-enough-information")
_OUTCOMES = ("helped", "helped", "helped", "partly-helped", "not-reached")


class CouncilSettings(StandInSettings):
    """How the stand-in runs. Waits are real time."""

    prefix = "BDCAN_COUNCIL_"

    api_key: SecretStr
    callback_secret: SecretStr
    callback_url: str
    state: str = Field(default=":memory:", description="SQLite file of cases")
    step_seconds: float = Field(default=0.5, ge=0, description="real seconds between two steps of a case")
    declined_share: float = Field(default=0.08, ge=0, le=1)


class Case(BaseModel):
    """What is handed over. The stand-in looks at nothing in `person`, and shows none of it."""

    model_config = ConfigDict(extra="ignore")
    escalation_id: UUID
    kind: str
    codes: list[str] = Field(min_length=1)
    priority: str
    person: dict[str, Any]
    household: dict[str, Any] | None = None


class CaseTaken(BaseModel):
    """The council's own names for a case."""

    case_id: str
    reference: str


class CaseView(CaseTaken):
    """A case, without the person."""

    escalation_id: UUID
    kind: str
    codes: list[str]
    person_fields: list[str]
    told: list[str]


@dataclass(frozen=True, slots=True)
class Owed:
    """A call-back that has not been taken yet."""

    event_id: str
    body: str
    attempts: int


class CaseBook:
    """Cases by Idempotency-Key, and the call-backs that are owed for them."""

    def __init__(self, settings: CouncilSettings) -> None:
        self._settings = settings
        self._db = sqlite3.connect(settings.state, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def take(self, key: str, case: Case) -> tuple[CaseTaken, bool]:
        """The case of this key, and whether it is new. Raises ValueError if the key was used for another one."""
        case_id = str(uuid5(_NAMESPACE, key))
        taken = CaseTaken(case_id=case_id, reference=f"CS-{case_id[:8].upper()}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            row = self._db.execute("SELECT escalation_id FROM council_case WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] != str(case.escalation_id):
                raise ValueError("the key was used for another case")
            if row is None:
                self._db.execute(
                    "INSERT INTO council_case VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        key,
                        taken.case_id,
                        taken.reference,
                        str(case.escalation_id),
                        case.kind,
                        json.dumps(case.codes),
                        json.dumps(sorted(case.person)),
                    ),
                )
                self._db.executemany(
                    "INSERT INTO call_back VALUES (?, ?, ?, ?, ?, 0, 0)",
                    self._course(taken, case.escalation_id),
                )
        finally:
            self._db.execute("COMMIT")
        return taken, row is None

    def due(self, now: float) -> list[Owed]:
        """Call-backs to send now: of each case the first that is owed, so that they go out in order."""
        return [Owed(*row) for row in self._db.execute(_DUE, (now, _AT_ONCE))]

    def settle(self, event_id: str) -> None:
        """It was taken, or never will be."""
        self._db.execute("UPDATE call_back SET done = 1 WHERE event_id = ?", (event_id,))

    def postpone(self, event_id: str, until: float) -> None:
        """It was not taken this time."""
        self._db.execute(
            "UPDATE call_back SET attempts = attempts + 1, due_at = ? WHERE event_id = ?", (until, event_id)
        )

    def cases(self) -> list[CaseView]:
        """All cases, oldest first."""
        return [
            CaseView(
                case_id=case_id,
                reference=reference,
                escalation_id=UUID(escalation_id),
                kind=kind,
                codes=json.loads(codes),
                person_fields=json.loads(fields),
                told=json.loads(told),
            )
            for case_id, reference, escalation_id, kind, codes, fields, told in self._db.execute(_CASES)
        ]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _course(self, taken: CaseTaken, escalation_id: UUID) -> list[tuple[str, str, str, str, float]]:
        """All call-backs that a case will cause: drawn from its id, so always the same."""
        fate = random.Random(taken.case_id)  # noqa: S311 # a stand-in's dice, not a secret
        declined = fate.random() < self._settings.declined_share
        steps: list[dict[str, str]] = [{"event": "acknowledged"}]
        if declined:
            steps.append({"event": "declined", "reason": fate.choice(_REASONS)})
        else:
            steps += [{"event": "accepted"}, {"event": "closed", "outcome": fate.choice(_OUTCOMES)}]
        due_at, course = time.time(), []
        for place, step in enumerate(steps):
            due_at += self._settings.step_seconds * fate.uniform(0.5, 1.5)
            event_id = str(uuid5(UUID(taken.case_id), step["event"]))
            body = {"event_id": event_id, "escalation_id": str(escalation_id), **taken.model_dump(), **step}
            course.append((event_id, taken.case_id, f"{place} {step['event']}", json.dumps(body), due_at))
        return course


def create_app(settings: CouncilSettings) -> FastAPI:
    """The server. It sends its call-backs while it runs."""
    book = CaseBook(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            sending = asyncio.create_task(_call_back(book, settings, client))
            yield
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        book.close()

    app = FastAPI(title="Community Solutions (stand-in)", lifespan=lifespan)

    async def known(x_api_key: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(x_api_key.encode(), settings.api_key.get_secret_value().encode()):
            raise HTTPException(401, "The API key is not known.")

    @app.post("/v1/cases", dependencies=[Depends(known)], status_code=201)
    async def take_case(
        case: Case, response: Response, idempotency_key: Annotated[str, Header(min_length=1, max_length=255)]
    ) -> CaseTaken:
        try:
            taken, new = book.take(idempotency_key, case)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        response.status_code = 201 if new else 200
        return taken

    @app.get("/v1/cases", dependencies=[Depends(known)])
    async def list_cases() -> list[CaseView]:
        return book.cases()

    @app.get("/livez")
    @app.get("/readyz")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    return app


def sign(secret: str, body: bytes, at: float) -> str:
    """The value of X-Signature for a body sent at this time (unix seconds)."""
    text = f"{int(at)}".encode()
    digest = hmac.new(secret.encode(), text + b"." + body, hashlib.sha256).hexdigest()
    return f"t={text.decode()},v1={digest}"


def main() -> int:
    """Serve until told to stop, then return 0. 2: the configuration is at fault."""
    return run_stand_in(
        CouncilSettings,
        lambda settings, listener, stopping: serve_until(create_app(settings), listener, stopping),
    )


async def _call_back(book: CaseBook, settings: CouncilSettings, client: httpx.AsyncClient) -> None:
    """Send what is owed, for ever. Nobody waits for an answer here, so it looks at intervals."""
    while True:
        owed = book.due(time.time())
        await asyncio.gather(*(_send(book, settings, client, one) for one in owed))
        if not owed:
            await asyncio.sleep(_POLL_SECONDS)


async def _send(book: CaseBook, settings: CouncilSettings, client: httpx.AsyncClient, owed: Owed) -> None:
    body = owed.body.encode()
    headers = {
        "X-Signature": sign(settings.callback_secret.get_secret_value(), body, time.time()),
        "Content-Type": "application/json",
    }
    try:
        status = (await client.post(settings.callback_url, content=body, headers=headers)).status_code
    except httpx.HTTPError:
        status = 0
    refused = 400 <= status < 500 and status not in {401, 404, 408, 429}
    if 200 <= status < 300 or refused or owed.attempts >= _GIVE_UP_AFTER:
        if status >= 300 or not status:
            log.warning("call-back %s was not taken: %s", owed.event_id, status or "no answer")
        book.settle(owed.event_id)
        return
    book.postpone(owed.event_id, time.time() + min(_RETRY_MOST_SECONDS, 0.1 * 2 ** min(owed.attempts, 10)))


_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL; -- a restart forgets nothing; a power cut may forget the last moment
CREATE TABLE IF NOT EXISTS council_case (
    key TEXT PRIMARY KEY, case_id TEXT NOT NULL, reference TEXT NOT NULL, escalation_id TEXT NOT NULL,
    kind TEXT NOT NULL, codes TEXT NOT NULL, person_fields TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS call_back (
    event_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, step TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL,
    attempts INT NOT NULL, done INT NOT NULL
);
CREATE INDEX IF NOT EXISTS call_back_owed ON call_back (case_id, step) WHERE done = 0;
CREATE INDEX IF NOT EXISTS call_back_due ON call_back (due_at) WHERE done = 0;
"""

_DUE = """
SELECT event_id, body, attempts FROM call_back AS c
WHERE done = 0 AND due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM call_back AS b WHERE b.case_id = c.case_id AND b.done = 0 AND b.step < c.step)
ORDER BY due_at LIMIT ?
"""

_CASES = """
SELECT case_id, reference, escalation_id, kind, codes, person_fields, (
    SELECT json_group_array(substr(step, 3)) FROM (
        SELECT step FROM call_back AS b WHERE b.case_id = c.case_id AND b.done = 1 ORDER BY step))
FROM council_case AS c ORDER BY rowid
"""
