"""The catcher keeps what Alertmanager sends, and refuses what it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from bdcan_local.catcher import Catcher

ALERT = {
    "status": "firing",
    "startsAt": "2020-03-30T12:00:00Z",
    "labels": {"alertname": "CallsLate", "hub": "hub-3"},
    "annotations": {"summary": "nobody has rung"},
}


@pytest.fixture
def door() -> Iterator[httpx.Client]:
    with Catcher("127.0.0.1", 0) as catcher:
        threading.Thread(target=catcher.serve_forever, daemon=True).start()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{catcher.server_address[1]}", trust_env=False
        ) as client:
            yield client
        catcher.shutdown()


def test_alert_is_kept_with_its_receiver(door: httpx.Client) -> None:
    watchdog = ALERT | {"labels": {"alertname": "Watchdog"}}
    assert door.post("/page", json={"alerts": [ALERT, watchdog]}).status_code == 200
    caught = door.get("/").json()
    assert caught["watchdogs"] == 1
    [line] = caught["alerts"]
    assert (line["receiver"], line["alertname"], line["hub"]) == ("page", "CallsLate", "hub-3")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"alerts": [{}]}', b'{"alerts": [7]}'])
def test_something_else_is_refused(door: httpx.Client, body: bytes) -> None:
    assert door.post("/page", content=body).status_code in {400, 413}
    assert door.get("/").json()["alerts"] == []
