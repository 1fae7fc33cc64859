"""`bdcan drain`: a process ends with what it has in hand, and the runner does not start it again before `bdcan resume`.

The command leaves a note under `run/drained`; the runner, which alone may start and stop processes, follows it. A new start
of the runner starts everything: notes do not outlive it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from bdcan_local.child import POLL_SECONDS
from bdcan_local.errors import NotReadyError, PlatformError
from bdcan_local.root import Root, read_json, write_json
from bdcan_local.supervisor import State, Supervisor

PATIENCE_SECONDS = 120.0
"""How long the command waits. A worker has half of it for its last batch."""

_LOOK_SECONDS = 0.2

Say = Callable[[str], None]


class Note(Struct, frozen=True):
    """Who drained a process, and why."""

    by: str
    reason: str


def drained(root: Root) -> dict[str, Note]:
    """The processes that are to be drained."""
    found: dict[str, Note] = {}
    for path in sorted(_folder(root).glob("*.json")):
        if (said := read_json(path)) is not None:
            found[path.stem] = msgspec.convert(said, Note)
    return found


def drain(root: Root, service: str, process: str | None, by: str, reason: str, say: Say) -> None:
    """Drain a service, or one of its processes, and wait until it has ended. Raises PlatformError."""
    names = _processes(root, service, process)
    for name in names:
        write_json(_folder(root) / f"{name}.json", {"by": by, "reason": reason})
    began = time.monotonic()
    _wait(root, names, State.DRAINED)
    for name in names:
        say(f"{name}: drained ({time.monotonic() - began:.1f} s). Start it again: bdcan resume {service}")


def resume(root: Root, service: str, process: str | None, say: Say) -> int:
    """Start what was drained, and wait until it is ready; returns how many processes. Raises PlatformError."""
    names = [name for name in _processes(root, service, process) if name in drained(root)]
    for name in names:
        (_folder(root) / f"{name}.json").unlink(missing_ok=True)
    _wait(root, names, State.READY)
    for name in names:
        say(f"{name}: ready")
    return len(names)


def forget(root: Root) -> None:
    """Forget what an earlier start had drained, before anybody can drain something of this one."""
    for path in _folder(root).glob("*.json"):
        path.unlink(missing_ok=True)


async def follow(root: Root, supervisor: Supervisor, say: Say) -> None:
    """The runner's part: drain and resume processes as the notes say, until cancelled."""
    held: set[str] = set()
    while True:
        wanted = {name: note for name, note in drained(root).items() if name in supervisor.statuses}
        for name in wanted.keys() - held:
            say(f"{name}: drained by {wanted[name].by}: {wanted[name].reason}")
        await asyncio.gather(*(supervisor.drain(name) for name in wanted.keys() - held))
        for name in held - wanted.keys():
            say(f"{name}: resumed")
            await supervisor.resume(name)
        held = set(wanted)
        await asyncio.sleep(_LOOK_SECONDS)


def _processes(root: Root, service: str, process: str | None) -> list[str]:
    state = read_json(root.state)
    if not root.is_locked() or state is None:
        raise PlatformError(f"nothing runs in {root.directory}", "Start it with `make up`.")
    running = [one["name"] for one in state["processes"] if one["state"] != State.DONE]
    names = [name for name in running if name.startswith(f"{service}-")]
    if process is not None:
        names = [name for name in names if name == f"{service}-{process}"]
    if not names:
        wanted = service if process is None else f"{service}-{process}"
        raise PlatformError(f"there is no process {wanted}", f"There are: {', '.join(sorted(running))}.")
    return names


def _wait(root: Root, names: Iterable[str], wanted: State) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = {
            one["name"]: one["state"] for one in (read_json(root.state) or {"processes": []})["processes"]
        }
        late = [name for name in names if found.get(name) != wanted]
        if not late:
            return
        if time.monotonic() > end:
            raise NotReadyError(
                f"{late[0]} is still {found.get(late[0])}", f"Read its log: bdcan logs {late[0]}."
            )
        time.sleep(POLL_SECONDS)


def _folder(root: Root) -> Path:
    return root.run / "drained"
