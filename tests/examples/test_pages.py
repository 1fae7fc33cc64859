"""What the pages for systems outside say is true: their lines run, their codes are complete, their files are there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bdcan_contracts.catalogue import INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.inbound import CODES, MAX_BYTES
from bdcan_local.kafka import Kafka
from bdcan_local.processes import System

REPOSITORY = Path(__file__).parents[2]
PAGES = {name: (REPOSITORY / "docs" / f"{name}.md").read_text("utf-8") for name in ("upstream", "consuming")}
UV = str(Path(sys.executable).with_name("uv"))
SECONDS = 90


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]


@pytest.mark.timeout(600)
async def test_new_sender_has_its_first_receipt_by_kafka_and_by_http(
    system: System, need: Callable[..., None], built: Callable[..., Path], tmp_path: Path
) -> None:
    need({"jq": "1.6"})
    given = await run(lines_to_run(PAGES["upstream"]), tmp_path, system)
    place = built("upstream/python", (UV, "sync", "--frozen", "--quiet"))
    code, said = await ended(
        (".venv/bin/python", "send_referral.py", str(uuid4())), place, {**os.environ, **given}
    )
    assert (code, "accepted as referral" in said) == (0, True), said


async def test_lines_for_a_reader_leave_all_that_its_program_needs(
    system: System, need: Callable[..., None], tmp_path: Path
) -> None:
    need({"jq": "1.6"})
    given = await run(lines_to_run(PAGES["consuming"]), tmp_path, system)
    wanted = {"BOOTSTRAP", "PROTOCOL", "USER", "PASSWORD_FILE", "GROUP", "TOPIC"}
    assert wanted <= {name.removeprefix("BDCAN_") for name, value in given.items() if value}


def test_page_names_each_code_that_a_refusal_can_have() -> None:
    table = PAGES["upstream"].partition("## Every problem")[2].partition("\n## ")[0]
    first_cells = "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
    named = set(re.findall(r"`([a-z-]+)`", first_cells))
    assert set(CODES) <= named


def test_page_says_the_limits_of_the_contracts() -> None:
    kept = [topic.retention.days for topic in (INBOUND_REFERRALS, INBOUND_RECEIPTS) if topic.retention]
    assert f"kept on the topic for {kept[0]} days" in PAGES["upstream"]
    assert f"Receipts are kept for {kept[1]} days" in PAGES["upstream"]
    assert PAGES["upstream"].count(f"{MAX_BYTES:,} bytes") == 2


@pytest.mark.parametrize("broker", ["ours", "compose"])
def test_reader_who_was_away_finds_all_receipts_and_its_place(broker: str) -> None:
    ours = Kafka(Path("kafka"), 1, 2, "secret", ()).configuration("data")
    text = ours if broker == "ours" else (REPOSITORY / "deploy/kafka/server.properties").read_text("utf-8")
    [minutes] = re.findall(r"^offsets\.retention\.minutes=(\d+)$", text, re.MULTILINE)
    kept = INBOUND_RECEIPTS.retention
    assert kept is not None
    assert timedelta(minutes=int(minutes)) >= kept >= timedelta(weeks=4)


def test_tests_that_the_page_names_are_there() -> None:
    rows = PAGES["upstream"].partition("## What holds this page")[2]
    file, missing = "", []
    for path, name in re.findall(r"`([\w/-]+\.py)`|`(test_\w+)`", rows):
        file = path or file
        if name and f"def {name}(" not in (REPOSITORY / file).read_text("utf-8"):
            missing.append(name)
    assert not missing


def test_links_of_the_pages_lead_somewhere(page: str) -> None:
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link}
    assert not [link for link in links if link and not (REPOSITORY / "docs" / link).exists()]


def lines_to_run(page: str) -> str:
    return "\n".join(re.findall(r"test_pages\.py runs these lines -->\n```sh\n(.*?)```", page, re.DOTALL))


async def run(script: str, folder: Path, system: System) -> Mapping[str, str]:
    """Run lines of a page in a folder; gives the settings that they leave."""
    bdcan = f"{Path(sys.executable).with_name('bdcan')}"
    script = script.replace(".venv/bin/bdcan", bdcan).replace("--json", f"--json --root {system.data.parent}")
    script = script.replace("curl", f"{_UNTIL_KNOWN}\ncurl", 1) + "\nenv --null > environment"
    code, said = await ended(("bash", "-euo", "pipefail", "-c", script), folder, os.environ)
    assert code == 0, said
    lines = (folder / "environment").read_text("utf-8").split("\0")
    return dict(line.split("=", 1) for line in lines if line.startswith("BDCAN_"))


_UNTIL_KNOWN = """
until curl --silent --fail --output /dev/null "$INTAKE/v1/referrals" --header "X-API-Key: $KEY"; do sleep 0.2; done
"""
"""The page says that intake knows a key after two seconds; its reader types more slowly than a test."""


async def ended(
    command: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    return process.returncode, said.decode()
