"""What a connection may cost before anybody knows who is at its other end.

uvicorn waits for ever for the rest of a request's head, for a body that nobody reads, and for a caller who does not read
the answer. This protocol closes such connections. It also bounds how many there are: a newcomer takes the place of the
connection that has waited longest without a request, so that silent connections keep nobody out. A request under way
costs no timer of its own.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bdcan_chassis import metrics
from bdcan_chassis.http.headers import ON_EVERY_ANSWER
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings

log = get_logger(__name__)

_LONGEST_URL = 8_000
_MOST_PIPELINED = 8
"""Requests that may wait on one connection for the one before. Browsers and proxies send none ahead."""
_REST_SECONDS = 5.0
"""How long a body may still come when its request has its answer: a caller who writes cannot read the answer."""

_BAD = (HTTPStatus.BAD_REQUEST, "bad-http", "This is no request in HTTP/1.1.")
_LONG_URL = (HTTPStatus.REQUEST_URI_TOO_LONG, "long-url", f"An address has {_LONGEST_URL} bytes at most.")
_LATE = (HTTPStatus.REQUEST_TIMEOUT, "late-head", "The headers took too long. Send the request again.")
_FULL = (HTTPStatus.SERVICE_UNAVAILABLE, "full", "Too many connections just now. Try again.")


@dataclass(slots=True)
class Crowd:
    """The open connections of one server."""

    most: int
    members: set[Connection] = field(default_factory=set)

    def enter(self, newcomer: Connection) -> bool:
        """Whether the newcomer has a place, perhaps that of a connection that waits without a request."""
        self.members.add(newcomer)
        if len(self.members) <= self.most:
            return True
        waiting = [one for one in self.members if one is not newcomer and not one.is_busy]
        if not waiting:
            return False
        min(waiting, key=Connection.worth).close("connections")
        return True


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with time-outs and limits."""

    def __init__(self, *args: Any, settings: ServiceSettings, crowd: Crowd, **named: Any) -> None:
        super().__init__(*args, **named)
        self._settings = settings
        self._crowd = crowd
        self._too_many = (
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "large-headers",
            f"A request has {settings.http_headers} headers and {settings.http_header_bytes} bytes of them at most.",
        )
        self._refusal = _BAD
        self._headed, self._whole = False, True
        self._head_bytes = 0
        self._waits_for: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._since = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def worth(self) -> tuple[bool, float]:
        """The least is closed first: a connection without any request, then the one that has waited longest."""
        return self.cycle is not None, self._since

    def close(self, reason: str) -> None:
        """Close the connection and count why."""
        metrics.LIMITED.labels(reason).inc()
        self._crowd.members.discard(self)
        self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Watch the new connection, or refuse it."""
        super().connection_made(transport)
        if self._crowd.enter(self):
            self._watch()
        else:
            self._refuse(_FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._crowd.members.discard(self)
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless the connection is being closed."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._headed:  # the parser keeps an unfinished header without asking anybody
            self._head_bytes += len(data)
            if self._head_bytes > self._settings.http_header_bytes + _LONGEST_URL:
                self._refuse(self._too_many)
                return
        self._watch()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._headed, self._whole, self._head_bytes = False, False, 0

    def on_url(self, url: bytes) -> None:
        """Bound the address."""
        super().on_url(url)
        if len(self.url) > _LONGEST_URL:
            self._refusal = _LONG_URL
            raise HttpParserError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the headers."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        settings = self._settings
        if len(self.headers) > settings.http_headers or self._head_bytes > settings.http_header_bytes:
            self._refusal = self._too_many
            raise HttpParserError

    def on_headers_complete(self) -> None:
        """The head is there: answer the request, or let it wait for the one before."""
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise HttpParserError
        self._headed, self._head_bytes = True, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        self._whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is sent."""
        super().on_response_complete()
        self._since = self.loop.time()
        if not self.transport.is_closing():
            self._watch()

    def pause_writing(self) -> None:
        """The caller does not read as fast as it is answered."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._settings.http_answer_time.total_seconds(), self._drop)

    def resume_writing(self) -> None:
        """The caller has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 # uvicorn's text is not problem+json
        """Answer what is no request."""
        self._refuse(self._refusal)

    def _watch(self) -> None:
        """Keep the one timer that fits what the connection waits for."""
        if self.is_busy or self.pipeline:
            wanted = None
        elif self._headed and not self._whole:
            wanted = "rest"
        elif self.timeout_keep_alive_task is not None:
            wanted = None  # uvicorn's own timer runs
        else:
            wanted = "head"
        if wanted == self._waits_for:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waits_for = wanted
        if wanted is not None:
            self._since = self.loop.time()
            seconds = self._settings.http_head_time.total_seconds() if wanted == "head" else _REST_SECONDS
            self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self.transport.is_closing():
            return
        if self._waits_for == "head" and self._head_bytes:
            metrics.LIMITED.labels("head-time").inc()
            self._refuse(_LATE)
        else:
            self.close("head-time" if self._waits_for == "head" else "body-time")

    def _drop(self) -> None:
        """Close without waiting until the caller has read the rest."""
        metrics.LIMITED.labels("answer-time").inc()
        self.transport.abort()

    def _refuse(self, refusal: tuple[HTTPStatus, str, str]) -> None:
        """Answer without the app, and close. Nothing can be said in the midst of another answer."""
        status, code, detail = refusal
        if status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE or status is HTTPStatus.REQUEST_URI_TOO_LONG:
            metrics.LIMITED.labels("head-size").inc()
        elif status is HTTPStatus.SERVICE_UNAVAILABLE:
            metrics.LIMITED.labels("connections").inc()
        if not self.is_busy:
            said = {
                "type": f"urn:bdcan:problem:{code}",
                "title": status.phrase,
                "status": status.value,
                "detail": detail,
            }
            body = json.dumps(said).encode()
            headers = [
                *ON_EVERY_ANSWER,
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            if status is HTTPStatus.SERVICE_UNAVAILABLE:
                headers.append((b"retry-after", b"2"))
            lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
            lines += [name + b": " + value for name, value in headers]
            self.transport.write(b"\r\n".join([*lines, b"", body]))
        self._crowd.members.discard(self)
        self.transport.close()
