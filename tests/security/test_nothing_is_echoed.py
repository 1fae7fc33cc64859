"""A name that a caller made up may be somebody's: no answer, log line, receipt, stored key or dead letter repeats it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bdcan_chassis.logs import configure_logging
from bdcan_chassis.testing.harness import Harness, harness
from bdcan_contracts.envelope import encode_body
from bdcan_contracts.models import InboundReferralSubmitted
from bdcan_intake.app import service
from bdcan_intake.settings import Settings

_PLANTED = "Rose Tremain 9434765919"
_FORM: dict[str, Any] = {
    "channel": "phone",
    "person": {"name": "Amina Example"},
    "household": {"adults": 1},
    "needs": ["shopping"],
}
_JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings) as running:
        configure_logging("intake", "test", "DEBUG", running.service.personal_fields)
        yield running


def _says(text: str) -> bool:
    return any(word.lower() in text.lower() for word in ("Rose", "Tremain", "9434765919", "943 476"))


@pytest.mark.parametrize(
    "body",
    [
        _FORM | {_PLANTED: 1},
        _FORM | {"person": {"name": "A", _PLANTED: 1}},
        _FORM | {"household": {_PLANTED: 1}},
        _FORM | {"needs": [{_PLANTED: 1}]},
        {"channel": _PLANTED, "needs": [_PLANTED], "priority": _PLANTED, "consent": _PLANTED},
        {"person": _PLANTED},
        _PLANTED,
        [_PLANTED],
    ],
)
async def test_no_answer_repeats_a_field_that_the_caller_made_up(
    given: Harness, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/v1/referrals", "/v1/volunteer-enquiries", "/v1/disclosures"):
        answer = await given.http.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert not _says(answer.text), answer.text
    assert not _says(capsys.readouterr().out)


async def test_no_answer_repeats_a_key_that_is_there_twice(given: Harness) -> None:
    body = f'{{"person": {{"{_PLANTED}": 1, "{_PLANTED}": 2}}}}'
    answer = await given.http.post("/v1/referrals", content=body, headers=_JSON)
    assert answer.status_code == 422
    assert not _says(answer.text)
    ours = await given.http.post("/v1/referrals", content='{"notes": "a", "notes": "b"}', headers=_JSON)
    assert [e["field"] for e in ours.json()["errors"]] == ["notes"]


async def test_no_answer_or_log_repeats_a_query_a_path_or_a_header(
    given: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {
        "X-Request-Id": _PLANTED.replace(" ", "-"),
        "Idempotency-Key": _PLANTED,
        "X-API-Key": _PLANTED,
        _PLANTED.replace(" ", "-"): _PLANTED,
        "Traceparent": _PLANTED,
        "Referer": _PLANTED,
    }
    for path in (
        f"/v1/referrals?{_PLANTED}=1",
        f"/v1/referrals?state={_PLANTED}&after={_PLANTED}&limit={_PLANTED}",
        f"/v1/referrals/{_PLANTED}",
        f"/v1/{_PLANTED}",
        f"/{_PLANTED}",
    ):
        for with_key in (True, False):
            sent = headers if with_key else {k: v for k, v in headers.items() if k != "X-API-Key"}
            answer = await given.http.get(path, headers=sent)
            assert not _says(answer.text + repr(answer.headers)), answer.text
    answer = await given.http.post("/v1/referrals", json=_FORM, headers={"Idempotency-Key": _PLANTED})
    assert answer.status_code == 201
    assert not _says(capsys.readouterr().out)
    assert not _says(repr([dict(r) for r in await given.fetch("SELECT * FROM chassis.idempotency_key")]))


async def test_no_answer_or_stored_problem_repeats_a_column(given: Harness) -> None:
    content = f"name,{_PLANTED},needs\nAmina,1,shopping\n"
    answer = await given.http.post("/v1/referral-imports?source=a-list", content=content)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["column 2"]
    assert not _says(answer.text)
    assert not _says(repr([dict(r) for r in await given.fetch("SELECT * FROM referral_import_error")]))


@pytest.mark.parametrize(
    "more",
    [
        {_PLANTED: 1},
        {"person": {"name": "A", _PLANTED: 1}},
        {"household": {_PLANTED: 1}},
        {"needs": [{_PLANTED: 1}]},
        {"needs": [_PLANTED]},
        {"channel": _PLANTED},
    ],
)
async def test_no_receipt_or_dead_letter_repeats_a_field(
    given: Harness, more: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    sent = InboundReferralSubmitted(source="gp-list", reference="r-1", channel="gp", needs=("shopping",))
    body = json.loads(encode_body(sent)) | more
    await given.deliver(replace(given.record(sent), value=json.dumps(body).encode()))
    emitted = [encode_body(event.data).decode() for event in await given.emitted()]
    assert not any(map(_says, emitted)), emitted
    letters = await given.fetch("SELECT reason, error FROM chassis.dead_letter")
    assert not _says(repr([dict(letter) for letter in letters]))
    assert not _says(capsys.readouterr().out)


@pytest.mark.parametrize(
    "reference", ["Rose Tremain", "943 476 5919", "9434765919", "rose-tremain-1", "07700 900123"]
)
@pytest.mark.parametrize("source", ["riverside-surgery", "gp-list"])  # the second is somebody else's
async def test_receipt_names_a_reference_that_is_somebody_by_its_hash(
    given: Harness, reference: str, source: str
) -> None:
    person: dict[str, Any] = {"name": "Rose Tremain", "phone": "07700 900123"}
    sent = InboundReferralSubmitted.model_validate(
        {
            "source": source,
            "reference": reference,
            "channel": "gp",
            "person": person,
            "needs": ["shopping"],
        }
    )
    await given.deliver(given.record(sent))
    receipts = await given.fetch("SELECT record_key, body FROM chassis.outbox WHERE topic LIKE '%receipts%'")
    assert len(receipts) == 1
    assert reference not in repr(dict(receipts[0]))
    hashed = hashlib.sha256(f"riverside-surgery:{reference}".encode()).hexdigest()[:32]
    assert json.loads(receipts[0]["body"])["reference"] == f"sha256:{hashed}"
