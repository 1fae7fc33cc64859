"""A shell completes the words of `bdcan`: asked of a real one, at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bdcan_local.cli import main


@contextmanager
def terminal(*argv: str) -> Iterator[int]:
    """A program at a terminal of its own; gives the end that types and reads."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        yield ours
    finally:
        program.kill()
        program.wait()
        os.close(ours)


def typed(ours: int, text: str, wanted: str, seconds: float = 20) -> None:
    """Type, and wait until the terminal shows what is wanted."""
    os.write(ours, text.encode())
    shown, end = "", time.monotonic() + seconds
    while wanted not in shown:
        assert time.monotonic() < end, f"{wanted!r} is not in {shown!r}"
        if select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 65536).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (".venv/bin/bdcan rec", "reconcile"),
        ("bdcan dead-letters rep", "replay"),
        ("bdcan drain foodh", "foodhub"),
        ("bdcan drain foodhub wor", "worker"),
        ("bdcan pause intake consumer:main --alth", "--although-urgent"),
        ("bdcan completion fi", "fish"),
    ],
)
def test_bash_completes(
    words: str, completed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "bdcan.bash"
    script.write_text(capsys.readouterr().out)
    bash = shutil.which("bash")
    assert bash is not None
    with terminal(bash, "--norc", "--noprofile", "-i") as ours:
        typed(ours, f"source {script} && echo the words are $((40 + 2))\n", "are 42")
        typed(ours, f"{words}\t", f"{words.rpartition(' ')[0]} {completed}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_knows_each_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    ([a-z][a-z-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) > 25
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [command for command in commands if not re.search(rf"\b{command}\b", script)] == []
    if path := shutil.which(shell):
        subprocess.run([path, "-n"], input=script, text=True, check=True)  # only reads it
