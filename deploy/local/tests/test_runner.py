"""The runner with real PostgreSQL and Kafka, and two small services instead of ours."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bdcan_local.errors import InUseError
from bdcan_local.ports import Held, choose_ports
from bdcan_local.root import Root

PROGRAM = Path(__file__).with_name("fake_system.py")
START_SECONDS = 90.0


class Runner:
    """The fake system as a process of its own."""

    def __init__(self, root: Path, *, usual: bool = False, take: str = "") -> None:
        self.root = root
        self.output = root.parent / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(root), "usual" if usual else "any", take],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def state(self) -> dict[str, Any]:
        path = self.root / "run" / "state.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def processes(self) -> dict[str, dict[str, Any]]:
        return {process["name"]: process for process in self.state().get("processes", [])}

    def wait_until_ready(self) -> None:
        until(lambda: self.process.poll() is None and self.state().get("phase") == "ready", self.output)

    def pids(self) -> list[int]:
        return [process["pid"] for process in self.processes().values() if process["pid"]]


@pytest.fixture
def runners(tmp_path: Path) -> Iterator[Callable[[], Runner]]:
    started: list[Runner] = []

    def start() -> Runner:
        (tmp_path / "root" / "run" / "state.json").unlink(missing_ok=True)
        started.append(Runner(tmp_path / "root"))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for runner in started:
        if runner.process.poll() is None:
            runner.process.send_signal(signal.SIGTERM)
            runner.process.wait(60)
    until(lambda: not Root(tmp_path / "root").is_locked())


def until(condition: Callable[[], bool], output: Path | None = None) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end, output.read_text() if output else "not within its time limit"
        time.sleep(0.05)


def ended(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.timeout(400)
def test_killed_parts_return_and_ctrl_c_ends_everything(
    runners: Callable[[], Runner],
) -> None:
    runner = runners()
    before = runner.processes()
    assert before["intake-migrate"]["state"] == "done"
    for name in ("intake-api", "postgres", "kafka"):
        os.kill(before[name]["pid"], signal.SIGKILL)
    until(
        lambda: all(
            process["state"] == "ready"
            and process["restarts"] == 1
            and process["port"] == before[name]["port"]
            for name, process in runner.processes().items()
            if name in {"intake-api", "postgres", "kafka"}
        )
    )
    assert runner.processes()["intake-worker"]["restarts"] == 0
    pids = runner.pids()
    assert len(pids) == 4
    runner.process.send_signal(signal.SIGINT)
    assert runner.process.wait(60) == 130
    assert ended(pids)
    assert runner.state()["phase"] == "stopped"


@pytest.mark.timeout(400)
def test_runner_killed_with_9_leaves_nothing_and_restarts_as_before(
    runners: Callable[[], Runner],
) -> None:
    runner = runners()
    pids, ports = runner.pids(), {name: process["port"] for name, process in runner.processes().items()}
    identity = (runner.root / "data" / "kafka" / "complete.json").read_text()
    runner.process.kill()
    runner.process.wait()
    # started at once: it has to wait for the guardian of the first
    again = runners()
    assert ended(pids)
    assert {name: process["port"] for name, process in again.processes().items()} == ports
    assert (runner.root / "data" / "kafka" / "complete.json").read_text() == identity
    with pytest.raises(InUseError, match="in use by another runner"):
        Root(runner.root).lock()
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(60) == 0


@pytest.mark.timeout(400)
def test_command_of_a_service_runs_on_the_running_system(
    runners: Callable[[], Runner],
) -> None:
    runner = runners()

    def bdcan(*words: str) -> subprocess.CompletedProcess[str]:
        arguments = ["service", "--root", str(runner.root), *words]
        return subprocess.run(
            [sys.executable, "-m", "bdcan_local.cli", *arguments], capture_output=True, text=True, check=False
        )

    assert bdcan("volunteer-match", "migrate").returncode == 0
    listed = bdcan("volunteer-match", "dead-letter", "list", "--limit", "5")
    assert (listed.returncode, listed.stdout.splitlines()[-1:]) == (0, ["0 record(s)"]), listed.stderr
    assert bdcan("volunteer-match", "no-such-verb").returncode == 2
    runner.process.send_signal(signal.SIGTERM)
    assert runner.process.wait(60) == 0
    nowhere = bdcan("intake", "dead-letter", "list")
    assert (nowhere.returncode, nowhere.stderr.startswith("error: nothing runs in")) == (1, True)


@pytest.mark.timeout(400)
def test_two_platforms_started_at_once_have_ports_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    both = [Runner(tmp_path / name / "root", usual=True) for name in ("one", "two")]
    try:
        for runner in both:
            runner.wait_until_ready()
        one, two = ({process["port"] for process in runner.processes().values()} - {None} for runner in both)
        assert one.isdisjoint(two)
    finally:
        for runner in both:
            runner.process.send_signal(signal.SIGTERM)
        assert [runner.process.wait(60) for runner in both] == [0, 0]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["intake-api", "postgres"])
def test_port_taken_between_choice_and_bind_is_left_to_its_taker(tmp_path: Path, name: str) -> None:
    runner = Runner(tmp_path / "root", take=name)
    try:
        runner.wait_until_ready()
        assert f"is in use by another program: {name} moves to" in runner.output.read_text()
    finally:
        runner.process.send_signal(signal.SIGTERM)
        assert runner.process.wait(60) == 0


def test_port_that_another_platform_holds_is_not_free(tmp_path: Path, unused: int) -> None:
    mine, theirs = Held(tmp_path), Held(tmp_path)
    assert mine.take(unused)
    assert mine.take(unused)
    assert not theirs.take(unused)
    mine.let_go()
    assert theirs.take(unused)
    theirs.let_go()


def test_taken_ports_are_avoided_and_remembered_ones_kept(unused: int, busy: int) -> None:
    chosen = choose_ports({"first": busy, "second": unused, "third": None}, {})
    assert chosen["first"] not in {busy, unused}
    assert chosen["second"] == unused
    again = choose_ports({"first": busy, "second": unused, "third": None}, chosen)
    assert again == chosen


@pytest.fixture
def busy() -> Iterator[int]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def unused() -> int:
    from bdcan_local.ports import free_ports

    return free_ports(1)[0]
