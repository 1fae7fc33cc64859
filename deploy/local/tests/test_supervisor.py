"""The supervisor keeps processes running, and no process outlives its owner."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from units import python, unit, until

from bdcan_local.errors import NotReadyError
from bdcan_local.guardian import Guardian
from bdcan_local.supervisor import State, Supervisor, Unit


async def test_killed_unit_runs_again(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start(unit("sleeper", "import time; time.sleep(60)", tmp_path))
    status = supervisor.statuses["sleeper"]
    first = status.pid
    assert first is not None
    psutil.Process(first).kill()
    await until(lambda: status.state is State.READY and status.pid not in {None, first})
    assert status.restarts == 1
    assert status.exit_code == -signal.SIGKILL


async def test_pauses_between_restarts_grow(supervisor: Supervisor, tmp_path: Path) -> None:
    births = tmp_path / "births"
    code = f"import time; open({str(births)!r}, 'a').write(f'{{time.monotonic()}}\\n'); time.sleep(0.3)"
    await supervisor.start(unit("stumbler", code, tmp_path))
    await until(lambda: supervisor.statuses["stumbler"].restarts >= 3)
    await until(lambda: len(births.read_text().split()) >= 4)
    times = [float(line) for line in births.read_text().split()]
    # three lives of 0.3 s, and pauses of 0.2, 0.4 and 0.8 s
    assert times[3] - times[0] > 2.3


async def test_log_of_a_unit_that_ends_at_its_start_is_shown(supervisor: Supervisor, tmp_path: Path) -> None:
    broken = Unit("broken", python("print('no such table'); raise SystemExit(3)"), is_ready=_never)
    with pytest.raises(NotReadyError, match=r"(?s)broken ended at its start \(exit code 3\).*no such table"):
        await supervisor.start(broken)
    assert supervisor.statuses["broken"].state is State.STOPPED


async def test_unit_that_is_never_ready_is_stopped(
    supervisor: Supervisor,
) -> None:
    slow = Unit("slow", python("import time; time.sleep(60)"), is_ready=_never, ready_seconds=0.5)
    with pytest.raises(NotReadyError, match="slow was not ready in time"):
        await supervisor.start(slow)
    assert not [
        child for child in psutil.Process().children() if "time.sleep(60)" in " ".join(child.cmdline())
    ]


async def test_failed_one_shot_unit_fails_the_start(supervisor: Supervisor) -> None:
    await supervisor.run(Unit("good", python("print('done')")))
    assert supervisor.statuses["good"].state is State.DONE
    with pytest.raises(NotReadyError, match="bad failed"):
        await supervisor.run(Unit("bad", python("raise SystemExit(1)")))


async def test_unit_that_ignores_sigterm_is_killed_with_its_children(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid) + ' ')\n"
        "time.sleep(60)"
    )
    await supervisor.start(unit("deaf", code, tmp_path, stop_seconds=0.3))
    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().endswith(" "))
    await supervisor.stop(["deaf"])
    grandchild = int((tmp_path / "child").read_text())
    await until(lambda: not _runs(grandchild))


async def test_new_guardian_watches_after_the_first_is_killed(
    supervisor: Supervisor, own_guardian: Guardian, tmp_path: Path
) -> None:
    await supervisor.start(unit("sleeper", "import time; time.sleep(60)", tmp_path))
    first = own_guardian.pid
    psutil.Process(first).kill()
    await until(lambda: own_guardian.pid != first)
    pid = supervisor.statuses["sleeper"].pid
    assert pid is not None
    own_guardian.close()
    await until(lambda: supervisor.statuses["sleeper"].pid != pid)


OWNER = """
import subprocess, sys, time
from bdcan_local.guardian import Guardian
guardian = Guardian(grace_seconds=1)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
children = []
for listed in (True, False):
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=guardian.mark({}), start_new_session=True, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    if listed:
        guardian.watch(child.pid)
    children.append(child)
print(guardian.pid, *(child.pid for child in children), flush=True)
time.sleep(60)
"""


def test_owner_killed_with_9_takes_even_unlisted_children_with_it() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    guardian, *children = map(int, owner.stdout.readline().split())
    assert all(_runs(pid) for pid in (guardian, *children))
    owner.kill()
    owner.wait()
    asyncio.run(until(lambda: not any(_runs(pid) for pid in (guardian, *children))))


async def _never() -> bool:
    return False


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
