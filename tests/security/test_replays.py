"""A repeated request passes the checks of a first one, and nothing that says who somebody is waits to be repeated."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import Any

import pytest

from bdcan_chassis.http.guard import GuardedRoute
from bdcan_chassis.http.idempotency import of_request
from bdcan_chassis.http.wrong_fields import names_in
from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START, Harness, harness, settings_for
from bdcan_contracts.catalogue import PERSONAL_FIELDS
from bdcan_contracts.models import HubConfigured
from bdcan_local.processes import own_name
from bdcan_volunteer_match.app import service
from bdcan_volunteer_match.settings import Settings

_NAME = "Rose Tremain 943 476 5919"
_KEY = {"Idempotency-Key": _NAME}
_WHY = {"reason": "she has not answered"}
_OFFERING = {"hub_ids": ["hub-5"], "task_kinds": ["shopping"], "name": _NAME, "phone": "07700 900123"}
_OF_NOBODY = {
    "routing": {"hub_name", "name", "phone", "email"},  # of hubs, as the borough publishes them
    "volunteer-match": {"name", "postcode"},  # of the place where a round starts: a hub or a pharmacy
}


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings) as running:
        await running.deliver(
            HubConfigured(hub_id="hub-5", version=1, name="Five", wards=(), paused=False, configured_at=START)
        )
        yield running


async def _volunteer(given: Harness) -> str:
    answer = await given.http.post("/v1/volunteers", json=_OFFERING, headers=_KEY)
    assert answer.status_code == 201, answer.text
    return answer.json()["volunteer_id"]


async def test_key_is_kept_as_a_hash_and_the_reply_is_sealed(given: Harness) -> None:
    volunteer_id = await _volunteer(given)
    [row] = await given.fetch("SELECT * FROM chassis.idempotency_key")
    kept = repr(dict(row))
    for word in ("Rose", "943", volunteer_id, "hub-5", "shopping"):
        assert word not in kept
    again = await given.http.post("/v1/volunteers", json=_OFFERING, headers=_KEY)
    assert again.json()["volunteer_id"] == volunteer_id
    assert again.headers["idempotent-replayed"] == "true"


async def test_each_look_at_a_volunteer_is_written_down_and_stored_nowhere(given: Harness) -> None:
    volunteer_id = await _volunteer(given)
    path = f"/v1/volunteers/{volunteer_id}/contact-views"
    headers = {"Idempotency-Key": "look"}
    for times in (1, 2):
        answer = await given.http.post(path, json=_WHY, headers=headers)
        assert "idempotent-replayed" not in answer.headers
        assert len(await given.fetch("SELECT 1 FROM chassis.audit")) == times
    assert (await given.http.post(f"/v1/volunteers/{volunteer_id}/leave")).status_code == 200
    await given.transactions.pool.execute("DELETE FROM volunteer_person")
    assert (await given.http.post(path, json=_WHY, headers=headers)).status_code == 404
    assert len(await given.fetch("SELECT 1 FROM chassis.idempotency_key")) == 1, "the volunteer's own"


async def test_repeated_request_of_a_caller_who_changed_hubs_is_as_if_it_were_the_first(
    given: Harness,
) -> None:
    volunteer_id = await _volunteer(given)
    hub_5 = given.client(["volunteers:read", "volunteers:write"], ["hub-5"])
    path, headers = f"/v1/volunteers/{volunteer_id}/pause", {"Idempotency-Key": "pause"}
    assert (await hub_5.post(path, json={}, headers=headers)).status_code == 200
    assert (await hub_5.post(path, json={}, headers=headers)).headers["idempotent-replayed"] == "true"
    _moved(given, hubs=["hub-9"])
    answer = await hub_5.post(path, json={}, headers=headers)
    first = await hub_5.post(path, json={}, headers={"Idempotency-Key": "another"})
    assert (answer.status_code, first.status_code) == (404, 404)
    assert _without_id(answer.json()) == _without_id(first.json())
    _moved(given, scopes=["volunteers:read"])
    assert (await hub_5.post(path, json={}, headers=headers)).status_code == 403


async def test_each_look_at_a_dead_letter_is_audited_and_stored_nowhere(given: Harness) -> None:
    letter = await _dead_letter(given)
    for times in (1, 2):
        answer = await given.http.post(f"/v1/dead-letters/{letter}/views", json=_WHY, headers=_KEY)
        assert answer.status_code == 200
        assert _NAME in answer.json()["body"]
        audit = await given.fetch("SELECT act FROM chassis.audit ORDER BY seq")
        assert [row["act"] for row in audit] == ["dead-letter-shown"] * times
    assert await given.fetch("SELECT 1 FROM chassis.idempotency_key") == []
    await given.http.post(f"/v1/dead-letters/{letter}/discards", json=_WHY, headers=_KEY)
    _moved(given, place=0, scopes=["volunteers:read"])
    for act in ("views", "discards"):
        answer = await given.http.post(f"/v1/dead-letters/{letter}/{act}", json=_WHY, headers=_KEY)
        assert answer.status_code == 403


async def test_repeated_discard_gets_its_first_reply(given: Harness) -> None:
    letter = await _dead_letter(given)
    for _ in range(2):
        answer = await given.http.post(f"/v1/dead-letters/{letter}/discards", json=_WHY, headers=_KEY)
        assert answer.status_code == 204


def test_no_stored_reply_says_who_somebody_is(
    service_name: str, needed: Mapping[str, Mapping[str, Any]], tmp_path: Any
) -> None:
    app, settings = (import_module(f"{own_name(service_name)}.{part}") for part in ("app", "settings"))
    keys = tmp_path / "keys.json"
    keys.write_text("[]")
    built = app.service(
        settings_for(settings.Settings, "postgresql://x", keys, **needed.get(service_name, {}))
    )
    stored = 0
    for router in built.routers:
        for route in router.routes:
            assert isinstance(route, GuardedRoute)
            if not any(inner.call is of_request for inner in route.dependant.dependencies):
                continue
            stored += 1
            shown = set(names_in(route.response_model.model_json_schema())) if route.response_model else set()
            allowed = _OF_NOBODY.get(service_name, set[str]())
            assert shown & PERSONAL_FIELDS <= allowed, f"{route.path}: {shown & PERSONAL_FIELDS}"
    assert stored or service_name == "escalation"


def _moved(given: Harness, place: int = -1, **changed: Any) -> None:
    """Give a key other scopes or hubs."""
    keys = given.authenticator.api_keys.get()
    digest = list(keys)[place]
    keys[digest] = keys[digest].model_copy(update=changed)


def _without_id(problem: dict[str, Any]) -> dict[str, Any]:
    return problem | {"request_id": None}


async def _dead_letter(given: Harness) -> str:
    letter = new_id()
    await given.transactions.pool.execute(_PARK, letter, json.dumps({"note": _NAME}).encode())
    return str(letter)


_PARK = """
INSERT INTO chassis.dead_letter (id, consumer, topic, record_partition, record_offset, record_time, record_key, headers, body,
    state, reason, error, taken)
VALUES ($1, 'main', 'a-topic', 0, 1, now(), 'key', '[]', $2, 'parked', 'bug', 'an error', false)
"""
