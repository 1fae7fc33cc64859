"""The README's first request, run on a real intake and routing."""

import asyncio
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bdcan_local import processes, runner
from bdcan_local.processes import USUAL_PORTS, System, Table
from bdcan_local.root import Root
from bdcan_local.settings import read_settings
from bdcan_local.supervisor import Unit

README = Path(__file__).parents[3] / "README.md"
SERVICES = ("intake", "routing")
SECONDS = 30.0


def first_request() -> str:
    [block] = re.findall(
        r"test_readme\.py runs these lines -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL
    )
    return block


def of_two_services(units: list[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.name.startswith(SERVICES)]


def migrations(system: System) -> list[list[Unit]]:
    return [of_two_services(stage) for stage in processes.one_shot_units(system)]


def services(system: System) -> list[Unit]:
    return of_two_services(processes.service_units(system))


def run(script: str) -> dict[str, Any]:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=README.parent,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "until" in done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
async def test_first_request_of_the_readme_is_placed_with_a_hub(tmp_path: Path) -> None:
    plan = runner.Plan(usual_ports=False, table=Table(migrations, services))
    async with runner.running(Root(tmp_path), read_settings(), plan, print) as running:
        script = first_request().replace(
            f"http://127.0.0.1:{USUAL_PORTS['intake-api']}", running.system.url("intake-api")
        )
        script = script.replace("bdcan token", f"bdcan token --root {tmp_path}")
        shown = await asyncio.to_thread(run, script)
        assert [need["code"] for need in shown["needs"]] == ["food-parcel", "prescription"]
        end = time.monotonic() + SECONDS
        while shown["state"] == "received":
            assert time.monotonic() < end, shown
            shown = await asyncio.to_thread(run, script)  # the same request again is the same referral
        assert (shown["state"], str(shown["hub_id"])[:4]) == ("assigned", "hub-")
    assert open_to_others(tmp_path) == []


def open_to_others(folder: Path) -> list[str]:
    """What group or others may read or write, once everything has run: databases, Kafka's segments, logs, secrets, pids."""
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:o}"
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o066
    ]


def test_root_that_an_older_release_left_open_is_closed(tmp_path: Path) -> None:
    directory = tmp_path / "up"
    for name in ("logs/intake-api.log", "data/kafka/0.log", "secrets/old", "run/state.json"):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.touch(mode=0o644)
        path.chmod(0o644)
    Root(directory).lock()
    assert open_to_others(tmp_path) == []
