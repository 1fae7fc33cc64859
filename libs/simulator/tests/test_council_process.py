"""The council's stand-in as a process: it stops cleanly whenever it is told to."""

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


def start(folder: Path, port: int, at_import: int | None = None) -> subprocess.Popen[bytes]:
    """Start a council, as a runner does."""
    (folder / "sitecustomize.py").write_text(WATCH)
    settings = {
        "PORT": str(port),
        "API_KEY": "k",
        "CALLBACK_SECRET": "s",
        "CALLBACK_URL": "http://127.0.0.1:1/nobody",
        "STATE": str(folder / "council.sqlite"),
    }
    with held_back():
        return subprocess.Popen(
            [sys.executable, "-m", "bdcan_simulator", "council"],
            env=os.environ
            | {f"BDCAN_COUNCIL_{name}": value for name, value in settings.items()}
            | {"PYTHONPATH": str(folder), "SIGNAL_AT_IMPORT": str(at_import or "")},
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_until_it_listens(council: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert council.poll() is None
        assert time.monotonic() < end, "it does not listen"


@pytest.mark.parametrize("imports", [1, 2, 5, 30, 100, 200, 400, 600])
def test_council_told_to_stop_at_any_import_ends_with_code_0(tmp_path: Path, imports: int) -> None:
    with start(tmp_path, free_port(), imports) as council:
        assert council.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("times", [1, 2, 1000])
def test_council_told_to_stop_once_it_listens_ends_with_code_0(
    tmp_path: Path, number: signal.Signals, times: int
) -> None:
    port = free_port()
    with start(tmp_path, port) as council:
        wait_until_it_listens(council, port)
        for _ in range(times):
            council.send_signal(number)
            if council.poll() is not None:
                break
        assert council.wait(60) == 0


def test_council_says_which_port_it_cannot_have(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, start(tmp_path, taken.getsockname()[1]) as council:
        assert council.wait(60) == 2
