"""Connections that can be cut, swallowed and slowed: toxiproxy in front of PostgreSQL and Kafka, a proxy for each service.

It is taken from the PATH or from `.local/bin`, where it is built once if Go is installed. Without it a run leaves these faults
out, and says so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bdcan_local.child import Child, Command
from bdcan_local.guardian import Guardian
from bdcan_local.ports import LOOPBACK, free_ports

MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0"
_BIN = Path(__file__).parents[2] / ".local" / "bin"
_BUILD_SECONDS = 300
_START_SECONDS = 20


def toxiproxy() -> Path | None:
    """The program, built now if need and Go be; None where there is neither. Blocking: building takes a minute."""
    found = shutil.which("toxiproxy-server") or shutil.which("toxiproxy-server", path=str(_BIN))
    if found:
        return Path(found)
    go = shutil.which("go")
    if go is None:
        return None
    _BIN.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"GOBIN": str(_BIN)}
    try:
        subprocess.run(
            [go, "install", MODULE], env=environment, check=True, capture_output=True, timeout=_BUILD_SECONDS
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return (_BIN / "server").rename(_BIN / "toxiproxy-server")


@dataclass(frozen=True)
class Network:
    """The proxies, by name, and where each listens."""

    url: str
    session: aiohttp.ClientSession
    ports: Mapping[str, int]

    async def add(self, upstreams: Mapping[str, int]) -> None:
        """Open the proxies, each to its port behind."""
        await self._ask(
            "POST",
            "/populate",
            [
                {
                    "name": name,
                    "listen": f"{LOOPBACK}:{self.ports[name]}",
                    "upstream": f"{LOOPBACK}:{port}",
                    "enabled": True,
                }
                for name, port in upstreams.items()
            ],
        )

    async def cut(self, name: str) -> None:
        """Close all connections and refuse new ones."""
        await self._ask("POST", f"/proxies/{name}", {"enabled": False})

    async def swallow(self, name: str) -> None:
        """Leave connections open and let nothing through, in either direction."""
        for stream in ("upstream", "downstream"):
            await self._toxic(name, stream, "timeout", {"timeout": 0})

    async def slow(self, name: str, milliseconds: float) -> None:
        """Delay everything by so much, and let 200 kB/s through."""
        attributes = {"latency": int(milliseconds), "jitter": int(milliseconds / 4)}
        await self._toxic(name, "downstream", "latency", attributes)
        await self._toxic(name, "downstream", "bandwidth", {"rate": 200})

    async def heal(self, name: str) -> None:
        """Let everything through again. What was swallowed stays lost: its connections are closed."""
        for toxic in await self._ask("GET", f"/proxies/{name}/toxics"):
            await self._ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
        await self._ask("POST", f"/proxies/{name}", {"enabled": True})

    async def _toxic(self, name: str, stream: str, kind: str, attributes: Mapping[str, int]) -> None:
        await self._ask(
            "POST", f"/proxies/{name}/toxics", {"type": kind, "stream": stream, "attributes": attributes}
        )

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        async with self.session.request(method, self.url + path, json=body) as response:
            response.raise_for_status()
            return await response.json() if response.status != 204 else None


@asynccontextmanager
async def network(program: Path, log: Path, names: list[str]) -> AsyncIterator[Network]:
    """A running toxiproxy with a port for each name; it passes nothing on before `add`."""
    port, *ports = free_ports(1 + len(names))
    command = Command((str(program), "-host", LOOPBACK, "-port", str(port)), dict(os.environ))
    async with aiohttp.ClientSession() as session:
        with Guardian() as guardian:
            Child(command, log, guardian)
            opened = Network(f"http://{LOOPBACK}:{port}", session, dict(zip(names, ports, strict=True)))
            async with asyncio.timeout(_START_SECONDS):
                while not await _answers(opened):  # noqa: ASYNC110 # it sets no event
                    await asyncio.sleep(0.05)
            yield opened


async def _answers(opened: Network) -> bool:
    try:
        async with opened.session.get(f"{opened.url}/version") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
