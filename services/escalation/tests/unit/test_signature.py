"""Which signatures of call-backs are accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bdcan_escalation.signature import is_genuine
from bdcan_simulator.council import sign

NOW = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)
SECRET, BODY, TOLERANCE = "a secret", b'{"event":"accepted"}', timedelta(minutes=5)


def believed(header: str | None, body: bytes = BODY, now: datetime = NOW) -> bool:
    return is_genuine(header, body, SECRET.encode(), now, TOLERANCE)


def test_fresh_signature_of_the_council_is_accepted():
    assert believed(sign(SECRET, BODY, NOW.timestamp()))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_signature_with_a_distant_time_is_refused(minutes: int):
    assert not believed(sign(SECRET, BODY, (NOW + timedelta(minutes=minutes)).timestamp()))


def test_signature_of_a_changed_body_is_refused():
    assert not believed(sign(SECRET, BODY, NOW.timestamp()), BODY + b" ")


def test_signature_with_a_changed_time_is_refused():
    header = sign(SECRET, BODY, (NOW - timedelta(hours=1)).timestamp())
    fresh = f"t={int(NOW.timestamp())},{header.partition(',')[2]}"
    assert not believed(fresh)


def test_signature_with_another_secret_is_refused():
    assert not believed(sign("another", BODY, NOW.timestamp()))


@pytest.mark.parametrize(
    "header", [None, "", "t=1", "v1=00", "t=x,v1=" + "0" * 64, "t=1,v1=" + "g" * 64, "t=1,v1=" + "0" * 63]
)
def test_unreadable_signature_is_refused(header: str | None):
    assert not believed(header)
