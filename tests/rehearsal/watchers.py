"""Prometheus and Alertmanager beside the running system, and what they say."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bdcan_local.errors import PlatformError
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.prometheus_config import config
from bdcan_local.root import Root

_ALERTMANAGER = Path("deploy/alertmanager/alertmanager.yml")
_BUILD = Path("deploy/prometheus/check.sh")
_READY_SECONDS = 30.0
_LOOK_BACK = frozenset({"HttpBudgetBurnsFast", "HttpBudgetBurns", "RecordsSlow", "Restarting"})
"""Alerts that judge the last hour, or the last quarter of one: they go on after an outage, and say nothing of the next fault."""


class Watchers:
    """What fires now, before and after inhibition."""

    def __init__(self, prometheus: httpx.AsyncClient, alertmanager: httpx.AsyncClient) -> None:
        self._prometheus, self._alertmanager = prometheus, alertmanager

    async def firing(self) -> dict[str, str]:
        """Alerts that somebody would hear of, with their severity. The watchdog is none."""
        answer = await self._alertmanager.get(
            "/api/v2/alerts", params={"active": "true", "inhibited": "false", "silenced": "false"}
        )
        found = {alert["labels"]["alertname"]: alert["labels"].get("severity", "") for alert in answer.json()}
        return {
            name: severity
            for name, severity in found.items()
            if severity in {"page", "ticket"} and name not in _LOOK_BACK
        }

    async def active(self) -> set[str]:
        """Alerts that Prometheus holds true, also where another hides them."""
        answer = await self._prometheus.get("/api/v1/alerts")
        return {
            alert["labels"]["alertname"]
            for alert in answer.json()["data"]["alerts"]
            if alert["state"] == "firing" and alert["labels"].get("severity") in {"page", "ticket"}
        } - _LOOK_BACK


@asynccontextmanager
async def watchers(root: Root) -> AsyncIterator[Watchers]:
    """Both, started and ready. Raises PlatformError where a program is missing."""
    async with _alertmanager(root) as (alertmanager, port), prometheus(root, port) as client:
        yield Watchers(client, alertmanager)


@asynccontextmanager
async def prometheus(root: Root, alertmanager: int | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that watches the running system; `alertmanager`: the port to send alerts to.

    Raises:
        PlatformError: it is not installed.
    """
    directory = _empty(root, "prometheus")
    said: dict[str, Any] = json.loads(config(root))
    if alertmanager is not None:
        target = {"targets": [f"{LOOPBACK}:{alertmanager}"]}
        said["alerting"] = {"alertmanagers": [{"static_configs": [target]}]}
    settings = directory / "prometheus.yml"
    settings.write_text(json.dumps(said), "utf-8")
    command = [program("prometheus"), f"--config.file={settings}", f"--storage.tsdb.path={directory}/tsdb"]
    async with _started(command, directory) as (client, _):
        yield client


@asynccontextmanager
async def _alertmanager(root: Root) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    directory = _empty(root, "alertmanager")
    _write_receivers(directory, settings := directory / "alertmanager.yml")
    command = [program("alertmanager"), f"--config.file={settings}", f"--storage.path={directory}/alerts"]
    async with _started([*command, "--cluster.listen-address="], directory) as started:
        yield started


def _write_receivers(directory: Path, settings: Path) -> None:
    settings.write_text(_ALERTMANAGER.read_text("utf-8").replace("/etc/receivers", str(directory)), "utf-8")
    for name in ("page", "ticket", "watchdog"):
        (directory / f"{name}.url").write_text(f"http://{LOOPBACK}:9/", "utf-8")  # nobody listens there


def program(name: str) -> str:
    """Where it is: on the PATH, or as `make promtool` has built it. Raises PlatformError where it is nowhere."""
    built = subprocess.run([_BUILD, "where"], check=True, capture_output=True, text=True).stdout.strip()
    found = shutil.which(name) or shutil.which(name, path=built)
    if found is None:
        raise PlatformError(
            f"there is no {name} on the PATH",
            "Install it, or build it with Go: docs/operations.md, Rehearsals.",
        )
    return found


def _empty(root: Root, name: str) -> Path:
    directory = root.directory / "watchers" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


@asynccontextmanager
async def _started(command: list[str], directory: Path) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    [port] = free_ports(1)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 # starting takes milliseconds
            [*command, f"--web.listen-address={LOOPBACK}:{port}"], stdout=log, stderr=log
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=10) as client:
                await _ready(client)
                yield client, port
        finally:
            process.terminate()
            process.wait(10)


async def _ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                if (await client.get("/-/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
