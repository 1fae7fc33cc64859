"""Keys are rolled and tokens revoked by replacing a file; no process is restarted."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bdcan_chassis import metrics
from bdcan_chassis.http import credentials
from bdcan_chassis.http.credentials import Revocations
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.upstreams import Upstream, Upstreams, dump


@pytest.fixture(autouse=True)
def look_at_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOOK_SECONDS", 0.0)


def entry(key: str, name: str = "surgery", **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"name": name, "sha256": digest, "scopes": ["tasks:read"], "hubs": ["north"]} | more


def write(ledger: Harness, *entries: dict[str, Any]) -> None:
    replace(ledger.service.settings.api_keys_file, json.dumps(entries))


def replace(path: Path | None, text: str) -> None:
    assert path is not None
    fresh = path.with_name("new")
    fresh.write_text(text)
    fresh.replace(path)


async def status(ledger: Harness, key: str) -> int:
    headers = {"X-API-Key": key}
    return (await ledger.http.get("/toy/hubs/north", headers=headers)).status_code


def soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_two_keys_of_one_name_work_until_one_is_taken_out(ledger: Harness) -> None:
    write(ledger, entry("old"), entry("new"))
    assert [await status(ledger, key) for key in ("old", "new")] == [200, 200]
    write(ledger, entry("new"))
    assert [await status(ledger, key) for key in ("old", "new")] == [401, 200]


async def test_an_expired_key_is_refused_and_the_end_of_the_last_one_is_told(ledger: Harness) -> None:
    last = soon(3600)
    write(
        ledger,
        entry("old", expires_at=soon(-1)),
        entry("new", expires_at=last),
        entry("for-ever", name="desk"),
        entry("temporary", name="desk", expires_at=last),
    )
    assert [await status(ledger, key) for key in ("old", "new")] == [401, 200]
    told = {s.labels["name"]: s.value for s in next(iter(metrics.API_KEY_EXPIRES.collect())).samples}
    assert told == {"surgery": datetime.fromisoformat(last).timestamp()}


@pytest.mark.parametrize("broken", ["[{", '[{"name": "x"}]', '[{"name":"a","sha256":"b","scopes":[]}]'])
async def test_a_broken_file_keeps_the_old_keys_and_raises_the_gauge(ledger: Harness, broken: str) -> None:
    write(ledger, entry("good"))
    assert await status(ledger, "good") == 200
    replace(ledger.service.settings.api_keys_file, broken)
    gauge = metrics.CREDENTIALS_UNREADABLE.labels("BDCAN_API_KEYS_FILE")
    assert await status(ledger, "good") == 200
    assert gauge._value.get() == 1
    write(ledger, entry("better"))
    assert [await status(ledger, key) for key in ("good", "better")] == [401, 200]
    assert gauge._value.get() == 0


async def test_a_file_that_was_deleted_keeps_the_old_keys(ledger: Harness) -> None:
    write(ledger, entry("good"))
    assert await status(ledger, "good") == 200
    assert ledger.service.settings.api_keys_file is not None
    ledger.service.settings.api_keys_file.unlink()
    assert await status(ledger, "good") == 200


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[{",
        b'[{"name": "River"}]',
        b'[{"name": "hill-surgery"}, {"name": "other", "sources": ["hill-surgery"]}]',
        None,
    ],
)
def test_damaged_list_of_upstream_systems_keeps_the_last_good_one(
    tmp_path: Path, damage: bytes | None
) -> None:
    path = tmp_path / "upstreams.json"
    found = credentials.watch_upstreams(path)
    assert found.get() == Upstreams()
    good = Upstreams((Upstream("river-surgery"),))
    path.write_bytes(dump(good))
    assert found.get() == good
    if damage is None:
        path.unlink()
    else:
        replace(path, damage.decode())
    assert found.get() == good
    gauge = metrics.CREDENTIALS_UNREADABLE.labels("BDCAN_UPSTREAMS_FILE")
    assert gauge._value.get() == 1
    more = good.put(Upstream("hill-surgery"))
    replace(path, dump(more).decode())
    assert found.get() == more
    assert gauge._value.get() == 0


def test_end_of_a_kafka_user_is_told_once_no_other_lasts_longer(tmp_path: Path) -> None:
    file = tmp_path / "outside.json"
    watched = credentials.watch_kafka_users(file)
    assert watched.get() == {}
    first, last = datetime.now(UTC), datetime.now(UTC) + timedelta(days=9)
    ends = [{"user": "a", "ends_at": first.isoformat()}, {"user": "a.2", "ends_at": last.isoformat()}]
    holders = [
        {"name": "upstream-river", "issued": 2, "users": ends},
        {"name": "consumer-report", "users": [*ends, {"user": "b"}]},
        {"name": "upstream-gone", "issued": 1},
    ]
    replace(file, json.dumps({"holders": holders, "readers": []}))
    assert watched.get() == {"upstream-river": last}
    replace(file, "{")
    assert watched.get() == {"upstream-river": last}
    assert metrics.CREDENTIALS_UNREADABLE.labels("BDCAN_OUTSIDE_FILE")._value.get() == 1


async def test_a_revoked_token_stops_working_though_it_was_just_checked(ledger: Harness) -> None:
    token = ledger.token("ada", scope="tasks:read", hub="north", jti="t-1")
    other = ledger.token("ada", scope="tasks:read", hub="north", jti="t-2")
    assert [await of_token(ledger, one) for one in (token, other)] == [200, 200]
    replace(ledger.service.settings.revocations_file, json.dumps({"tokens": ["t-1"]}))
    assert [await of_token(ledger, one) for one in (token, other)] == [401, 200]


async def test_deleted_list_of_revocations_gives_no_token_back(ledger: Harness) -> None:
    token = ledger.token("ada", scope="tasks:read", hub="north", jti="t-1")
    path = ledger.service.settings.revocations_file
    replace(path, json.dumps({"tokens": ["t-1"]}))
    assert await of_token(ledger, token) == 401
    assert path is not None
    path.unlink()
    assert await of_token(ledger, token) == 401
    assert metrics.CREDENTIALS_UNREADABLE.labels("BDCAN_REVOCATIONS_FILE")._value.get() == 1


async def test_all_tokens_of_a_person_are_revoked_up_to_an_instant(ledger: Harness) -> None:
    now = int(time.time())
    old = ledger.token("ada", scope="tasks:read", hub="north", iat=now - 60)
    undated = ledger.token("ada", scope="tasks:read", hub="north", iat=None)
    assert await of_token(ledger, old) == 200
    revoked = {"subjects": {"ada": datetime.fromtimestamp(now - 60, UTC).isoformat()}}
    replace(ledger.service.settings.revocations_file, json.dumps(revoked))
    new = ledger.token("ada", scope="tasks:read", hub="north")
    bob = ledger.token("bob", scope="tasks:read", hub="north", iat=now - 90)
    assert [await of_token(ledger, one) for one in (old, undated, new, bob)] == [401, 401, 200, 200]


async def of_token(ledger: Harness, token: str) -> int:
    # the harness's own key would win over the token
    headers = {"Authorization": f"Bearer {token}", "X-API-Key": ""}
    return (await ledger.http.get("/toy/hubs/north", headers=headers)).status_code


def test_nothing_is_revoked_by_an_empty_list() -> None:
    assert not Revocations().name({"sub": "ada", "iat": 1})
    assert not Revocations().name({"sub": None, "jti": None})


async def test_people_and_keys_of_one_name_are_two_callers(ledger: Harness) -> None:
    write(ledger, entry("machine", name="simulator"))
    machine = await ledger.authenticator.caller(None, "machine")
    person = await ledger.authenticator.caller(ledger.token("simulator", scope="tasks:read"), None)
    forged = await ledger.authenticator.caller(ledger.token("key:simulator", scope="tasks:read"), None)
    assert {machine.name, person.name, forged.name} == {
        "key:simulator",
        "person:simulator",
        "person:key:simulator",
    }


async def test_a_volunteers_token_sees_no_hub_whatever_else_it_claims(ledger: Harness) -> None:
    who = "0b6a1a6e-3f0f-4b2e-9f67-6a2f7f3f9a01"
    token = ledger.token("ada", scope="hubs:all tasks:write", hub=["north"], source="desk", volunteer=who)
    caller = await ledger.authenticator.caller(token, None)
    assert (str(caller.volunteer_id), caller.scopes, caller.hubs, caller.sources) == (
        who,
        {"tasks:write"},
        set(),
        (),
    )
    for wrong in ("", "ada", 7, None, ["x"]):
        bad = ledger.token("ada", scope="hubs:all tasks:read", volunteer=wrong)
        assert await of_token(ledger, bad) == 401
