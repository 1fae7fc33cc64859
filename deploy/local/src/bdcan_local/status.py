"""What runs under a root, and what it says: for people."""

import sys
import time
from collections.abc import Callable
from typing import Any

from bdcan_chassis.printable import printable_json
from bdcan_local.errors import PlatformError
from bdcan_local.root import Root, read_json
from bdcan_local.table import lines

_COLUMNS = ("process", "pid", "state", "restarts", "port", "url")
_FOLLOW_SECONDS = 0.2


def show(root: Root, say: Callable[[str], None]) -> int:
    """Prints a table of all processes, those with a problem first. Returns 0 if the system is ready, 3 if it is not, as service managers do."""
    state = read_json(root.state)
    if not root.is_locked() or state is None:
        say(f"nothing runs in {root.directory}")
        return 3
    say(f"{root.directory}: {state['phase']}, runner {state['runner']}")
    processes = sorted(state["processes"], key=_calm)  # stable: the rest stays in the order of the start
    for line in lines(_COLUMNS, map(_row, processes)):
        say(line)
    return 0 if state["phase"] == "ready" else 3


def show_log(root: Root, name: str, *, follow: bool) -> int:
    """Prints the log of a process, and with `follow` what comes, until interrupted.

    Raises:
        PlatformError: there is no such log.
    """
    path = root.logs / f"{name}.log"
    if not path.exists():
        names = ", ".join(sorted(log.stem for log in root.logs.glob("*.log"))) or "none yet"
        raise PlatformError(f"there is no log of {name!r} in {root.logs}", f"There are: {names}.")
    with path.open(encoding="utf-8", errors="replace") as lines:
        while True:
            for line in lines:
                sys.stdout.write(printable_json(line.rstrip("\n")) + "\n")
            sys.stdout.flush()
            if not follow:
                return 0
            time.sleep(_FOLLOW_SECONDS)


def _calm(process: dict[str, Any]) -> tuple[bool, int]:
    """Sorts first what does not run as it should, then what was restarted, the most often first."""
    return process["state"] in {"ready", "done"}, -(process["restarts"] or 0)


def _row(process: dict[str, object]) -> tuple[object, ...]:
    return (process["name"], *(process[column] for column in _COLUMNS[1:]))
