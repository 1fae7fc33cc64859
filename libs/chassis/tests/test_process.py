"""A process ends well on a signal, however early the signal comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


def run(folder: Path, verb: str, place: str, name: str = "SIGTERM") -> int:
    """Run a verb of an app that signals itself at a place; returns the exit code."""
    (folder / "early_app.py").write_text(APP)
    path = os.pathsep.join([str(folder), str(Path(__file__).parent)])
    settings = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "KAFKA_USERNAME": "nobody",
        "KAFKA_PASSWORD": "none",
        "JWKS": "unused",
        "OIDC_ISSUER": "unused",
        "HTTP_PORT": "0",
        "OPS_PORT": "0",
        "API_KEYS_FILE": "",
    }
    return subprocess.run(  # our own program
        [
            sys.executable,
            "-c",
            "import sys; from bdcan_chassis.process import run_service; sys.exit(run_service('early_app'))",
            verb,
        ],
        env=os.environ
        | {f"BDCAN_{key}": value for key, value in settings.items() if value}
        | {"PYTHONPATH": path, "SIGNAL_AT": place, "SIGNAL": name},
        stdout=subprocess.DEVNULL,
        timeout=60,
        check=False,
    ).returncode


@pytest.mark.parametrize("place", ["import", "build", "open"])
@pytest.mark.parametrize("verb", ["worker", "api"])
def test_sigterm_during_the_start_ends_a_server_with_code_0(tmp_path: Path, verb: str, place: str) -> None:
    assert run(tmp_path, verb, place) == 0


def test_ctrl_c_during_the_start_ends_a_server_with_code_0(tmp_path: Path) -> None:
    assert run(tmp_path, "worker", "import", "SIGINT") == 0


def test_a_migration_that_is_interrupted_has_failed(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate", "build") == -signal.SIGTERM
