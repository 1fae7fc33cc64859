"""Connections through a proxy pass, are cut, swallowed, slowed and healed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bdcan_local.ports import LOOPBACK

from .network import Network, network, toxiproxy

NAME = "intake-kafka"
ECHO_SECONDS = 5.0


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Network]:
    program = await asyncio.to_thread(toxiproxy)
    if program is None:
        pytest.skip("toxiproxy and Go are not installed")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(100):
            writer.write(said)
        writer.close()

    async with (
        await asyncio.start_server(echo, LOOPBACK, 0) as server,
        network(program, tmp_path / "toxiproxy.log", [NAME]) as found,
    ):
        await found.add({NAME: server.sockets[0].getsockname()[1]})
        yield found


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def says(self, seconds: float = ECHO_SECONDS) -> bytes:
        """What comes back; nothing once the line is cut. Raises TimeoutError."""
        self._writer.write(b"hello")
        async with asyncio.timeout(seconds):
            return await self._reader.read(100)


async def dial(opened: Network) -> Line:
    return Line(*await asyncio.open_connection(LOOPBACK, opened.ports[NAME]))


async def test_cut_line_stays_closed_until_healed(
    opened: Network,
) -> None:
    line = await dial(opened)
    assert await line.says() == b"hello"
    await opened.cut(NAME)
    with suppress(ConnectionError):  # how it ends is the operating system's choice
        assert await line.says() == b""
    with pytest.raises(OSError, match="onnect"):
        await dial(opened)
    await opened.heal(NAME)
    assert await (await dial(opened)).says() == b"hello"


async def test_swallowed_line_answers_nothing_until_healed(opened: Network) -> None:
    line = await dial(opened)
    assert await line.says() == b"hello"
    await opened.swallow(NAME)
    with pytest.raises(TimeoutError):
        await line.says(0.5)
    await opened.heal(NAME)
    with suppress(ConnectionError):
        assert await line.says() == b"", "what was swallowed is lost, so the line must not go on"
    assert await (await dial(opened)).says() == b"hello"


async def test_slow_line_delays_the_answer(opened: Network) -> None:
    line = await dial(opened)
    await opened.slow(NAME, 400)
    began = time.monotonic()
    assert await line.says() == b"hello"
    assert time.monotonic() - began > 0.2
    await opened.heal(NAME)
