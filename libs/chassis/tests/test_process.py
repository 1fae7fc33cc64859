"""A process ends well on a signal, however early the signal comes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bdcan_chassis.signals import held_back

APP = """
import os, signal
from ledger import Faults, ledger_catalogue, ledger_service
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings

def reach(place):
    if os.environ["SIGNAL_AT"] == place:
        os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))

reach("import")

class Watched(Service):
    async def open(self, process):
        reach("open")
        return await super().open(process)

def build():
    reach("build")
    made = ledger_service(ServiceSettings.load(), ledger_catalogue("early"), Faults())
    return Watched(**{field: getattr(made, field) for field in made.__dataclass_fields__})
"""


def run(folder: Path, verb: str, place: str, name: str = "SIGTERM", at_import: int | None = None) -> int:
    """Run a verb of an app that signals itself at a place; returns the exit code."""
    with start(folder, verb, place, name, at_import) as started:
        return started.wait(60)


def start(
    folder: Path,
    verb: str,
    place: str = "nowhere",
    name: str = "SIGTERM",
    at_import: int | None = None,
    port: int = 0,
) -> subprocess.Popen[bytes]:
    """Start it."""
    (folder / "early_app.py").write_text(APP)
    path = os.pathsep.join([str(folder), str(Path(__file__).parent)])
    settings = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "KAFKA_USERNAME": "nobody",
        "KAFKA_PASSWORD": "none",
        "JWKS": "unused",
        "OIDC_ISSUER": "unused",
        "HTTP_PORT": str(port),
        "OPS_PORT": "0",
        "API_KEYS_FILE": "",
    }
    return subprocess.Popen(  # our own program
        [
            sys.executable,
            "-c",
            "import sys; from bdcan_chassis.process import run_service; sys.exit(run_service('early_app'))",
            verb,
        ],
        env=os.environ
        | {f"BDCAN_{key}": value for key, value in settings.items() if value}
        | {"PYTHONPATH": path, "SIGNAL_AT": place, "SIGNAL": name}
        | {"SIGNAL_AT_IMPORT": str(at_import or "")},
        stdout=subprocess.DEVNULL,
    )


def answers(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("place", ["import", "build", "open"])
@pytest.mark.parametrize("verb", ["worker", "api"])
def test_sigterm_during_the_start_ends_a_server_with_code_0(tmp_path: Path, verb: str, place: str) -> None:
    assert run(tmp_path, verb, place) == 0


def test_ctrl_c_during_the_start_ends_a_server_with_code_0(tmp_path: Path) -> None:
    assert run(tmp_path, "worker", "import", "SIGINT") == 0


WATCH = """
import os, signal, sys
left = int(os.environ.get("SIGNAL_AT_IMPORT") or 0)

def count(event, arguments):
    global left
    if event == "import":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)

sys.addaudithook(count)
"""
"""As sitecustomize.py: the process signals itself at one of its imports, from Python's first on."""


@pytest.mark.parametrize("imports", [1, 2, 5, 30, 100, 200, 400, 600, 900])
def test_sigterm_at_any_import_ends_a_held_server_with_code_0(tmp_path: Path, imports: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    with held_back():
        assert run(tmp_path, "api", f"import {imports}", at_import=imports) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_server_that_is_told_again_and_again_ends_with_code_0(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with held_back(), start(tmp_path, "api", port=port) as server:
        end = time.monotonic() + 60
        while not answers(port):
            assert server.poll() is None
            assert time.monotonic() < end, "it does not serve"
        while server.poll() is None:
            server.send_signal(getattr(signal, name))
            assert time.monotonic() < end, "it does not stop"
    assert server.returncode == 0


def test_a_migration_that_is_interrupted_has_failed(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate", "build") == -signal.SIGTERM
