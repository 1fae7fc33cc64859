"""Requests that fit each route's schema, about things that exist: the answers fit the schema, too, and none is a server error."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks as openapi

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.models import HubConfigured

_EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
_COPIES = 20
_UUID = re.compile(r"[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}")
_PUBLIC = {"/livez", "/readyz", "/metrics"}

_HUB = "bdcan.routing.hub.configured.v1"
_ENDS = (
    ".closed.v1",
    ".withdrawn.v1",
    ".completed.v1",
    ".cancelled.v1",
    ".left.v1",
    ".exhausted.v1",
    ".failed.v1",
    ".out-of-area.v1",
)
_LATER = {"bdcan.intake.referral.closed.v1", "bdcan.intake.referral.withdrawn.v1"}

_POSTED: dict[str, tuple[str, dict[str, Any]]] = {
    "intake": (
        "/v1/referrals",
        {
            "channel": "phone",
            "person": {"name": "Test Person", "phone": "020 7946 0018", "postcode": "RM8 1AA"},
            "needs": ["errand"],
        },
    ),
    "volunteer-match": (
        "/v1/volunteers",
        {"hub_ids": ["thames"], "task_kinds": ["shopping"], "name": "Test Person", "phone": "020 7946 0018"},
    ),
}
"""What a service makes by its API alone, not from events."""

_BEYOND_A_SCHEMA = {
    "POST /v1/call-backs",  # the body is signed
    "POST /v1/referral-imports",  # the body is a file
    "POST /v1/rights/erasures",  # a referral or an enquiry, and not both
    "GET /v1/rights/erasures/{erasure_id}",  # of which none was taken, therefore
    "POST /v1/stock-receipts",  # the item and its dates must go together
    "POST /v1/stock-write-offs",  # of what is there
    "POST /v1/tasks/{task_id}/concerns",  # few needs are about somebody's safety
    "POST /v1/tasks/{task_id}/completion",  # each kind of task has its own form
    "POST /v1/tasks/{task_id}/no-show",  # of a volunteer who has the task in hand
    "POST /v1/rounds",  # its start must be a postcode that exists
    "GET /v1/rounds/{round_id}",  # of which none was planned, therefore
    "POST /v1/rounds/{round_id}/confirmation",
    "POST /v1/rounds/{round_id}/cancellation",
    "PUT /v1/rounds/{round_id}/stops",
    "GET /v1/rounds/{round_id}/sheet",
}

_KNOWN: dict[str, list[Any]] = {
    "item_id": ["toilet-rolls", "pasta"],
    "site_id": ["central"],
    "hub_id": ["thames"],
    "hub_ids": [["thames"]],
    "ward": ["E05000026", "E05014053"],
}

_WANTED = [
    checks.not_a_server_error,
    openapi.ignored_auth,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]


_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.fixture
async def given_service(
    service_name: str, start: Callable[..., AbstractAsyncContextManager[Harness]], tmp_path: Path
) -> AsyncIterator[Harness]:
    key_set = tmp_path / "key-set.json"
    key_set.write_text(json.dumps(KeySet([ECKey.generate_key("P-256", auto_kid=True)]).as_dict()))
    # each route is asked without credentials, too
    async with start(service_name, jwks=str(key_set), http_rate_failures="100000 per 1 minute") as running:
        yield running


@pytest.mark.timeout(600)
async def test_requests_that_fit_the_schema_get_answers_that_fit_it(given_service: Harness):
    await _make_things(given_service)
    ids = await _ids(given_service)

    answers = await asyncio.to_thread(_play, given_service, ids)

    unreached = [
        label
        for label, statuses in answers.items()
        if label not in _BEYOND_A_SCHEMA and not any(_reached(status) for status in statuses)
    ]
    assert not unreached, f"no request reached what it was about: {unreached} of {dict(answers)}"


def _reached(status: int) -> bool:
    """A 409 is an answer about the state of a thing that was found."""
    return status < 300 or status == 409


async def _make_things(running: Harness) -> None:
    """Deliver the contract's examples of all events that the service reads, in copies with ids of their own."""
    read = {line.topic.name for consumer in running.service.consumers for line in consumer.table}
    for place in range(_COPIES):
        for event_type in sorted(CATALOGUE.event_types, key=lambda one: one.type in _LATER):
            if read.isdisjoint(topic.name for topic in event_type.topics):
                continue
            if place % 2 and event_type.type.endswith(_ENDS):
                continue  # in every other copy the work goes on
            written = (_EXAMPLES / event_type.type / "full.json").read_text()
            await running.deliver(event_type.model.model_validate_json(_copy(written, place)))
    unreadable = running.record(
        HubConfigured.model_validate_json((_EXAMPLES / _HUB / "full.json").read_text())
    )
    for place in range(_COPIES):
        topic = min(read)
        await running.deliver(
            replace(unreadable, topic=topic, offset=1000 + place, key=b"k%d" % place, value=b"{")
        )
    if running.service.name in _POSTED:
        path, body = _POSTED[running.service.name]
        for _ in range(_COPIES):
            made = await running.http.post(path, json=body)
            assert made.status_code == 201, made.text
    if running.service.name == "intake":
        rows = "reference,name,needs\nr-1,Test Person,errand\nr-1,Test Person,errand\nr-2,,unknown-need\n"
        made = await running.http.post(
            "/v1/referral-imports?source=test", content=rows, headers={"Content-Type": "text/csv"}
        )
        assert made.status_code < 300, made.text


