"""`bdcan status` shows problems first."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typing_extensions import override

from bdcan_local import status
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.root import Root, write_json


def process(name: str, state: str = "ready", restarts: int = 0) -> dict[str, object]:
    return {"name": name, "pid": 1, "state": state, "restarts": restarts, "port": None, "url": None}


def unknown() -> Places:
    """A system whose databases nobody can ask."""
    raise PlatformError("intake's database does not answer", "Start it.")


@contextmanager
def answering(code: int, body: object) -> Iterator[str]:
    """A process that answers all questions alike; gives its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_stands_still_or_is_wrong_is_said_before_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_ANSWER_SECONDS", 0.3)
    root = Root(tmp_path)
    root.lock()
    wrong = {"ready": False, "wrong": {"consumer main": "stopped: 50 records in a row"}}
    with answering(503, wrong) as broken, answering(200, {"ready": True, "wrong": {}}) as well:
        processes = [
            process("intake-api") | {"url": well},
            process("foodhub-worker") | {"url": broken},
            process("routing-worker") | {"url": "http://127.0.0.1:9"},
            process("escalation-worker", "drained"),
        ]
        write_json(root.state, {"phase": "ready", "runner": 1, "processes": processes})
        write_json(root.run / "drained" / "escalation-worker.json", {"by": "ada", "reason": "release 12"})
        said: list[str] = []
        assert status.show(root, unknown, Namespace(json=False), said.append) == 0
        assert said[:5] == [
            "! escalation-worker is drained, by ada: release 12",
            "! database: intake's database does not answer",
            "! foodhub-worker: consumer main: stopped: 50 records in a row",
            "! routing-worker: does not answer",
            "",
        ]
        machine: list[str] = []
        assert status.show(root, unknown, Namespace(json=True), machine.append) == 0
    found = json.loads(machine[0])
    assert found["drained"] == {"escalation-worker": {"by": "ada", "reason": "release 12"}}
    assert found["wrong"]["routing-worker"] == "does not answer"
    assert found["processes"][0]["name"] == "escalation-worker"


def test_nothing_that_runs_is_said_for_machines_too(tmp_path: Path) -> None:
    said: list[str] = []
    assert status.show(Root(tmp_path), unknown, Namespace(json=True), said.append) == 3
    assert json.loads(said[0]) == {"phase": "stopped"}


def test_what_does_not_run_comes_first_then_what_was_restarted(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.lock()
    processes = [
        process("intake-migrate", "done"),
        process("intake-api"),
        process("intake-worker", restarts=2),
        process("foodhub-worker", restarts=7),
        process("routing-worker", "waiting", 1),
    ]
    write_json(root.state, {"phase": "ready", "runner": 1, "processes": processes})
    said: list[str] = []
    assert status.show(root, unknown, Namespace(json=False), said.append) == 0
    shown = [line.split()[0] for line in said[4:]]
    assert shown == ["routing-worker", "foodhub-worker", "intake-worker", "intake-migrate", "intake-api"]
