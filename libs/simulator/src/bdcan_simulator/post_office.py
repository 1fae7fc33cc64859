"""A stand-in for a mail server and for GOV.UK Notify: for tests, demos, and nobody's real address.

It takes e-mails by SMTP and text messages by Notify's HTTP API, and keeps them in a SQLite file where one is named. Nothing leaves the
machine. `GET /v1/messages` lists what came, and `GET /v1/messages/{number}` shows one.

    BDCAN_POST_PORT (HTTP)  BDCAN_POST_SMTP_PORT  BDCAN_POST_NOTIFY_KEY
    BDCAN_POST_HOST (127.0.0.1)  BDCAN_POST_STATE (a file; in memory without)
    BDCAN_SECRETS_DIR (a folder of files named like the settings, in lower case)
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Annotated, Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, Field, SecretStr

from bdcan_simulator.stand_in import StandInSettings, run_stand_in, serve_until

_ID_LENGTH = 36


class PostSettings(StandInSettings):
    """How the stand-in runs."""

    prefix = "BDCAN_POST_"

    smtp_port: int = Field(ge=0, le=65535)
    notify_key: SecretStr = Field(min_length=2 * _ID_LENGTH + 1)
    state: str = Field(default=":memory:", description="SQLite file of what came")


class Came(BaseModel):
    """A message that came. `times`: how often the same one came."""

    number: int
    reference: str
    at: datetime
    channel: str
    kind: str
    to: str
    subject: str
    times: int
    body: str


@dataclass
class Faults:
    """What a test wants to go wrong."""

    rcpt: str | None = None
    """The answer to a recipient, such as `550 no such user`."""
    data: str | None = None
    """The answer to an e-mail, which is then not taken."""
    breaks_after_data: bool = False
    """The e-mail is taken, and the connection breaks before the answer."""
    status: int | None = None
    """Notify answers so, and takes nothing."""
    errors: list[dict[str, str]] = field(default_factory=list)
    status_after: int | None = None
    """Notify takes the text, and answers so."""


class PostOffice:
    """What came, and what goes wrong on purpose."""

    def __init__(self, state: str = ":memory:") -> None:
        self.faults = Faults()
        self.asked: list[str] = []
        self._db = sqlite3.connect(state, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def take(self, channel: str, reference: str, kind: str, to: str, subject: str, body: str) -> str:
        """Keep a message. One that came before is counted. Returns an id of its own."""
        row = self._db.execute(
            _TAKE,
            (str(uuid4()), reference, datetime.now(UTC).isoformat(), channel, kind, to, subject, body),
        ).fetchone()
        return row[0]

    def came(self, reference: str | None = None) -> list[Came]:
        """What came, the first at the head."""
        rows = self._db.execute(_CAME, (reference, reference)).fetchall()
        return [Came(**dict(zip(Came.model_fields, row, strict=True))) for row in rows]

    def ids_of(self, reference: str) -> list[str]:
        """The ids of texts with this reference."""
        return [row[0] for row in self._db.execute(_IDS, (reference,))]

    async def handle_RCPT(  # noqa: N802 # the name that aiosmtpd asks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer to a recipient."""
        if self.faults.rcpt:
            return self.faults.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # as above
        """Take an e-mail."""
        if self.faults.data:
            return self.faults.data
        content = envelope.content
        mail = message_from_bytes(content if isinstance(content, bytes) else b"", policy=default)
        body = mail.get_body(("plain",))
        self.take(
            "email",
            str(mail["Message-ID"]),
            str(mail["X-BDCAN-Kind"] or ""),
            ", ".join(envelope.rcpt_tos),
            str(mail["Subject"]),
            "" if body is None else body.get_content(),
        )
        if self.faults.breaks_after_data and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 OK"


def create_app(office: PostOffice, settings: PostSettings) -> FastAPI:
    """Notify's API, and a look at what came."""
    key = settings.notify_key.get_secret_value()
    secret = OctKey.import_key(key[-_ID_LENGTH:])
    app = FastAPI(title="Post office (stand-in)")

    async def known(authorization: Annotated[str, Header()] = "") -> None:
        try:
            claims = jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"]).claims
        except (JoseError, ValueError) as error:
            raise HTTPException(403, "Invalid token") from error
        if claims.get("iss") != key[-2 * _ID_LENGTH - 1 : -_ID_LENGTH - 1]:
            raise HTTPException(403, "Invalid token: service not found")

    @app.post("/v2/notifications/sms", dependencies=[Depends(known)], status_code=201)
    async def send(request: Request, response: Response) -> dict[str, Any]:
        faults, body = office.faults, await request.json()
        if faults.status:
            response.status_code = faults.status
            return {"status_code": faults.status, "errors": faults.errors}
        reference = body.get("reference", "")
        number = office.take(
            "text", reference, "", body["phone_number"], "", body["personalisation"]["message"]
        )
        if faults.status_after:
            response.status_code = faults.status_after
        return {"id": number, "reference": reference, "template": {"id": body["template_id"]}}

    @app.get("/v2/notifications", dependencies=[Depends(known)])
    async def find(reference: str) -> dict[str, Any]:
        office.asked.append(reference)
        return {"notifications": [{"id": one, "reference": reference} for one in office.ids_of(reference)]}

    @app.get("/v1/messages")
    async def messages() -> list[Came]:
        return [one.model_copy(update={"body": ""}) for one in office.came()]

    @app.get("/v1/messages/{number}")
    async def message(number: int) -> Came:
        found = [one for one in office.came() if one.number == number]
        if not found:
            raise HTTPException(404, "There is no such message.")
        return found[0]

    @app.get("/livez")
    @app.get("/readyz")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    return app


@asynccontextmanager
async def serving_mail(office: PostOffice, host: str, port: int) -> AsyncIterator[int]:
    """Take e-mails; gives the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(office, enable_SMTPUTF8=True, loop=asyncio.get_running_loop()), host, port
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def main() -> int:
    """Serve until told to stop, then return 0. 2: the configuration is at fault."""
    return run_stand_in(PostSettings, _serve)


async def _serve(settings: PostSettings, listener: socket.socket, stopping: asyncio.Event) -> int:
    office = PostOffice(settings.state)
    async with serving_mail(office, settings.host, settings.smtp_port):
        return await serve_until(create_app(office, settings), listener, stopping)


_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, reference TEXT NOT NULL, at TEXT NOT NULL, channel TEXT NOT NULL,
    kind TEXT NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, times INT NOT NULL DEFAULT 1,
    UNIQUE (channel, reference)
);
"""

_TAKE = """
INSERT INTO message (id, reference, at, channel, kind, recipient, subject, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (channel, reference) DO UPDATE SET times = times + 1 RETURNING id
"""

_CAME = """
SELECT number, reference, at, channel, kind, recipient, subject, times, body FROM message
WHERE ? IS NULL OR reference = ? ORDER BY number
"""

_IDS = "SELECT id FROM message WHERE channel = 'text' AND reference = ?"
