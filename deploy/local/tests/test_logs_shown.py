"""`bdcan logs` and `bdcan status` show what processes wrote, and what strangers made them write, without what acts."""

import argparse
from pathlib import Path

import pytest

from bdcan_local import status
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.root import Root, write_json


def test_log_is_shown_without_what_acts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Root(tmp_path)
    root.logs.mkdir()
    (root.logs / "kafka.log").write_text(
        'first \x1b]52;c;eA==\x07 \u202e\r\n{"said": "a\\"b \x9b31m\u2028"}\n', encoding="utf-8"
    )
    assert status.show_log(root, "kafka", follow=False) == 0
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert '{"said": "a\\"b \\u009b31m\\u2028"}\n' in shown


def test_status_is_shown_without_what_acts(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.lock()
    process = dict.fromkeys(("pid", "restarts", "port", "exit_code")) | {
        "name": "intake\x1b[31m",
        "state": "running\r\n",
        "url": "\u202e",
    }
    write_json(root.state, {"phase": "ready", "runner": 1, "at": "", "processes": [process]})
    said: list[str] = []

    def nowhere() -> Places:
        raise PlatformError("no database\x1b[31m", "start it")

    assert status.show(root, nowhere, argparse.Namespace(json=False), said.append) == 0
    assert all(line.isprintable() for line in said)
