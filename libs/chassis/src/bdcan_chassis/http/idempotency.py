"""Idempotency-Key: a request that is sent twice with one key is done once, and gets the same reply both times.

The last statement of a transaction stores the reply beside the effects. A request that finds a reply there rolls back and
answers with it. This holds for two requests at once too: the second waits for the first. If a repeated request fails
because the first one succeeded, the stored reply wins over the error. It never wins over an error that says that the
caller may not see the thing: a repeated request passes the checks of a first one. A key belongs to its caller. The same
key with another request is an error (422): what a request says counts, not its bytes or the order of its fields. A failed
request stores nothing, so its key can be used again.

A dry run does the work and all that belongs to it, and rolls it back. It looks at no key and keeps none.

A key may be anything, such as a name. The table has its hash. The reply is sealed with the key, so that only who sends
the key again can read it. A route whose answer says who somebody is takes no `OnceOnly`: each such answer leaves its own
audit row.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from bdcan_chassis.database import backoff_seconds
from bdcan_chassis.errors import is_transient
from bdcan_chassis.http.problems import BadJsonError, ForbiddenError, GoneError, InvalidError, NotFoundError
from bdcan_chassis.http.tidied import tidied_json, tidied_line
from bdcan_chassis.transaction import Transactions, Tx

MOST_KEY = 255
"""Characters of a key at most."""

_TRIES = 3
_SEAL = b"\x01"  # no JSON begins with it
_NONCE_BYTES = 12


class Once:
    """Does a request's work in one transaction, once per Idempotency-Key. Routes ask for it as `once: OnceOnly`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._transactions: Transactions = request.app.state.transactions

    async def __call__(
        self, work: Callable[[Tx], Awaitable[BaseModel | None]], *, status: int = 200, dry_run: bool = False
    ) -> Response:
        """Run `work` and answer with its result. After a deadlock or a lost connection it retries, three times in all.

        `dry_run`: answer as if, and store nothing. The answer bears the header `Dry-Run: true`.
        """
        key = _key(self._request) if not dry_run else None
        if key is not None and not 1 <= len(key) <= MOST_KEY:
            raise InvalidError(f"Idempotency-Key has 1 to {MOST_KEY} characters.")
        digests = await self._digests() if key is not None else ()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await (
                    self._rehearsed(work, status) if dry_run else self._once(key, digests, work, status)
                )
            except Exception as error:
                if attempt >= _TRIES or not is_transient(error):
                    raise
                await asyncio.sleep(backoff_seconds(attempt, most=0.5))

    async def _once(
        self,
        key: str | None,
        digests: tuple[bytes, ...],
        work: Callable[[Tx], Awaitable[BaseModel | None]],
        status: int,
    ) -> Response:
        caller = self._request.state.caller.name
        try:
            async with self._transactions.begin(self._request.state.traceparent) as tx:
                result = await work(tx)
                body = b"" if result is None else _dump(result)
                if key is not None:
                    tx.keep_reply(
                        caller, _hashed(caller, key), digests[0], status, _sealed(body, caller, key)
                    )
        except Exception as error:
            done = None
            if key is not None and not is_transient(error) and not _says_not_yours(error):
                done = await self._replayed(caller, key, digests)
            if done is None:
                raise
            return done
        return Response(body, status, media_type="application/json" if body else None)

    async def _rehearsed(self, work: Callable[[Tx], Awaitable[BaseModel | None]], status: int) -> Response:
        async with self._transactions.rehearsal(self._request.state.traceparent) as tx:
            result = await work(tx)
            body = b"" if result is None else _dump(result)
            await tx.flush()  # what the last statement refuses is refused here, too
        return Response(body, status, {"Dry-Run": "true"}, media_type="application/json" if body else None)

    async def _replayed(self, caller: str, key: str, digests: tuple[bytes, ...]) -> Response | None:
        row = await self._transactions.pool.fetchrow(_REPLY, caller, _hashed(caller, key))
        if row is None:
            return None
        if row["request_hash"] not in digests:
            raise InvalidError(
                "This Idempotency-Key was used for another request.", code="idempotency-key-reused"
            )
        body = _opened(row["body"], caller, key)
        return Response(
            body,
            row["status"],
            {"Idempotent-Replayed": "true"},
            media_type="application/json" if body else None,
        )

    async def _digests(self) -> tuple[bytes, ...]:
        """The hash of what the request says, and that of its bytes, which the release before stored."""
        scope = self._request.scope  # its URL would be put together and taken apart again
        hasher = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode())
        hasher.update(scope["query_string"] + b"\n")
        of_bytes = hasher.copy()
        body = await self._request.body()
        of_bytes.update(body)
        try:
            said = tidied_json(await self._request.json())  # which the route has parsed before
        except BadJsonError:
            return (of_bytes.digest(),)
        hasher.update(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
        return hasher.digest(), of_bytes.digest()


def _key(request: Request) -> str | None:
    """The key as it is read. Header values come as Latin-1, whatever their sender wrote."""
    sent = request.headers.get("Idempotency-Key")
    if sent is None or sent.isascii():
        return sent and sent.strip()
    try:
        return tidied_line(sent.encode("latin-1").decode())
    except UnicodeDecodeError:
        return sent


def _says_not_yours(error: Exception) -> bool:
    return isinstance(error, (NotFoundError, ForbiddenError)) and not isinstance(error, GoneError)


def _hashed(caller: str, key: str) -> str:
    """What the table has for a key. The migration 0030 makes the same of keys that were stored as they came."""
    return hashlib.sha256(f"key\n{caller}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()


def _sealed(body: bytes, caller: str, key: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _SEAL + nonce + _cipher(caller, key).encrypt(nonce, body, None)


def _opened(kept: bytes, caller: str, key: str) -> bytes:
    if not kept.startswith(_SEAL):
        return kept  # the release before stored replies as they were
    nonce, sealed = kept[1 : 1 + _NONCE_BYTES], kept[1 + _NONCE_BYTES :]
    return _cipher(caller, key).decrypt(nonce, sealed, None)


def _cipher(caller: str, key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(f"reply\n{caller}\n{key}".encode("utf-8", "surrogatepass")).digest())


async def of_request(request: Request) -> Once:
    """The request's `Once`."""
    return Once(request)  # FastAPI would call a class in another thread, for a tenth of the request's time


OnceOnly: TypeAlias = Annotated[Once, Depends(of_request)]
"""A route's parameter."""


def _dump(result: BaseModel) -> bytes:
    return result.model_dump_json(exclude_none=True).encode()


_REPLY = "SELECT request_hash, status, body FROM chassis.idempotency_key WHERE caller = $1 AND key = $2"
