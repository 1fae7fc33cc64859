"""Prometheus and Alertmanager beside the running system, and what they say."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bdcan_local.catcher import Catcher
from bdcan_local.errors import PlatformError
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.prometheus_config import config
from bdcan_local.root import Root

_ALERTMANAGER = Path("deploy/alertmanager/alertmanager.yml")
_BUILD = Path("deploy/prometheus/check.sh")
_READY_SECONDS = 30.0
RESEND = "--rules.alert.resend-delay=10s"
"""As in compose: Alertmanager takes an alert for ended that it has not heard of for four times as long."""
_LOOK_BACK = frozenset({"HttpBudgetBurnsFast", "HttpBudgetBurns", "RecordsSlow", "Restarting", "BadInput"})
"""Alerts that judge the last hour, or the last quarter of one: they go on after an outage, and say nothing of the next fault."""


WATCHDOG_SILENT = "(the watchdog is silent)"
"""What somebody hears of who waits for the watchdog outside."""
_SILENT_SECONDS = 40.0
"""The watchdog is told every twenty seconds: this is one time left out."""


@dataclass
class Watcher:
    """A program that watches; it can be stopped and started again where it was."""

    command: list[str]
    directory: Path
    port: int
    client: httpx.AsyncClient
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 # starting takes milliseconds
                [*self.command, f"--web.listen-address={LOOPBACK}:{self.port}"], stdout=log, stderr=log
            )
        await _ready(self.client)

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@dataclass
class Watchers:
    """What fires now, before and after inhibition."""

    prometheus: Watcher
    alertmanager: Watcher
    catcher: Catcher
    _watchdogs: int = 0
    _heard: float = field(default_factory=lambda: -_SILENT_SECONDS)

    async def firing(self) -> Mapping[str, frozenset[str]]:
        """Alerts that somebody would hear of, with what their labels say. The watchdog is one when it is silent."""
        answer = await self._ask(
            self.alertmanager,
            "/api/v2/alerts",
            {"active": "true", "inhibited": "false", "silenced": "false"},
        )
        found: dict[str, frozenset[str]] = {}
        for alert in answer or ():
            name, severity = alert["labels"]["alertname"], alert["labels"].get("severity", "")
            if severity in {"page", "ticket"} and name not in _LOOK_BACK:
                found[name] = found.get(name, frozenset()) | {*alert["labels"].values()}
        if self._is_silent():
            found[WATCHDOG_SILENT] = frozenset()
        return found

    async def active(self) -> set[str]:
        """Alerts that Prometheus holds true, also where another hides them."""
        answer = await self._ask(self.prometheus, "/api/v1/alerts")
        return {
            alert["labels"]["alertname"]
            for alert in (answer or {"data": {"alerts": []}})["data"]["alerts"]
            if alert["state"] == "firing" and alert["labels"].get("severity") in {"page", "ticket"}
        } - _LOOK_BACK

    @asynccontextmanager
    async def away(self, name: str) -> AsyncIterator[None]:
        """`prometheus` or `alertmanager` does not run inside the block."""
        watcher: Watcher = getattr(self, name)
        watcher.stop()
        yield
        await watcher.start()

    async def _ask(self, watcher: Watcher, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The answer; None while it is away."""
        if watcher.process is None:
            return None
        return (await watcher.client.get(path, params=params)).json()

    def _is_silent(self) -> bool:
        now = time.monotonic()
        if self.catcher.watchdogs > self._watchdogs:
            self._watchdogs, self._heard = self.catcher.watchdogs, now
        return now - self._heard > _SILENT_SECONDS


@asynccontextmanager
async def watchers(root: Root) -> AsyncIterator[Watchers]:
    """Both, started and ready. Raises PlatformError where a program is missing."""
    with _catcher() as catcher:
        async with (
            _alertmanager(root, catcher.server_port) as alertmanager,
            _prometheus(root, alertmanager.port) as prometheus,
        ):
            yield Watchers(prometheus, alertmanager, catcher)


@asynccontextmanager
async def prometheus(root: Root) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that watches the running system.

    Raises:
        PlatformError: it is not installed.
    """
    async with _prometheus(root, None) as watcher:
        yield watcher.client


@asynccontextmanager
async def _prometheus(root: Root, alertmanager: int | None) -> AsyncIterator[Watcher]:
    """`alertmanager`: the port to send alerts to."""
    directory = _empty(root, "prometheus")
    said: dict[str, Any] = json.loads(config(root))
    if alertmanager is not None:
        target = {"targets": [f"{LOOPBACK}:{alertmanager}"]}
        said["alerting"] = {"alertmanagers": [{"static_configs": [target]}]}
    settings = directory / "prometheus.yml"
    settings.write_text(json.dumps(said), "utf-8")
    command = [program("prometheus"), f"--config.file={settings}", f"--storage.tsdb.path={directory}/tsdb"]
    async with _started([*command, RESEND], directory) as watcher:
        yield watcher


@contextmanager
def _catcher() -> Iterator[Catcher]:
    """Hears the watchdog."""
    with Catcher(LOOPBACK, 0) as catcher:
        threading.Thread(target=catcher.serve_forever, daemon=True).start()
        try:
            yield catcher
        finally:
            catcher.shutdown()


@asynccontextmanager
async def _alertmanager(root: Root, catcher: int) -> AsyncIterator[Watcher]:
    directory = _empty(root, "alertmanager")
    _write_receivers(directory, settings := directory / "alertmanager.yml", catcher)
    command = [program("alertmanager"), f"--config.file={settings}", f"--storage.path={directory}/alerts"]
    async with _started([*command, "--cluster.listen-address="], directory) as watcher:
        yield watcher


def _write_receivers(directory: Path, settings: Path, catcher: int) -> None:
    """The watchdog goes to the catcher; who would be rung or told is read from Alertmanager itself."""
    settings.write_text(_ALERTMANAGER.read_text("utf-8").replace("/etc/receivers", str(directory)), "utf-8")
    for name, port in (("page", 9), ("ticket", 9), ("watchdog", catcher)):  # nobody listens on 9
        (directory / f"{name}.url").write_text(f"http://{LOOPBACK}:{port}/{name}", "utf-8")


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
async def _started(command: list[str], directory: Path) -> AsyncIterator[Watcher]:
    [port] = free_ports(1)
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=10) as client:
        watcher = Watcher(command, directory, port, client)
        try:
            await watcher.start()
            yield watcher
        finally:
            watcher.stop()


async def _ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                if (await client.get("/-/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
