"""A runner that outlives its terminal: start it, wait for it, stop it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bdcan_local.child import POLL_SECONDS, PRIVATE
from bdcan_local.errors import InUseError, NotReadyError
from bdcan_local.root import Root, read_json
from bdcan_local.runner import Say

_STOP_SECONDS = 120.0


def start(root: Root, say: Say) -> int:
    """Starts a runner of its own session, shows what it says until all is ready, and leaves it running.

    Raises:
        InUseError: a runner is at work there already.
    """
    if root.is_locked():
        raise InUseError(
            f"{root.directory} is in use by a runner (process {root.owner()})",
            "It is up already: see `.venv/bin/bdcan status`.",
        )
    root.state.unlink(missing_ok=True)
    root.logs.mkdir(parents=True, exist_ok=True)
    log = root.logs / "runner.log"
    log.write_bytes(b"")
    with log.open("ab") as output:
        runner = subprocess.Popen(  # noqa: S603 - the words are ours
            [sys.executable, "-m", "bdcan_local.cli", "up", "--root", str(root.directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=PRIVATE,
        )
    shown = 0
    while True:
        code = runner.poll()
        ready = (read_json(root.state) or {}).get("phase") == "ready"
        shown = _show(log, shown, say)
        if code is not None:
            return code
        if ready:
            return 0
        time.sleep(POLL_SECONDS)


def stop(root: Root, say: Say) -> int:
    """Stops the runner of a root and waits until everything has ended. Nothing to stop is well, too."""
    if not root.is_locked():
        say(f"nothing runs in {root.directory}")
        return 0
    owner = root.owner()
    if owner is not None:
        with suppress(ProcessLookupError):  # killed: its guardian is stopping everything already
            os.kill(owner, signal.SIGTERM)
    end = time.monotonic() + _STOP_SECONDS
    while root.is_locked():
        if time.monotonic() > end:
            raise NotReadyError(
                f"the runner (process {owner}) does not stop", f"Kill it with: kill -9 {owner}"
            )
        time.sleep(POLL_SECONDS)
    say("stopped")
    return 0


def _show(log: Path, offset: int, say: Say) -> int:
    with log.open("rb") as lines:
        lines.seek(offset)
        text = lines.read()
    whole = text[: text.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        say(line)
    return offset + len(whole)
