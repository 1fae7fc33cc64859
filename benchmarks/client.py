"""A small HTTP client that takes little of the machine it measures: one connection, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import orjson


class Client:
    """One connection that is kept open."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Mapping[str, str]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    @classmethod
    async def connect(cls, url: str, headers: Mapping[str, str]) -> Self:
        """Open a connection to a server; the headers go with each request."""
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        return cls(reader, writer, {"Host": place.netloc, "Content-Type": "application/json", **headers})

    async def post(self, path: str, body: Any, key: str) -> Any:
        """Post JSON with an Idempotency-Key; returns the answer's body. Raises RuntimeError unless it is a 201."""
        content = orjson.dumps(body)
        head = (
            f"POST {path} HTTP/1.1\r\n{self._fixed}Idempotency-Key: {key}\r\nContent-Length: {len(content)}"
        )
        self._writer.write(f"{head}\r\n\r\n".encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(answer.partition("content-length:")[2].partition("\r\n")[0])
        text = await self._reader.readexactly(length)
        if " 201 " not in answer.partition("\r\n")[0]:
            raise RuntimeError(f"{path} answered {answer.partition(chr(13))[0]}: {text[:300].decode()}")
        return orjson.loads(text)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