def _copy(written: str, place: int) -> str:
    """The first copy is the example itself; the ids of each other one are its own."""
    return _UUID.sub(lambda found: str(uuid5(UUID(found[0]), str(place))), written) if place else written


async def _ids(running: Harness) -> dict[str, list[Any]]:
    """The ids that the service's tables hold, by the name of their column."""
    columns = await running.fetch(_ID_COLUMNS)
    tables = {row["table_name"] for row in columns}
    found: dict[str, set[str]] = defaultdict(set)
    for row in columns:
        schema, table, column = row["table_schema"], row["table_name"], row["column_name"]
        name = column if column != "id" else f"{table.rpartition('_')[2]}_id"
        own = name.removesuffix("_id")
        if own in tables and own != table:
            continue  # a row of another table may name what is not here
        values = await running.fetch(f'SELECT DISTINCT "{column}" FROM "{schema}"."{table}" LIMIT 200')
        found[name] |= {str(value[0]) for value in values if value[0] is not None}
    return {name: sorted(values) for name, values in found.items() if values} | _KNOWN


_ID_COLUMNS = """
SELECT table_schema, table_name, column_name FROM information_schema.columns
WHERE table_schema IN ('public', 'chassis') AND (column_name = 'id' OR column_name LIKE '%\\_id') AND data_type IN ('uuid', 'text')
"""


def _play(running: Harness, ids: dict[str, list[Any]]) -> dict[str, Counter[int]]:
    """Ask every route; returns how often it gave which status."""
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    operations.sort(key=lambda one: one.path.endswith("/close"))  # last: a closed hub takes part in nothing
    key = running.http.headers["X-API-Key"]
    return {one.label: _ask(one, ids, key) for one in operations if one.path not in _PUBLIC}


def _ask(operation: APIOperation, ids: dict[str, list[Any]], key: str) -> Counter[int]:
    seen: Counter[int] = Counter()

    @_SETTINGS
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: Case, data: st.DataObject) -> None:
        case.path_parameters = {
            name: data.draw(st.sampled_from(ids[name])) if name in ids else value
            for name, value in (case.path_parameters or {}).items()
        }
        case.body = _about_known(case.body, ids, data)
        for name in ("X-API-Key", "Authorization"):
            case.headers.pop(name, None)
        if "Idempotency-Key" in case.headers:  # a key that comes again is refused with another request
            case.headers["Idempotency-Key"] = f"{operation.label} {seen.total()}"
        answer = case.call_and_validate(headers={"X-API-Key": key}, checks=_WANTED)
        seen[answer.status_code] += 1

    ask()
    return seen


def _about_known(body: Any, ids: dict[str, list[Any]], data: st.DataObject) -> Any:
    """The body, with ids of things that exist in the place of generated ones."""
    if isinstance(body, list):
        return [_about_known(one, ids, data) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        name: data.draw(st.sampled_from(ids[name]))
        if name in ids and value is not None
        else _about_known(value, ids, data)
        for name, value in body.items()
    }
