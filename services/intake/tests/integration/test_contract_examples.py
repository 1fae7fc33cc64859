"""Each example of what an upstream system may send gets a receipt that says: accepted. People copy examples."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_contracts import models as m
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.upstreams import Upstream, dump
from bdcan_intake.app import service
from bdcan_intake.settings import Settings

EXAMPLES = Path(__file__).parents[4] / "schemas" / "examples"
SENT = [
    pytest.param(name, path, id=f"{name.split('.')[-2]}/{path.stem}")
    for reader in INBOUND_REFERRALS.consumers
    for name in reader.types
    for path in sorted((EXAMPLES / name).glob("*.json"))
]
_SUBMITTED = "bdcan.intake.inbound-referral.submitted.v1"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
async def given(postgres_server, tmp_path: Path) -> AsyncIterator[Harness]:
    """Intake, with one upstream system that has the source of every example."""
    sources = dict.fromkeys(str(read(param.values[1])["source"]) for param in SENT)  # type: ignore[arg-type]
    registry = tmp_path / "upstreams.json"
    registry.write_bytes(
        dump(
            [
                Upstream(
                    name="riverside-surgery",
                    sources=tuple(sources),
                    inbound_topic=INBOUND_REFERRALS.name,
                    receipts_topic=INBOUND_RECEIPTS.name,
                )
            ]
        )
    )
    async with harness(postgres_server, service, Settings, upstreams_file=registry) as running:
        yield running


async def receipt_of(given: Harness, type_name: str, body: dict[str, Any]) -> Any:
    """The receipt of a record that has these bytes."""
    model = CATALOGUE.by_type[type_name].model.model_validate_json(json.dumps(body))
    record = given.record(model, source="riverside-surgery")
    await given.deliver(replace(record, value=json.dumps(body).encode()))
    [receipt] = await given.emitted(m.InboundReferralAccepted, m.InboundReferralRefused)
    return receipt.data


@pytest.mark.parametrize(("type_name", "path"), SENT)
async def test_an_example_is_accepted(given: Harness, type_name: str, path: Path):
    body = read(path)
    if (
        type_name != _SUBMITTED
    ):  # it is about a referral that was handed in before, whose id nobody knows ahead
        first = {key: body[key] for key in ("source", "reference")}
        handed_in = await receipt_of(
            given,
            _SUBMITTED,
            {**first, "channel": "gp", "person": {"name": "Amina Example"}, "needs": ["shopping"]},
        )
        body |= {"referral_id": str(handed_in.referral_id)} if "referral_id" in body else {}

    receipt = await receipt_of(given, type_name, body)

    assert isinstance(receipt, m.InboundReferralAccepted), receipt


async def test_the_smallest_submission_has_nothing_to_spare(given: Harness):
    body = read(EXAMPLES / _SUBMITTED / "minimal.json")
    needed = {name for name, field in m.InboundReferralSubmitted.model_fields.items() if field.is_required()}

    for name in sorted(set(body) - needed):
        receipt = await receipt_of(given, _SUBMITTED, {k: v for k, v in body.items() if k != name})
        assert isinstance(receipt, m.InboundReferralRefused), name
