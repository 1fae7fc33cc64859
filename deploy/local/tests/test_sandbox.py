"""A sandbox system hears of a referral until its end: a volunteer runs the errand, and a parcel comes to the door."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from bdcan_local import cli, runner
from bdcan_local.processes import System
from bdcan_local.root import Root
from bdcan_local.settings import read_settings

SECONDS = 120.0


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with runner.running(
        Root(tmp_path), read_settings(), runner.Plan(usual_ports=False), print
    ) as running:
        yield running.system


@pytest.mark.timeout(400)
async def test_sandbox_referral_is_played_to_its_end_with_a_task_and_a_parcel(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["upstream", "add", "try-out", "--sandbox", "--json", "--show-secrets", "--root", str(tmp_path)]
    capsys.readouterr()
    assert await asyncio.to_thread(cli.main, words) == 0
    printed = capsys.readouterr().out
    told, _ = json.JSONDecoder().raw_decode(printed, printed.index("{"))
    body = {
        "channel": "gp",
        "reference": "T-1",
        "person": {"name": "Amina Example", "phone": "07700 900417", "postcode": "RM10 8XX"},
        "household": {"adults": 1},
        "needs": ["food-parcel", "shopping", "debt"],
    }
    key = {"X-API-Key": told["http"]["key"]["text"]}
    async with httpx.AsyncClient(base_url=told["http"]["base url"], headers=key) as intake:
        referral_id = await handed_in(intake, body)
    said = await heard(told["kafka"], referral_id)
    states = [one.get("state", "closed") for one in said]
    assert states[-2:] == ["being-helped", "closed"], states
    assert said[-1]["outcome"] == "helped", "a need that was declined does not count"
    ends = {need["code"]: need["words"] for need in said[-1]["needs"]}
    assert ends["food-parcel"] == "They have their food parcel."
    assert ends["shopping"] == "Somebody has shopped for them."


async def handed_in(intake: httpx.AsyncClient, body: dict[str, Any]) -> str:
    end = time.monotonic() + SECONDS
    while (
        answer := await intake.post("/v1/referrals", json=body)
    ).status_code == 401:  # intake looks every two seconds
        assert time.monotonic() < end
        await asyncio.sleep(0.2)
    assert answer.status_code == 201, answer.text
    return answer.json()["referral_id"]


async def heard(kafka: dict[str, Any], referral_id: str) -> list[dict[str, Any]]:
    """What the sender reads of a referral, until it is closed."""
    consumer = AIOKafkaConsumer(
        kafka["receipts from"],
        bootstrap_servers=kafka["bootstrap servers"],
        security_protocol=kafka["security protocol"],
        sasl_mechanism=kafka["sasl mechanism"],
        sasl_plain_username=kafka["user"],
        sasl_plain_password=kafka["password"]["text"],
        auto_offset_reset="earliest",
    )
    said: list[dict[str, Any]] = []
    async with consumer, asyncio.timeout(SECONDS):
        async for record in consumer:
            receipt = json.loads(record.value or b"{}")
            if receipt.get("referral_id") == referral_id:
                said.append(receipt)
                if dict(record.headers)["ce_type"].endswith(b"referral.closed.v1"):
                    break
    return said
