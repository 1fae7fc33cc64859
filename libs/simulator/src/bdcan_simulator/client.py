"""HTTP for everyone whom the simulator plays: a request is sent until it has an answer, with the same Idempotency-Key.

A server that is away, overloaded or restarting costs time and nothing else. What is no answer to the request itself
(no connection, a time-out, 429, 502, 503, 504) is tried again for as long as the run lasts; an answer of 500 eight
times in a row is a fault of the server and raises BrokenError, so that one broken route does not hide the rest.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from bdcan_simulator.identity import Identities, Who

T = TypeVar("T")

_PASSING = {429, 502, 503, 504}
_MOST_500 = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0


class ServiceError(Exception):
    """A service does not do its part; says which route."""


class BrokenError(ServiceError):
    """A route answers 500 again and again."""


class RefusedError(ServiceError):
    """A list, or something else that the play cannot do without, is refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: any status that is an answer to the request."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, decoded; an empty object where there is none."""
        return jsonlib.loads(self.body) if self.body else {}

    @property
    def problem(self) -> str:
        """What a problem+json says in short: its detail and the fields at fault."""
        try:
            told = jsonlib.loads(self.body)
        except ValueError:
            return f"HTTP {self.status}"
        if not isinstance(told, dict):
            return f"HTTP {self.status}"
        fields = ", ".join(f"{e.get('field')}: {e.get('code')}" for e in told.get("errors", ()))
        return f"HTTP {self.status} {told.get('detail', '')}" + (f" ({fields})" if fields else "")


@dataclass
class Client:
    """Requests to the services, a bounded number at a time."""

    session: aiohttp.ClientSession
    apis: Mapping[str, str]
    identities: Identities
    at_once: asyncio.Semaphore
    by_route: Counter[str] = field(default_factory=Counter)
    """How many requests were answered, by route."""
    tried_again: Counter[str] = field(default_factory=Counter)
    """Why requests were sent again: a status, or the name of the failure."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Answers of 4xx by route, for the report: each is either meant or a defect."""
    broken: Counter[str] = field(default_factory=Counter)
    """Items that were left because their route is broken."""

    async def get(self, who: Who, service: str, path: str, **params: str | int) -> Answer:
        """Read something."""
        return await self.send(who, "GET", service, path, params=params)

    async def post(
        self,
        who: Who,
        service: str,
        path: str,
        body: Any,
        *,
        key: str,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Do something, once however often it must be sent. A body of text is a CSV file, anything else JSON."""
        return await self.send(who, "POST", service, path, body=body, key=key, params=params)

    async def for_each(
        self, items: Iterable[T], act: Callable[[T], Awaitable[Any]], *, at_once: int = 8
    ) -> None:
        """Act on each item, a bounded number at a time. An item whose route is broken is left, and counted."""
        queue = iter(list(items))

        async def work() -> None:
            for item in queue:
                try:
                    await act(item)
                except BrokenError as error:
                    self.broken[str(error)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())

    async def while_answered(self, work: Coroutine[Any, Any, T], silent_seconds: float) -> T:
        """The result of `work`, however long it takes, as long as any request is answered in `silent_seconds`.

        Raises ServiceError when none is.
        """
        working, answered = asyncio.create_task(work), -1
        while not working.done() and self.by_route.total() > answered:
            answered = self.by_route.total()
            await asyncio.wait({working}, timeout=silent_seconds)
        if not working.done():
            working.cancel()
            raise ServiceError(f"no request was answered in {silent_seconds:.0f} s")
        return working.result()

    async def send(
        self,
        who: Who,
        method: str,
        service: str,
        path: str,
        *,
        body: Any = None,
        key: str | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """Send a request until there is an answer to it. Raises BrokenError."""
        content = body.encode() if isinstance(body, str) else jsonlib.dumps(body).encode()
        kind = "text/csv" if isinstance(body, str) else "application/json"
        failures = faults = 0
        while True:
            headers = self.identities.headers(who)
            if body is not None:
                headers["Content-Type"] = kind
            if key is not None:
                headers["Idempotency-Key"] = key
            try:
                async with (
                    self.at_once,
                    self.session.request(
                        method,
                        self.apis[service] + path,
                        data=content if body is not None else None,
                        params=params,
                        headers=headers,
                    ) as response,
                ):
                    self.by_route[f"{method} {service} {_route(path)}"] += 1
                    answer = Answer(response.status, await response.read())
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.tried_again[type(error).__name__] += 1
            else:
                if answer.status < 500 and answer.status not in _PASSING:
                    if answer.status >= 400:
                        self.refusals[f"{method} {service} {_route(path)} {answer.status}"] += 1
                    return answer
                self.tried_again[f"HTTP {answer.status}"] += 1
                faults = faults + 1 if answer.status not in _PASSING else 0
                if faults >= _MOST_500:
                    raise BrokenError(f"{method} {service} {_route(path)}: {answer.problem}")
            failures += 1
            await asyncio.sleep(_pause(failures))


@asynccontextmanager
async def open_client(
    apis: Mapping[str, str], identities: Identities, *, at_once: int = 16, timeout_seconds: float = 30
) -> AsyncIterator[Client]:
    """A client with at most `at_once` requests under way; a request without an answer is given up after the time-out."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=at_once),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=5),
    ) as session:
        yield Client(session, apis, identities, asyncio.Semaphore(at_once))


def _pause(failures: int) -> float:
    longest = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 # jitter


def _route(path: str) -> str:
    parts = path.split("/")
    return "/".join("{id}" if len(part) == 36 else part for part in parts)
