"""Prometheus and Alertmanager beside the running system, and what they say."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bdcan_local.errors import PlatformError
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.prometheus_config import config
from bdcan_local.root import Root

_ALERTMANAGER = Path("deploy/alertmanager/alertmanager.yml")
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
    directory, ports = root.directory / "watchers", free_ports(2)
    _configure(directory, root, alertmanager=ports[1])
    commands = (
        [
            _program("prometheus"),
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/tsdb",
        ],
        [
            _program("alertmanager"),
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/alerts",
            "--cluster.listen-address=",
        ],
    )
    with ExitStack() as stack:
        started: list[subprocess.Popen[bytes]] = []
        try:
            for command, port in zip(commands, ports, strict=True):
                log = stack.enter_context((directory / f"{Path(command[0]).name}.log").open("wb"))
                listens = f"--web.listen-address={LOOPBACK}:{port}"
                started.append(subprocess.Popen([*command, listens], stdout=log, stderr=log))  # noqa: ASYNC220 # both start at once
            async with (
                httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{ports[0]}", timeout=10) as prometheus,
                httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{ports[1]}", timeout=10) as alertmanager,
            ):
                for client in (prometheus, alertmanager):
                    await _ready(client)
                yield Watchers(prometheus, alertmanager)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(10)


def _configure(directory: Path, root: Root, alertmanager: int) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    said: dict[str, Any] = json.loads(config(root))
    target = f"{LOOPBACK}:{alertmanager}"
    said["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    (directory / "prometheus.yml").write_text(json.dumps(said), "utf-8")
    routes = _ALERTMANAGER.read_text("utf-8").replace("/etc/receivers", str(directory))
    (directory / "alertmanager.yml").write_text(routes, "utf-8")
    for name in ("page", "ticket", "watchdog"):
        (directory / f"{name}.url").write_text(f"http://{LOOPBACK}:9/", "utf-8")  # nobody listens there


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PlatformError(
            f"there is no {name} on the PATH",
            "Install it, or build it with Go: docs/operations.md, Rehearsals.",
        )
    return found


async def _ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                if (await client.get("/-/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
