"""What runs, what stands still and what is wrong, and what a process says: for people, and as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import requests
from msgspec import to_builtins

from bdcan_chassis.printable import printable, printable_json
from bdcan_local import draining, pausing
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.root import Root, read_json
from bdcan_local.supervisor import State
from bdcan_local.table import lines

_COLUMNS = ("process", "pid", "state", "restarts", "port", "url")
_FOLLOW_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_ANSWERING = ("-api", "-worker", "-pulse")
"""The ends of the names of processes that say whether they can work."""

Say = Callable[[str], None]


def show(root: Root, places: Callable[[], Places], options: argparse.Namespace, say: Say) -> int:
    """Show what stands still, what is wrong, and all processes, those with a problem first.

    Returns 0 if the system is ready, 3 if it is not, as service managers do.
    """
    state = read_json(root.state)
    if not root.is_locked() or state is None:
        say(json.dumps({"phase": "stopped"}) if options.json else f"nothing runs in {root.directory}")
        return 3
    processes = sorted(state["processes"], key=_calm)  # stable: the rest stays in the order of the start
    wrong = _wrong(
        {
            one["name"]: one["url"]
            for one in processes
            if one["state"] == State.READY and one["url"] and one["name"].endswith(_ANSWERING)
        }
    )
    paused = _paused(places, wrong) if state["phase"] == "ready" else []
    notes = draining.drained(root)
    if options.json:
        said = {
            "phase": state["phase"],
            "paused": [to_builtins(one) for one in paused],
            "drained": {name: to_builtins(note) for name, note in notes.items()},
            "wrong": wrong,
            "processes": processes,
        }
        say(json.dumps(said, indent=2))
    else:
        _first(paused, notes, wrong, say)
        say(f"{root.directory}: {state['phase']}, runner {state['runner']}")
        for line in lines(_COLUMNS, map(_row, processes)):
            say(line)
    return 0 if state["phase"] == "ready" else 3


def show_elsewhere(places: Places, options: argparse.Namespace, say: Say) -> int:
    """The same for a system that a file names: its APIs answer or they do not. Returns 0 if all of them do, 3 otherwise."""
    urls = {f"{service}-api": url for service, url in places.apis.items()}
    wrong = _wrong(urls)
    paused = _paused(lambda: places, wrong)
    if options.json:
        said = {"paused": [to_builtins(one) for one in paused], "wrong": wrong, "processes": urls}
        say(json.dumps(said, indent=2))
    else:
        _first(paused, {}, wrong, say)
        rows = [(name, "wrong" if name in wrong else "ready", url) for name, url in urls.items()]
        for line in lines(("process", "state", "url"), sorted(rows, key=lambda row: row[1] == "ready")):
            say(line)
    return 3 if wrong else 0


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


def _first(
    paused: list[pausing.Paused], notes: Mapping[str, draining.Note], wrong: Mapping[str, str], say: Say
) -> None:
    """What somebody must know before all else."""
    said = [one.says for one in paused]
    said += [f"{name} is drained, by {note.by}: {note.reason}" for name, note in notes.items()]
    said += [f"{name}: {what}" for name, what in sorted(wrong.items())]
    for line in said:
        say(f"! {printable(line)}")
    if said:
        say("")


def _paused(places: Callable[[], Places], wrong: dict[str, str]) -> list[pausing.Paused]:
    """What stands still; a database that does not answer is among what is wrong."""
    try:
        return asyncio.run(pausing.paused(places().databases))
    except PlatformError as error:
        wrong["database"] = error.what
        return []


def _wrong(urls: Mapping[str, str]) -> dict[str, str]:
    """What each process says is wrong with it, by name; those that are well say nothing."""
    with ThreadPoolExecutor() as pool:
        found = dict(zip(urls, pool.map(_wrong_with, urls.values()), strict=True))
    return {name: what for name, what in found.items() if what}


def _wrong_with(url: str) -> str:
    try:
        answer = requests.get(f"{url}/readyz", timeout=_ANSWER_SECONDS)
    except requests.RequestException:
        return "does not answer"
    if answer.status_code < HTTPStatus.BAD_REQUEST:
        return ""
    try:
        said: Mapping[str, str] = answer.json().get("wrong", {})
    except ValueError:
        return f"answers {answer.status_code}"
    return "; ".join(f"{what}: {why}" for what, why in said.items())


def _calm(process: dict[str, Any]) -> tuple[bool, int]:
    """Sorts first what does not run as it should, then what was restarted, the most often first."""
    return process["state"] in {State.READY, State.DONE}, -(process["restarts"] or 0)


def _row(process: dict[str, object]) -> tuple[object, ...]:
    return (process["name"], *(process[column] for column in _COLUMNS[1:]))
