"""A drained process ends with what it has in hand, and is not started again before somebody resumes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from units import python, unit, until

from bdcan_local import draining
from bdcan_local.errors import NotReadyError, PlatformError
from bdcan_local.root import Root, write_json
from bdcan_local.supervisor import FIRST_PAUSE_SECONDS, State, Supervisor, Unit

FINISHES = """
import pathlib, signal, time
def finish(*_):
    time.sleep(0.5)
    pathlib.Path({done!r}).write_text("all that was in hand")
    raise SystemExit
signal.signal(signal.SIGTERM, finish)
pathlib.Path({ready!r}).touch()
time.sleep(60)
"""


async def test_drained_process_finishes_and_stays_down_until_it_is_resumed(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    done, ready = tmp_path / "done", tmp_path / "ready"

    async def is_ready() -> bool:
        return ready.exists()

    command = python(FINISHES.format(done=str(done), ready=str(ready)))
    await supervisor.start(Unit("worker", command, is_ready, stop_seconds=0.1))  # a drain gives it longer
    status, first = supervisor.statuses["worker"], supervisor.statuses["worker"].pid
    await supervisor.drain("worker")
    assert (status.state, status.pid, done.read_text()) == (State.DRAINED, None, "all that was in hand")
    await asyncio.wait([asyncio.create_task(supervisor.drain("worker"))])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5 * FIRST_PAUSE_SECONDS):
            await until(lambda: status.state is not State.DRAINED)
    await supervisor.resume("worker")
    await until(lambda: status.state is State.READY)
    assert status.pid not in {None, first}
    assert status.restarts == 0, "nobody's fault"


async def test_unit_that_ends_while_it_is_drained_is_not_started_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start(unit("stumbler", "import time; time.sleep(0.3)", tmp_path))
    await until(lambda: supervisor.statuses["stumbler"].restarts > 0)
    await supervisor.drain("stumbler")
    restarts = supervisor.statuses["stumbler"].restarts
    await supervisor.resume("stumbler")
    await until(lambda: supervisor.statuses["stumbler"].restarts > restarts)


async def test_runner_follows_what_is_asked_for_and_the_command_waits(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    root = Root(tmp_path / "root")
    root.lock()

    def tell() -> None:
        found = [
            {"name": one.unit.name, "state": one.state.value, "pid": one.pid}
            for one in supervisor.statuses.values()
        ]
        write_json(root.state, {"phase": "ready", "processes": found})

    supervisor.on_change(tell)
    for name in ("intake-api", "intake-worker", "routing-worker"):
        await supervisor.start(unit(name, "import time; time.sleep(60)", tmp_path))
    said: list[str] = []
    following = asyncio.create_task(draining.follow(root, supervisor, said.append))
    await asyncio.to_thread(draining.drain, root, "intake", None, "ada", "release 12", said.append)
    states = {name: status.state for name, status in supervisor.statuses.items()}
    assert states == {
        "intake-api": State.DRAINED,
        "intake-worker": State.DRAINED,
        "routing-worker": State.READY,
    }
    assert draining.drained(root)["intake-worker"].reason == "release 12"
    await asyncio.to_thread(draining.resume, root, "intake", "api", said.append)
    assert supervisor.statuses["intake-api"].state is State.READY
    assert draining.drained(root).keys() == {"intake-worker"}
    assert "intake-worker: drained by ada: release 12" in said
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    draining.forget(root)
    assert draining.drained(root) == {}


def test_process_that_there_is_not_is_named_as_such(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with pytest.raises(PlatformError, match="nothing runs"):
        draining.drain(root, "intake", None, "ada", "", print)
    root.lock()
    write_json(root.state, {"phase": "ready", "processes": [{"name": "intake-api", "state": "ready"}]})
    with pytest.raises(PlatformError, match="no process intake-pulse"):
        draining.drain(root, "intake", "pulse", "ada", "", print)
    assert draining.drained(root) == {}


def test_command_gives_up_where_the_runner_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(tmp_path)
    root.lock()
    write_json(root.state, {"phase": "ready", "processes": [{"name": "intake-api", "state": "ready"}]})
    monkeypatch.setattr(draining, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(NotReadyError, match="intake-api is still ready"):
        draining.drain(root, "intake", "api", "ada", "", print)
