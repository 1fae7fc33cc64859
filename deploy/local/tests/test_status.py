"""`bdcan status` shows problems first."""

from __future__ import annotations

from pathlib import Path

from bdcan_local import status
from bdcan_local.root import Root, write_json


def process(name: str, state: str = "ready", restarts: int = 0) -> dict[str, object]:
    return {"name": name, "pid": 1, "state": state, "restarts": restarts, "port": None, "url": None}


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
    assert status.show(root, said.append) == 0
    shown = [line.split()[0] for line in said[2:]]
    assert shown == ["routing-worker", "foodhub-worker", "intake-worker", "intake-migrate", "intake-api"]
